"""Work spread over processes, results in the order of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rootplex.cli.frame import UsageError
from rootplex.tools import leaving

T = TypeVar("T")
R = TypeVar("R")


def mapped(call: Callable[[T], R], work: Sequence[T], workers: int) -> Iterable[R]:
    """`call` of each, by so many processes; without any for one worker or one piece of work.

    UsageError where a process was ended from outside (no memory, perhaps).
    """
    if workers == 1 or len(work) <= 1:
        yield from map(call, work)
        return
    try:
        with ProcessPoolExecutor(min(workers, len(work))) as pool:
            with leaving.step():  # it starts the processes: a signal would miss one that is being started
                results = [pool.submit(call, each) for each in work]
            for result in results:
                while not wait([result], leaving.LOOK_SECONDS).done:
                    pass
                yield result.result()
    except BrokenProcessPool:
        raise UsageError("a worker process was ended from outside, perhaps for want of memory") from None
