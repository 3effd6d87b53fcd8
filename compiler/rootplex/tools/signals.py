"""The signals that end a command, in one line and with the status that shells give them (128 + number)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
if hasattr(signal, "SIGHUP"):  # Windows has none
    SIGNALS[signal.SIGHUP] = "hung up"


def handled_by(handler: Callable[[int, FrameType | None], None]) -> None:
    """From now on; a signal that is ignored already stays ignored (as `nohup` wants it)."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def end_at_once(number: int, _frame: FrameType | None = None, *, quiet: bool = False) -> None:
    """The end of a process that has nothing to undo, or has undone it."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if not quiet:
        clear = "\r\x1b[K" if os.isatty(2) else ""
        with suppress(OSError):  # closed, or its reader has gone
            os.write(2, f"{clear}rootplex: {SIGNALS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)
