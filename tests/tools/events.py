"""Waits that end with the event they are for, on processes that are not the test's own children."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def ends_within(seconds: float, pid: int) -> bool:
    """Whether the process has ended by then; one that waits for its parent has."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return _readable(process, seconds)
    finally:
        os.close(process)


@contextmanager
def told_through(fifo: Path) -> Iterator[Callable[[], str]]:
    """Make a FIFO; what is given waits for a word that a process writes into it."""
    os.mkfifo(fifo)
    ours = os.open(fifo, os.O_RDWR)  # also to write: it has a writer before the process is one

    def word() -> str:
        assert _readable(ours, 20)
        return os.read(ours, 4096).decode()

    try:
        yield word
    finally:
        os.close(ours)


def _readable(file: int, seconds: float) -> bool:
    watched = select.poll()
    watched.register(file, select.POLLIN)
    return bool(watched.poll(seconds * 1000))
