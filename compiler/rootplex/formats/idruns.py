"""A map of requester ids as runs: neighbours that go one way.

Device trees have masks and a first match, IORT goes from node to node; both are cut into runs, by whoever
writes or reads them. What can be said of runs alone is here: parts, what two maps have in common, where
they differ. Maps are disjoint and in the order of their ids.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rootplex.source.place import Place

RUNS_LIMIT = 4096
"""A map of more runs is not looked into, and not written: no board has one."""

RIDS = 1 << 16

T = TypeVar("T")


class Run(Struct, Generic[T], frozen=True):
    """`count` ids from `first`, which go to `target` with ids from `id` on, or (`constant`) all with `id`.
    `at` says so."""

    first: int
    count: int
    target: T
    id: int
    constant: bool
    at: Place

    @property
    def end(self) -> int:
        """The first id behind the run."""
        return self.first + self.count

    @property
    def last(self) -> int:
        """The last id of the run."""
        return self.end - 1

    @property
    def ids(self) -> tuple[int, int]:
        """What the first and the last id become."""
        return self.id, self.of(self.last)

    def of(self, id: int) -> int:
        """What an id of the run becomes."""
        return self.id if self.constant else self.id + id - self.first

    def part(self, first: int, end: int) -> Run[T]:
        """The ids first…end - 1 of the run."""
        return replace(self, first=first, id=self.of(first), count=end - first)

    def goes_on_in(self, other: Run[T]) -> bool:
        """Whether another run begins where this one ends, and says the same of its ids."""
        if other.first != self.end or (other.target, other.constant) != (self.target, self.constant):
            return False
        return other.id == (self.id if self.constant else self.of(other.first))

    def same_at(self, other: Run[T], id: int) -> bool:
        """Whether both send an id to the same place with the same id, or both nowhere (None)."""
        if self.target is None or other.target is None:
            return self.target is other.target
        return self.target == other.target and self.of(id) == other.of(id)


def joined(runs: Iterable[Run[T]]) -> Iterator[Run[T]]:
    """The runs with neighbours that continue each other, said at one place, made one. Where a run
    goes nowhere its id means nothing."""
    last: Run[T] | None = None
    for run in runs:
        if last is not None and last.at == run.at:
            nowhere = run.target is last.target is None and run.first == last.end
            if nowhere or last.goes_on_in(run):
                last = replace(last, count=last.count + run.count)
                continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def without(runs: Iterable[Run[T]], holes: Sequence[Run[T]]) -> Iterator[Run[T]]:
    """The parts of `runs` whose ids are in none of `holes`."""
    ends = [hole.end for hole in holes]
    for run in runs:
        first = run.first
        for hole in islice(holes, bisect_right(ends, first), None):
            if hole.first >= run.end:
                break
            if hole.first > first:
                yield run.part(first, hole.first)
            first = hole.end
        if first < run.end:
            yield run.part(first, run.end)


def common(left: Sequence[Run[T]], right: Sequence[Run[T]]) -> Iterator[tuple[Run[T], Run[T]]]:
    """Pairs of parts with the same ids, where both maps have them."""
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = left[i], right[j]
        first, end = max(a.first, b.first), min(a.end, b.end)
        if first < end:
            yield a.part(first, end), b.part(first, end)
        if a.end <= b.end:
            i += 1
        else:
            j += 1


def differences(left: Sequence[Run[T]], right: Sequence[Run[T]]) -> Iterator[tuple[Run[T], Run[T]]]:
    """Pairs of parts with the same ids that do not say the same of them."""
    for a, b in common(left, right):
        if not (a.same_at(b, a.first) and a.same_at(b, a.last)):
            yield a, b


def holes(runs: Iterable[Run[T]]) -> tuple[Run[T], ...]:
    """The runs that go nowhere, neighbours made one."""
    found: list[Run[T]] = []
    for run in runs:
        if run.target is not None:
            continue
        if found and found[-1].end == run.first:
            found[-1] = replace(found[-1], count=found[-1].count + run.count)
        else:
            found.append(run)
    return tuple(found)
