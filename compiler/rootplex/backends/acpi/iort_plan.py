"""What IORT has to say: one root complex a segment, and the two steps RID → StreamID → DeviceID.

A device tree maps RIDs to DeviceIDs directly; in IORT the DeviceID of a device behind an SMMU is made from
its StreamID (linux.md §3.3), so it has to be a function of unit and StreamID over all bridges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.acpi.idmap import Step, TooManyRuns, runs
from rootplex.formats.idruns import RUNS_LIMIT, Run, common, without
from rootplex.model.bridge import HostBridge, IommuMap, MsiMap
from rootplex.source.finding import Finding, Rule
from rootplex.source.place import Place
from rootplex.source.rules import (
    ATS_DIFFERS,
    COHERENCE_DIFFERS,
    DEVICE_ID_NOT_A_FUNCTION,
    ID_BEYOND_32_BITS,
    MAP_TOO_LONG,
)

_ID_END = 1 << 32


class Mapping(Struct, frozen=True):
    """`count` ids from `first` become ids from `output` at the node of `target`.

    `single`: every id becomes `output`."""

    first: int
    count: int
    output: int
    target: str
    source: Place
    single: bool = False


class RootComplex(Struct, frozen=True):
    """One segment: what its bridges have in common, and the mappings of all of them."""

    segment: int
    bridges: tuple[HostBridge, ...]
    mappings: tuple[Mapping, ...]

    @property
    def coherent(self) -> bool:
        return self.bridges[0].dma_coherent

    @property
    def iommu(self) -> IommuMap | None:
        """The first bridge's key that says whether ATS and PRI may be used; all say the same."""
        return next((bridge.iommu for bridge in self.bridges if bridge.iommu is not None), None)


class Plan(Struct, frozen=True):
    """The root complexes by first appearance, and each unit's mappings to the ITSs; or what is wrong."""

    root_complexes: tuple[RootComplex, ...]
    units: dict[str, tuple[Mapping, ...]]
    faults: tuple[Finding, ...]


class _Maps(Struct, frozen=True):
    """One bridge with its two maps, as far as IORT knows the targets."""

    bridge: HostBridge
    streams: tuple[Step, ...]
    messages: tuple[Step, ...]


def plan(bridges: Iterable[HostBridge], units: frozenset[str], controllers: frozenset[str]) -> Plan:
    """The plan for the enabled bridges, with the names of the SMMUs and ITSs that IORT has nodes for."""
    faults: list[Finding] = []
    described = [_maps(bridge, units, controllers, faults) for bridge in bridges]
    segments: dict[int, list[_Maps]] = {}
    for maps in described:
        segments.setdefault(maps.bridge.segment or 0, []).append(maps)
    root_complexes = []
    for segment, members in segments.items():
        _agree([maps.bridge for maps in members], segment, faults)
        owned = tuple(maps.bridge for maps in members)
        root_complexes.append(RootComplex(segment, owned, _segment_mappings(members, segment, faults)))
    steps = _unit_steps(described, faults)
    return Plan(
        tuple(root_complexes),
        {unit: _expanded(steps.get(unit, ()), unit, faults) for unit in sorted(units)},
        _causes(faults),
    )


def _causes(faults: Sequence[Finding]) -> tuple[Finding, ...]:
    """One fault for all StreamIDs of an entry that have two DeviceIDs; that also makes maps long, which is
    no fault of its own then."""
    twice: dict[Place, list[Finding]] = {}
    for fault in faults:
        if fault.code == DEVICE_ID_NOT_A_FUNCTION.code:
            twice.setdefault(fault.at, []).append(fault)
    if not twice:
        return tuple(faults)
    others = [
        fault for fault in faults if fault.code not in (DEVICE_ID_NOT_A_FUNCTION.code, MAP_TOO_LONG.code)
    ]
    for first, *more in twice.values():
        notes = (f"so would {len(more)} more StreamIDs",) if more else ()
        others.append(replace(first, notes=(*first.notes, *notes)))
    return tuple(others)


def _maps(
    bridge: HostBridge, units: frozenset[str], controllers: frozenset[str], faults: list[Finding]
) -> _Maps:
    return _Maps(
        bridge,
        _runs(bridge, bridge.iommu, units, faults),
        _runs(bridge, bridge.msi, controllers, faults),
    )


def _runs(
    bridge: HostBridge, key: IommuMap | MsiMap | None, known: frozenset[str], faults: list[Finding]
) -> tuple[Step, ...]:
    if key is None:
        return ()
    try:
        found = tuple(run for run in runs(key.entries, key.mask, bridge.bus_range) if run.target in known)
    except TooManyRuns:
        faults.append(_too_long(bridge.name, key.at("mask"), f"the mask {key.mask:#x} scatters the ids"))
        return ()
    for run in found:
        if run.of(run.end - 1) >= _ID_END:
            faults.append(
                ID_BEYOND_32_BITS.finding(
                    run.at,
                    f"an id of {bridge.name} has more than 32 bits",
                    notes=(f"RID {run.end - 1:#x} becomes {run.of(run.end - 1):#x}",),
                    help="begin the ids lower, or map fewer requester ids",
                    subject=bridge.name,
                )
            )
            return ()
    return found


def _segment_mappings(members: Sequence[_Maps], segment: int, faults: list[Finding]) -> tuple[Mapping, ...]:
    """RIDs with a StreamID go to its SMMU, others to the ITS; one mapping does where all become one id."""
    steps = [run for maps in members for run in maps.streams]
    steps += [run for maps in members for run in without(maps.messages, maps.streams)]
    rids = sum(maps.bridge.bus_range.count << 8 for maps in members)
    outputs = {(run.target, run.id) for run in steps if run.constant}
    if len(outputs) == 1 and all(run.constant for run in steps) and sum(run.count for run in steps) == rids:
        (target, output) = outputs.pop()
        return (Mapping(0, 1, output, target, steps[0].at, single=True),)
    return _expanded(steps, f"segment {segment}", faults)


def _unit_steps(described: Sequence[_Maps], faults: list[Finding]) -> dict[str, list[Step]]:
    """By unit: StreamID → DeviceID, disjoint and by StreamID."""
    steps: dict[str, list[tuple[Step, HostBridge]]] = {}
    for maps in described:
        for stream, message in common(maps.streams, maps.messages):
            if stream.constant and stream.count > 1 and not message.constant:
                faults.append(_not_a_function(maps.bridge, stream.target, stream.id, message, message))
                continue
            count = 1 if stream.constant else stream.count
            step = Run(stream.id, count, message.target, message.id, message.constant, message.at)
            steps.setdefault(stream.target, []).append((step, maps.bridge))
    return {unit: _agreed(unit, found, faults) for unit, found in steps.items()}


def _agreed(unit: str, steps: list[tuple[Step, HostBridge]], faults: list[Finding]) -> list[Step]:
    """The steps by StreamID with what is said twice left out; a fault where the two do not say the same."""
    steps.sort(key=lambda step: step[0].first)
    agreed: list[Step] = []
    owners: list[HostBridge] = []
    refused: set[Place] = set()
    for step, bridge in steps:
        last = agreed[-1] if agreed else None
        if last is None or last.end <= step.first:
            agreed.append(step)
            owners.append(bridge)
            continue
        end = min(last.end, step.end)
        same = last.target == step.target and all(
            last.of(stream) == step.of(stream) for stream in (step.first, end - 1)
        )
        if not same and step.at not in refused:
            refused.add(step.at)
            stream = step.first if last.of(step.first) != step.of(step.first) else end - 1
            faults.append(_not_a_function(bridge, unit, stream, last, step, owners[-1]))
        if step.end > end:
            agreed.append(step.part(end, step.end))
            owners.append(bridge)
    return agreed


def _expanded(steps: Iterable[Step], name: str, faults: list[Finding]) -> tuple[Mapping, ...]:
    """The steps as mappings; a constant one needs a mapping for each id."""
    found: list[Mapping] = []
    for run in steps:
        if run.constant:
            found += (
                Mapping(first, 1, run.id, run.target, run.at)
                for first in range(run.first, run.first + min(run.count, RUNS_LIMIT + 1))
            )
        else:
            found.append(Mapping(run.first, run.count, run.id, run.target, run.at))
        if len(found) > RUNS_LIMIT:
            faults.append(_too_long(name, run.at, "many ids become one"))
            return ()
    return tuple(found)


def _agree(bridges: Sequence[HostBridge], segment: int, faults: list[Finding]) -> None:
    """One root complex node stands for all bridges of a segment: what it says must be true of each."""
    for first, other in pairwise(bridges):
        if first.dma_coherent != other.dma_coherent:
            said = "coherent" if other.dma_coherent else "not coherent"
            faults.append(
                _differs(
                    COHERENCE_DIFFERS,
                    f"DMA of {other.name} is {said}, unlike that of {first.name} in the same segment",
                    (other, other.at("dma_coherent")),
                    (first, first.at("dma_coherent")),
                    segment,
                )
            )
    translated = [(bridge, bridge.iommu) for bridge in bridges if bridge.iommu is not None]
    for (first, mine), (other, theirs) in pairwise(translated):
        for key, word in (("ats", "ATS"), ("pri", "PRI")):
            if getattr(mine, key) != getattr(theirs, key):
                said = "may" if getattr(theirs, key) else "may not"
                faults.append(
                    _differs(
                        ATS_DIFFERS,
                        f"{other.name} {said} use {word}, unlike {first.name} in the same segment",
                        (other, theirs.at(key)),
                        (first, mine.at(key)),
                        segment,
                    )
                )


def _differs(
    rule: Rule,
    message: str,
    other: tuple[HostBridge, Place],
    first: tuple[HostBridge, Place],
    segment: int,
) -> Finding:
    return rule.finding(
        other[1],
        message,
        related=((first[1], f"{first[0].name} says otherwise"),),
        notes=(f"IORT has one root complex node for all of segment {segment}",),
        help="say the same for both bridges, or give them segments of their own",
        subject=other[0].name,
    )


def _not_a_function(
    bridge: HostBridge, unit: str, stream: int, first: Step, second: Step, other: HostBridge | None = None
) -> Finding:
    """`other`: the bridge of the first step."""
    if other is not None and other is not bridge and bridge.iommu is not None and other.iommu is not None:
        by_streams = bridge.iommu.wrote("map") and not (bridge.msi and bridge.msi.wrote("map"))
        return DEVICE_ID_NOT_A_FUNCTION.finding(
            bridge.iommu.at("map") if by_streams else second.at,
            f"'{bridge.name}' and '{other.name}' share StreamID {stream:#x} of {unit}, with two DeviceIDs",
            related=[
                (other.iommu.at("map"), f"the StreamIDs of {other.name}")
                if by_streams
                else (first.at, "the other DeviceID comes from here")
            ],
            notes=(
                "in IORT the DeviceID of a device behind an SMMU is made from its StreamID",
                f"here {first.of(stream):#x} at {first.target} and {second.of(stream):#x} at {second.target}",
            ),
            help="give each bridge StreamIDs of its own, by 'iommu.map'",
            subject=bridge.name,
        )
    if first is second:
        pair = f"{first.id:#x} and {first.of(first.end - 1):#x}"
    else:
        pair = f"{first.of(stream):#x} at {first.target} and {second.of(stream):#x} at {second.target}"
    related = () if first is second else ((first.at, "the other DeviceID comes from here"),)
    return DEVICE_ID_NOT_A_FUNCTION.finding(
        second.at,
        f"StreamID {stream:#x} of {unit} would have two DeviceIDs, {pair}",
        related=related,
        notes=("in IORT the DeviceID of a device behind an SMMU is made from its StreamID",),
        help="let requester ids that share a StreamID share their DeviceID, or give them different StreamIDs",
        subject=bridge.name,
    )


def _too_long(name: str, at: Place, note: str) -> Finding:
    return MAP_TOO_LONG.finding(
        at,
        f"the id map of {name} would need more than {RUNS_LIMIT} IORT mappings",
        notes=(note, "IORT has no mask: every run of ids is a mapping of its own"),
        help="keep the low bits in the mask, or describe fewer buses",
        subject=name,
    )
