"""Requester-id maps as functions: runs of RIDs with what becomes of them, by device tree and by IORT.

A device tree masks the RID and takes the first entry that holds it; IORT goes from node to node and
has no mask. Both are asked at one RID of a run only: within a run the way through the firmware is the
same, so ids rise with the RID or stay.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.acpi.iort import IdStep, Iort, IortNode, map_id
from rootplex.readers.buses import Buses
from rootplex.readers.ridmap import RidMap, map_rid
from rootplex.source.place import Place

RUNS_LIMIT = 4096
"""A map of more runs is not looked into: no board has one."""

RIDS = 1 << 16


class Run(Struct, frozen=True):
    """RIDs `first` to `last`, which go to `target` with ids from `id` on, or (`constant`) all with
    `id`; `target` None: nowhere. `at` is the entry (of IORT the last) that says so, or the
    map without one."""

    first: int
    last: int
    target: object | None
    id: int
    constant: bool
    at: Place

    def of(self, rid: int) -> int:
        """The id of a RID of the run."""
        return self.id if self.constant else self.id + rid - self.first

    def part(self, first: int, last: int) -> Run:
        """The RIDs `first` to `last` of the run."""
        return replace(self, first=first, last=last, id=self.of(first))

    @property
    def ids(self) -> tuple[int, int]:
        """The first and last id of the run."""
        return self.id, self.of(self.last)

    def same_at(self, other: Run, rid: int) -> bool:
        """Whether both send a RID to the same place with the same id, or both nowhere."""
        if self.target is None or other.target is None:
            return self.target is other.target
        return self.target == other.target and self.of(rid) == other.of(rid)


def dt_runs(map: RidMap, buses: Buses) -> tuple[Run, ...] | None:
    """The map over the RIDs of a bus range; None where a mask scatters it into too many runs.

    Targets are node paths; an entry that ends nowhere, or that Linux refuses, is a run without one.
    """
    low, high = buses.rids
    mask = map.mask & (RIDS - 1)
    block = (mask + 1) & ~mask
    constant = block == 1
    if constant:
        block = mask & -mask or RIDS
    if (high + 1 - low) // block > RUNS_LIMIT:
        return None
    edges = map.first.edges
    runs: list[Run] = []
    for start in range(low - low % block, high + 1, block):
        masked = start & map.mask
        above, end = bisect_right(edges, masked), bisect_left(edges, masked + block)
        inner = () if constant else (edge - masked for edge in edges[above:end])
        for offset, end in pairwise([0, *inner, block]):
            first, last = max(start + offset, low), min(start + end - 1, high)
            if first <= last:
                runs.append(_dt_run(map, first, last, constant))
        if len(runs) > RUNS_LIMIT:
            return None
    return tuple(_joined(runs))


def _dt_run(map: RidMap, first: int, last: int, constant: bool) -> Run:
    result = map_rid(map, first)
    if result.id is None or result.entry is None:
        return Run(first, last, None, 0, constant, result.place)
    return Run(first, last, result.entry.target, result.id, constant, result.entry.place)


def identity(buses: Buses, target: object | None, at: Place) -> Run:
    """All RIDs of a bus range as they are (`msi-parent`), or nowhere."""
    low, high = buses.rids
    return Run(low, high, target, 0 if target is None else low, False, at)


def iort_runs(iort: Iort, node: IortNode, buses: Buses, wanted: Sequence[int]) -> tuple[Run, ...] | None:
    """The way of the RIDs of a bus range from a root complex to a node of a wanted type; None
    where it has too many runs. Targets are the node's offset in the table."""
    rid, high = buses.rids
    edges = {each.offset: _edges(each) for each in iort.nodes}
    runs: list[Run] = []
    while rid <= high:
        result = map_id(iort, node, rid, wanted)
        length = high + 1 - rid
        for step in result.steps:
            length = min(length, _same_for(edges[step.node], step.id_in))
            if step.mapping.single:
                break
        constant = any(step.mapping.single for step in result.steps)
        if result.node is None and not constant:
            stuck, id = _where_stuck(node, rid, result.steps)
            length = min(length, _same_for(edges.get(stuck, ()), id))
        at = result.steps[-1].mapping.place if result.steps else node.place
        target = None if result.node is None else result.node.offset
        runs.append(Run(rid, rid + length - 1, target, result.id if target else 0, constant, at))
        rid += length
        if len(runs) > RUNS_LIMIT:
            return None
    return tuple(_joined(runs))


def _edges(node: IortNode) -> tuple[int, ...]:
    """The input ids at which another mapping may begin to hold; the last id of one stands alone."""
    found: set[int] = set()
    for each in node.mappings:
        last = each.input_base + each.id_count
        found |= {each.input_base, last, last + 1}
    return tuple(sorted(found))


def _same_for(edges: Sequence[int], id: int) -> int:
    """How many ids from `id` on see the same mappings."""
    index = bisect_right(edges, id)
    return edges[index] - id if index < len(edges) else RIDS


def _where_stuck(node: IortNode, rid: int, steps: Sequence[IdStep]) -> tuple[int, int]:
    """The node that has no mapping, and the id that came to it."""
    if not steps:
        return node.offset, rid
    last = steps[-1]
    return last.mapping.output_reference, last.id_out


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The runs with neighbours that continue each other, out of one entry, made one."""
    last: Run | None = None
    for run in runs:
        if last is None:
            last = run
            continue
        goes_on = run.target is None or run.id == (last.id if run.constant else last.of(run.first))
        alike = (last.target, last.at, last.constant) == (run.target, run.at, run.constant)
        if alike and goes_on:
            last = replace(last, last=run.last)
        else:
            yield last
            last = run
    if last is not None:
        yield last


def holes(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs that go nowhere, neighbours joined."""
    found: list[Run] = []
    for run in runs:
        if run.target is not None:
            continue
        if found and found[-1].last + 1 == run.first:
            found[-1] = replace(found[-1], last=run.last)
        else:
            found.append(run)
    return tuple(found)


def differences(left: Sequence[Run], right: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Pairs of parts over the same RIDs that do not say the same; both cover the same RIDs."""
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = left[i], right[j]
        first, last = max(a.first, b.first), min(a.last, b.last)
        if first <= last and not (a.same_at(b, first) and a.same_at(b, last)):
            yield a.part(first, last), b.part(first, last)
        if a.last <= b.last:
            i += 1
        else:
            j += 1


def is_placeholder(maps: Iterable[RidMap]) -> bool:
    """Whether maps are what a boot loader fills in: one entry of one id each, all alike, no mask."""
    entries: set[tuple[int, int, int]] = set()
    for map in maps:
        if len(map.entries) != 1 or map.entries[0].length != 1 or map.mask_present:
            return False
        entry = map.entries[0]
        entries.add((entry.rid_base, entry.phandle, entry.out_base))
    return len(entries) == 1
