"""Requester-id maps as functions: runs of RIDs with what becomes of them, by tree, IORT, VIOT and RIMT.

A device tree masks the RID and takes the first entry that holds it; IORT goes from node to node and has no
mask, VIOT has ranges of which the last that holds the RID counts, RIMT mappings of which the first does. All
are asked at one RID of a run only: within a run the way through the firmware is the same, so ids rise with
the RID or stay.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import TypeAlias

from rootplex.formats.idruns import RIDS, RUNS_LIMIT, Run, joined
from rootplex.readers.acpi.iort_facts import IdStep, Iort, IortNode
from rootplex.readers.acpi.iort_ids import map_id
from rootplex.readers.acpi.rimt import Rimt
from rootplex.readers.acpi.viot import Viot
from rootplex.readers.buses import Buses
from rootplex.readers.ridmap import RidMap, map_rid
from rootplex.source.place import Place

Way: TypeAlias = Run[object | None]
"""RIDs of one way; `target` None: nowhere."""


def dt_runs(map: RidMap, buses: Buses) -> tuple[Way, ...] | None:
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
    runs: list[Way] = []
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
    return tuple(joined(runs))


def _dt_run(map: RidMap, first: int, last: int, constant: bool) -> Way:
    result = map_rid(map, first)
    if result.id is None or result.entry is None:
        return Run(first, last + 1 - first, None, 0, constant, result.place)
    return Run(first, last + 1 - first, result.entry.target, result.id, constant, result.entry.place)


def identity(buses: Buses, target: object | None, at: Place) -> Way:
    """All RIDs of a bus range as they are (`msi-parent`), or nowhere."""
    low, high = buses.rids
    return Run(low, high + 1 - low, target, 0 if target is None else low, False, at)


def iort_runs(iort: Iort, node: IortNode, buses: Buses, wanted: Sequence[int]) -> tuple[Way, ...] | None:
    """The way of the RIDs of a bus range from a root complex to a node of a wanted type; None
    where it has too many runs. Targets are the node's offset in the table, `at` is the last mapping."""
    found = tuple(way for way, _ in islice(iort_ways(iort, node, buses, wanted), RUNS_LIMIT + 1))
    return None if len(found) > RUNS_LIMIT else tuple(joined(found))


def iort_ways(iort: Iort, node: IortNode, buses: Buses, wanted: Sequence[int]) -> Iterator[tuple[Way, Place]]:
    """The same, cut wherever a mapping on the way begins or ends: said at the last one, and the first."""
    rid, high = buses.rids
    while rid <= high:
        result = map_id(iort, node, rid, wanted)
        length = high + 1 - rid
        for step in result.steps:
            length = min(length, _same_for(_edges(iort, step.node), step.id_in))
            if step.mapping.single:
                break
        constant = any(step.mapping.single for step in result.steps)
        if result.node is None and not constant:
            stuck, id = _where_stuck(node, rid, result.steps)
            length = min(length, _same_for(_edges(iort, stuck), id))
        places = [step.mapping.place for step in result.steps] or [node.place]
        target = None if result.node is None else result.node.offset
        yield Run(rid, length, target, result.id if target else 0, constant, places[-1]), places[0]
        rid += length


def _edges(iort: Iort, offset: int) -> tuple[int, ...]:
    node = iort.at(offset)
    return () if node is None else node.edges


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


def viot_runs(viot: Viot, segment: int, buses: Buses) -> tuple[Way, ...] | None:
    """The way of the RIDs of a bus range of a segment by VIOT; None where it has too many runs. Targets are
    the unit's offset in the table; what no range has goes nowhere, and so does a unit's own function
    (`viot_pci_dev_iommu_init`)."""
    low, high = buses.rids
    ranges = [
        (each, unit)
        for each, unit in viot.decisive
        if each.first_segment <= segment <= each.last_segment and each.first <= high and low <= each.last
    ]
    own = {unit.rid: unit for unit in viot.units if unit.segment == segment and unit.rid is not None}
    if len(ranges) + len(own) > RUNS_LIMIT:
        return None
    edges = {low, high + 1}
    for start, end in [(each.first, each.last + 1) for each, _ in ranges] + [(rid, rid + 1) for rid in own]:
        edges |= {edge for edge in (start, end) if low < edge <= high}
    runs: list[Way] = []
    for first, end in pairwise(sorted(edges)):
        found = next((pair for pair in ranges if pair[0].first <= first <= pair[0].last), None)
        if found is None or own.get(first) is found[1]:
            runs.append(Run(first, end - first, None, 0, False, viot.table.place(0)))
        else:
            endpoint = found[0].endpoint_of(segment, first)
            assert endpoint is not None
            runs.append(Run(first, end - first, found[1].offset, endpoint, False, found[0].place))
    return tuple(joined(runs))


def rimt_runs(rimt: Rimt, segment: int, buses: Buses) -> tuple[Way, ...] | None:
    """The way of the RIDs of a bus range of a segment by RIMT, a mapping being as long as it says; None where
    it has too many runs. Targets are the unit's offset in the table; what no mapping has goes nowhere."""
    low, high = buses.rids
    root = rimt.root_of(segment)
    if root is None:
        return (identity(buses, None, rimt.table.place(0)),)
    mappings = [each for each in root.mappings if each.first <= high and low < each.first + each.count]
    if len(mappings) > RUNS_LIMIT:
        return None
    known = {unit.offset for unit in rimt.units}
    edges = {low, high + 1}
    for each in mappings:
        edges |= {edge for edge in (each.first, each.first + each.count) if low < edge <= high}
    runs: list[Way] = []
    for first, end in pairwise(sorted(edges)):
        found = next((each for each in mappings if each.first <= first < each.first + each.count), None)
        if found is None or found.unit not in known:
            at = root.place if found is None else found.place
            runs.append(Run(first, end - first, None, 0, False, at))
        else:
            id = found.id + first - found.first
            runs.append(Run(first, end - first, found.unit, id, False, found.place))
    return tuple(joined(runs))


def is_placeholder(maps: Iterable[RidMap]) -> bool:
    """Whether maps are what a boot loader fills in: one entry of one id each, all alike, no mask."""
    entries: set[tuple[int, int, int]] = set()
    for map in maps:
        if len(map.entries) != 1 or map.entries[0].length != 1 or map.mask_present:
            return False
        entry = map.entries[0]
        entries.add((entry.rid_base, entry.phandle, entry.out_base))
    return len(entries) == 1
