"""Leaving at once: a signal ends what runs, takes away what lies about, says one line, and that is all.

No exception carries it: one would wait for threads, for a lock that an import holds, for a library that
catches everything. What has to be undone is written down here before it is done, and the signal's handler
undoes it (signal(7), exit statuses as shells have them).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from rootplex.tools.signals import SIGNALS, end_at_once, handled_by

_TRIES = 3
"""How often what lies about is taken away: another thread may be writing into it."""
LOOK_SECONDS = 0.25
"""How long the main thread may wait in one call: a signal just before it would be noticed only after it."""
PATIENCE = 0.4
"""Seconds for other threads' steps, and for worker processes, which leave in the same way."""


class _Undone:
    """What this process has to undo, and whether it is in a step that is not to be cut in two."""

    def __init__(self, *, worker: bool) -> None:
        self.worker = worker
        self.lock = threading.RLock()
        self.programs: set[int] = set()
        self.paths: set[Path] = set()
        self.depth = 0
        self.told: int | None = None


_now = _Undone(worker=False)


def _begin_worker() -> None:
    global _now
    _now = _Undone(worker=True)


if hasattr(os, "register_at_fork"):  # where nothing forks, a worker loads this module anew
    os.register_at_fork(after_in_child=_begin_worker)


def install() -> None:
    """From now on the signals end this process so."""
    handled_by(_leave)


@contextmanager
def installed() -> Iterator[None]:
    """The same for a while. Only the main thread may set handlers; elsewhere its own ones hold."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.getsignal(number) for number in SIGNALS}
    install()
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def step() -> Iterator[None]:
    """A short step that a signal waits for: something begins, and is written down."""
    main = threading.current_thread() is threading.main_thread()
    with _now.lock:
        if main:
            _now.depth += 1
        try:
            yield
        finally:
            if main:
                _now.depth -= 1
    if main and not _now.depth and _now.told is not None:
        _leave(_now.told, None)


def begun(program: int) -> None:
    """A program runs, by its id, which leads a session of its own; to be called in its step."""
    _now.programs.add(program)


def ended(program: int) -> None:
    """It has been waited for."""
    _now.programs.discard(program)


@contextmanager
def passing(path: Path) -> Iterator[None]:
    """A file or folder of this name is made inside the block, and is gone after it."""
    _now.paths.add(path)
    try:
        yield
    finally:
        with step():
            remove(path)
            _now.paths.discard(path)


def remove(path: Path) -> None:
    """A file, or a folder with all in it, as far as it can be removed; links are not followed."""
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        for each in list(path.iterdir()):
            remove(each)
        path.rmdir()


def _leave(number: int, _frame: FrameType | None) -> None:
    now = _now
    if now.depth:
        now.told = number
        return
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    try:
        _undo(now)
    finally:  # whatever happens on the way: the process was told to go
        end_at_once(number, quiet=now.worker)


def _undo(now: _Undone) -> None:
    now.lock.acquire(timeout=PATIENCE)  # and never given back: nothing begins any more
    for program in list(now.programs):
        with suppress(OSError):
            os.killpg(program, signal.SIGKILL)
    _end_workers()
    for program in list(now.programs):
        with suppress(OSError):  # whoever waits for it may have it already
            os.waitpid(program, 0)
    for path in [*now.paths] * _TRIES:
        remove(path)


def _end_workers() -> None:
    """Worker processes (of `multiprocessing`) are told to leave, and ended where they do not."""
    module = sys.modules.get("multiprocessing.process")
    workers = [] if module is None or _now.worker else module.active_children()
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.exitcode is None:
            worker.kill()
