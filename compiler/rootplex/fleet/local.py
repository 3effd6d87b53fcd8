"""Work spread over processes of this machine, results in the order of the work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rootplex.tools import leaving

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 8
"""Pieces of work for each process that are begun before the oldest is done: what bounds memory."""


def spread(call: Callable[[T], R], work: Iterable[T], workers: int, lost: Callable[[T], R]) -> Iterator[R]:
    """`call` of each, by so many processes; in this one where one worker is wanted.

    A process that is ended from outside (no memory, perhaps) takes the others of its pool with it: what they
    were at is done again, each alone, and what ends its process once more is `lost`.
    """
    if workers == 1:
        yield from map(call, work)
        return
    left = iter(work)
    while undone := (yield from _until_broken(call, left, workers)):
        for each in undone:
            if (yield from _until_broken(call, iter([each]), 1)):
                yield lost(each)


def _until_broken(call: Callable[[T], R], left: Iterator[T], workers: int) -> Generator[R, None, list[T]]:
    """The results of one pool. Where it breaks, what was begun and has none is returned; nothing where all is
    done."""
    begun: deque[tuple[T, Future[R] | None]] = deque()
    try:
        with ProcessPoolExecutor(workers) as pool:
            for each in left:
                begun.append((each, None))
                with leaving.step():  # it starts processes: a signal would miss one that is being started
                    begun[-1] = (each, pool.submit(call, each))
                if len(begun) == AHEAD * workers:
                    yield _result(begun[0][1])
                    begun.popleft()
            while begun:
                yield _result(begun[0][1])
                begun.popleft()
    except BrokenProcessPool:
        pass
    return [each for each, _ in begun]


def _result(future: Future[R] | None) -> R:
    assert future is not None
    while not wait([future], leaving.LOOK_SECONDS).done:
        pass
    return future.result()
