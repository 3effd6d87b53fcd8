"""Work done in a thread beside the caller's: for what waits for another program.

Python's own executors come with a pool, queues and logging, whose import costs more than a check saves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Generic, TypeVar

from rootplex.tools.runner import end_program

T = TypeVar("T")

_STEP = 0.05
"""Seconds between two looks at what is to be stopped: it may be about to start a program."""


class Work(Generic[T]):
    """One call that runs beside us."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._values: list[T] = []
        self._raised: BaseException | None = None
        # Not `Thread.join`: before Python 3.13 an interrupted one takes the thread for ended.
        self._ended = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._values.append(self._call())
        except BaseException as raised:
            self._raised = raised
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Until it has ended, however it did."""
        self._ended.wait()

    def stop(self) -> None:
        """End the program that the call waits for, and wait until the call has ended too."""
        assert self._thread.ident is not None
        while not self._ended.is_set():
            end_program(self._thread.ident)
            self._ended.wait(_STEP)

    def result(self) -> T:
        """What the call returned, or raised, when it has ended."""
        self.wait()
        if self._raised is not None:
            raise self._raised
        return self._values[0]


@contextmanager
def beside(call: Callable[[], T]) -> Iterator[Work[T]]:
    """The call, begun; it has ended when the block is left, and is stopped where the block raises."""
    work = Work(call)
    try:
        yield work
        work.wait()
    except BaseException:
        work.stop()
        raise
