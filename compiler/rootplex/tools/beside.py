"""Work done in a thread beside the caller's: for what waits for another program.

Python's own executors come with a pool, queues and logging, whose import costs more than a check saves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Work(Generic[T]):
    """One call that runs beside us."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._values: list[T] = []
        self._raised: BaseException | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._values.append(self._call())
        except BaseException as raised:
            self._raised = raised

    def wait(self) -> None:
        """Until it has ended, however it did."""
        self._thread.join()

    def result(self) -> T:
        """What the call returned, or raised, when it has ended."""
        self.wait()
        if self._raised is not None:
            raise self._raised
        return self._values[0]


@contextmanager
def beside(call: Callable[[], T]) -> Iterator[Work[T]]:
    """The call, begun; it has ended when the block is left."""
    work = Work(call)
    try:
        yield work
    finally:
        work.wait()
