"""Requester-id maps as disjoint runs: what a device tree says with masks and a first match, said without.

The meaning of a description's map is the device tree's (linux.md §1.10): the RID is masked, the first
entry that holds it gives `id + (masked - rid)`. IORT has neither mask nor order, so the map is cut into
runs of RIDs that do not overlap, within the buses of the bridge.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from msgspec.structs import replace

from rootplex.formats.idruns import RIDS, RUNS_LIMIT, Run, joined
from rootplex.model.bridge import IdMapEntry
from rootplex.model.numbers import BusRange

Step: TypeAlias = Run[str]
"""Ids that go to the controller of a name."""


class TooManyRuns(Exception):  # noqa: N818 - it says what is wrong
    """The mask scatters the ids so that more than `RUNS_LIMIT` runs would be needed."""


def runs(entries: Sequence[IdMapEntry], mask: int, buses: BusRange) -> tuple[Step, ...]:
    """The map within the buses, by RID, disjoint. TooManyRuns where the mask scatters it."""
    pieces = _disjoint(entries)
    starts = [piece.first for piece in pieces]
    low, high = buses.first << 8, (buses.last + 1) << 8
    block, constant = _block(mask)
    found: list[Step] = []
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
    return tuple(joined(run for run in clipped if run.count > 0))


def _disjoint(entries: Sequence[IdMapEntry]) -> list[Step]:
    """The entries over masked RIDs, cut so that the first one that holds a RID is the only one."""
    events = sorted(
        {
            min(edge, RIDS)
            for entry in entries
            for edge in (entry.rid, entry.rid + entry.count)
        }
    )  # fmt: skip
    by_start = sorted(range(len(entries)), key=lambda index: entries[index].rid)
    active: list[int] = []
    found: list[Step] = []
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
            run = Run(start, end - start, entry.target, entry.id + start - entry.rid, False, entry.at())
            found.append(run)
    return list(joined(found))


def _block(mask: int) -> tuple[int, bool]:
    """RIDs that the mask treats alike: how many neighbours, and whether all of them become one."""
    mask &= RIDS - 1
    ones = (mask + 1) & ~mask  # the lowest bit that is not in the mask
    if ones > 1:
        return ones, False
    zeros = mask & -mask if mask else RIDS
    return zeros, True


def _in_block(piece: Step, base: int, masked: int, block: int, *, constant: bool) -> Step:
    """What the piece says of the RIDs base…base + block - 1, which are `masked` and up (or all `masked`)."""
    if constant:
        return Run(base, block, piece.target, piece.of(masked), True, piece.at)
    first, end = max(piece.first, masked), min(piece.end, masked + block)
    return replace(piece.part(first, end), first=base + first - masked)
