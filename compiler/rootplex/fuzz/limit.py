"""The time that a case has: one that hangs is ended where it stands, and not waited for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn


class Hung(BaseException):
    """The time is over; the text says where it stood. No `except Exception` of what is tried takes it."""


@contextmanager
def within(processor: float, wall: float) -> Iterator[None]:
    """So many seconds of this process's processor time, and so many of all (it may wait for another), then
    Hung is raised in the middle of it. Only the main thread, and no Windows, can be ended so; elsewhere there
    is no limit."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, f"{processor:g} seconds of processor time"),
        signal.SIGALRM: (signal.ITIMER_REAL, f"{wall:g} seconds"),
    }

    def end(number: int, frame: FrameType | None) -> NoReturn:
        where = "" if frame is None else f" ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
        raise Hung(f"not done after {timers[signal.Signals(number)][1]}{where}")

    former = {number: signal.signal(number, end) for number in timers}
    signal.setitimer(signal.ITIMER_PROF, processor)
    signal.setitimer(signal.ITIMER_REAL, wall)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, former[number])
