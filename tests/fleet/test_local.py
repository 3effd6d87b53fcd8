"""Work over processes: in order, bounded, and nothing lost where one of them is ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from rootplex.fleet.local import AHEAD, spread


def squared(number: int) -> int:
    return number * number


def poisoned(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def lost(number: int) -> int:
    return -number


def test_results_come_in_the_order_of_the_work() -> None:
    assert [n * n for n in range(100)] == list(spread(squared, range(100), 2, lost))


def test_no_more_is_begun_than_so_much() -> None:
    taken = 0

    def work() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = spread(squared, work(), 2, lost)
    assert [0, 1, 4] == [next(results) for _ in range(3)]
    assert taken <= 2 * AHEAD + 3


def test_what_ends_its_process_is_lost_and_nothing_else() -> None:
    numbers = list(spread(poisoned, range(40), 2, lost))
    assert [-7 if n == 7 else n * n for n in range(40)] == numbers
