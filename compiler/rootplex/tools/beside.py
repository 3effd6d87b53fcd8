"""Work done in a thread beside the caller's: for what waits for another program.

An executor of Python's waits for its threads when it is left; here the program is ended that they wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from rootplex.tools.runner import end_program

T = TypeVar("T")

_STEP = 0.05
"""Seconds between two looks at what is to be stopped: it may be about to start a program."""


@contextmanager
def beside(call: Callable[[], T]) -> Iterator[Future[T]]:
    """The call, begun; it has ended when the block is left, and is stopped where the block raises."""
    work: Future[T] = Future()
    thread = Thread(target=_done, args=(work, call))
    thread.start()
    try:
        yield work
        wait([work])  # not `Thread.join`: before Python 3.13 an interrupted one takes the thread for ended
    except BaseException:
        assert thread.ident is not None
        while not work.done():
            end_program(thread.ident)
            wait([work], _STEP)
        raise


def _done(work: Future[T], call: Callable[[], T]) -> None:
    try:
        work.set_result(call())
    except BaseException as raised:
        work.set_exception(raised)
