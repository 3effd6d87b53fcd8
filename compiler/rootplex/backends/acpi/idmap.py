"""Requester-id maps as disjoint runs: what a device tree says with masks and a first match, said without.

The meaning of a description's map is the device tree's (linux.md §1.10): the RID is masked, the first
entry that holds it gives `id + (masked - rid)`. IORT has neither mask nor order, so the map is cut into
runs of RIDs that do not overlap, within the buses of the bridge.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise

from msgspec import Struct
from msgspec.structs import replace

from rootplex.model.bridge import IdMapEntry
from rootplex.model.numbers import BusRange
from rootplex.source.place import Place

RUNS_LIMIT = 4096
"""More runs than this are refused: 80 KiB of mappings, each searched for every device."""

_RIDS = 1 << 16


class TooManyRuns(Exception):  # noqa: N818 - it says what is wrong
    """The mask scatters the ids so that more than `RUNS_LIMIT` runs would be needed."""


class Run(Struct, frozen=True):
    """`count` input ids from `first`; they become ids from `id`, or (`constant`) all become `id`."""

    first: int
    id: int
    count: int
    constant: bool
    target: str
    source: Place

    @property
    def end(self) -> int:
        """The first input id behind the run."""
        return self.first + self.count

    def of(self, input_id: int) -> int:
        """What an id of the run becomes."""
        return self.id if self.constant else self.id + input_id - self.first

    def part(self, first: int, end: int) -> Run:
        """The ids first…end - 1 of the run."""
        return replace(self, first=first, id=self.of(first), count=end - first)


def runs(entries: Sequence[IdMapEntry], mask: int, buses: BusRange) -> tuple[Run, ...]:
    """The map within the buses, by RID, disjoint. TooManyRuns where the mask scatters it."""
    pieces = _disjoint(entries)
    starts = [piece.first for piece in pieces]
    low, high = buses.first << 8, (buses.last + 1) << 8
    block, constant = _block(mask)
    found: list[Run] = []
    for base in range(low - low % block, high, block):
        masked = base & mask
        last = masked if constant else masked + block - 1
        hit = range(max(bisect_right(starts, masked) - 1, 0), bisect_right(starts, last))
        found += (
            _in_block(pieces[index], base, masked, block, constant=constant)
            for index in hit
            if pieces[index].end > masked
        )
        if len(found) > RUNS_LIMIT:
            raise TooManyRuns
    clipped = (run.part(max(run.first, low), min(run.end, high)) for run in found)
    return tuple(_joined(run for run in clipped if run.count > 0))


def without(runs: Iterable[Run], holes: Sequence[Run]) -> Iterator[Run]:
    """The parts of `runs` whose inputs are in none of `holes`; both disjoint and by input."""
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


def common(left: Sequence[Run], right: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Pairs of parts with the same inputs, where both maps have them; both disjoint and by input."""
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


def _disjoint(entries: Sequence[IdMapEntry]) -> list[Run]:
    """The entries over masked RIDs, cut so that the first one that holds a RID is the only one."""
    events = sorted(
        {
            min(edge, _RIDS)
            for entry in entries
            for edge in (entry.rid, entry.rid + entry.count)
        }
    )  # fmt: skip
    by_start = sorted(range(len(entries)), key=lambda index: entries[index].rid)
    active: list[int] = []
    found: list[Run] = []
    waiting = iter(by_start)
    following = next(waiting, None)
    for start, end in pairwise(events):
        while following is not None and entries[following].rid <= start:
            heapq.heappush(active, following)
            following = next(waiting, None)
        while active and entries[active[0]].rid + entries[active[0]].count <= start:
            heapq.heappop(active)
        if active:
            entry = entries[active[0]]
            run = Run(start, entry.id + start - entry.rid, end - start, False, entry.target, entry.at())
            found.append(run)
    return list(_joined(found))


def _block(mask: int) -> tuple[int, bool]:
    """RIDs that the mask treats alike: how many neighbours, and whether all of them become one."""
    mask &= _RIDS - 1
    ones = (mask + 1) & ~mask  # the lowest bit that is not in the mask
    if ones > 1:
        return ones, False
    zeros = mask & -mask if mask else _RIDS
    return zeros, True


def _in_block(piece: Run, base: int, masked: int, block: int, *, constant: bool) -> Run:
    """What the piece says of the RIDs base…base + block - 1, which are `masked` and up (or all `masked`)."""
    if constant:
        return Run(base, piece.of(masked), block, True, piece.target, piece.source)
    first, end = max(piece.first, masked), min(piece.end, masked + block)
    return replace(piece.part(first, end), first=base + first - masked)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The runs with neighbours that continue each other, out of one entry, made one."""
    last: Run | None = None
    for run in runs:
        if last is not None and _continues(last, run):
            last = replace(last, count=last.count + run.count)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _continues(last: Run, run: Run) -> bool:
    return (
        run.first == last.end
        and (run.target, run.source, run.constant) == (last.target, last.source, last.constant)
        and run.id == (last.id if last.constant else last.of(run.first))
    )
