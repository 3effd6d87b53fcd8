"""Maps of a device tree and of IORT, and which ids each bridge claims at which unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.checks.acpi_tables import bridges, takes_iort
from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.facts import Facts
from rootplex.readers.acpi.iort_facts import IortNode, Smmu, SmmuV3
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, root_complex
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.idruns import Way, dt_runs, identity, iort_runs, is_placeholder
from rootplex.readers.ridmap import RidMap
from rootplex.source.place import Place

Kind: TypeAlias = Literal["iommu", "msi"]


class Claim(Struct, frozen=True):
    """Ids `first` to `last` of a unit that the requesters of a bridge get. `kind` is the unit's:
    `smmu-v3`, `smmu-v2`, `its`, …; `unit` tells units of one firmware apart."""

    bridge: str
    kind: str
    unit: object
    name: str
    first: int
    last: int
    at: Place


def has_placeholders(facts: Facts) -> bool:
    """Whether the tree's `iommu-map`s are for a boot loader to fill in."""
    return is_placeholder(bridge.iommu_map for bridge in facts.dt_bridges if bridge.iommu_map is not None)


def runs_of(bridge: DtHostBridge, map: RidMap) -> tuple[Way, ...]:
    """A map over the bus range of its bridge; nothing where that or the map cannot be followed."""
    return () if bridge.buses is None else dt_runs(map, bridge.buses) or ()


def possible(bridge: DtHostBridge, runs: Iterable[Way]) -> Iterator[Way]:
    """The parts of runs that a requester can have: on the first bus of many controllers only device 0
    answers (linux.md §1.13)."""
    low, high = (bridge.buses or ALL_BUSES).rids
    first = low >> 8
    devices = None if bridge.controller is None else bridge.controller.first_bus_devices
    ranges = [(low, high)]
    if devices is not None:
        ranges = [(first << 8 | device << 3, first << 8 | device << 3 | 7) for device in devices]
        ranges.append((first + 1 << 8, high))
    for run in runs:
        for start, end in ranges:
            if max(run.first, start) <= min(run.last, end):
                yield run.part(max(run.first, start), min(run.end, end + 1))


LOADER_FILLS = re.compile(r"fsl,(ls1028a|ls1088a|ls208\da|lx2160a|lx2160ar2)-pcie")
"""Bridges for which U-Boot writes `msi-map` and `iommu-map` (drivers/pci/pcie_layerscape_fixup.c)."""


def filled_by_loader(facts: Facts) -> frozenset[str]:
    """The names of the enabled bridges whose maps a boot loader is known to write."""
    everywhere = has_placeholders(facts)
    return frozenset(
        facts.name_of(bridge.path)
        for bridge in enabled_bridges(facts)
        if everywhere or any(LOADER_FILLS.fullmatch(each) for each in bridge.compatible)
    )


def dt_claims(facts: Facts, kind: Kind) -> Iterator[Claim]:
    """What the enabled bridges of the device tree claim at IOMMUs, or at MSI controllers."""
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        map = bridge.iommu_map if kind == "iommu" else bridge.msi_map
        runs = () if map is None else runs_of(bridge, map)
        if map is None and kind == "msi" and bridge.buses is not None:
            parents = [each for each in bridge.msi_parent if each.target is not None]
            runs = tuple(identity(bridge.buses, each.target, each.place) for each in parents[:1])
        for run in possible(bridge, runs):
            unit = facts.dt_controllers.get(str(run.target))
            if unit is not None and run.target is not None:
                low, high = run.ids
                yield Claim(name, unit.kind, unit.path, unit.path, low, high, run.at)


def acpi_claims(facts: Facts, kind: Kind) -> Iterator[Claim]:
    """What the bridges of AML claim by IORT."""
    iort = facts.tables.iort
    if iort is None or not takes_iort(facts):
        return
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        node = None if segment is None else root_complex(iort, segment)
        if node is None or buses is None:
            continue
        wanted = SMMU_TYPES if kind == "iommu" else ITS_TYPES
        for run in iort_runs(iort, node, buses, wanted) or ():
            unit = iort.at(run.target) if isinstance(run.target, int) else None
            if unit is not None:
                low, high = run.ids
                yield Claim(facts.name_of(bridge.path), *_unit(unit), low, high, run.at)


def _unit(node: IortNode) -> tuple[str, object, str]:
    if isinstance(node.data, SmmuV3 | Smmu):
        kind = "smmu-v3" if isinstance(node.data, SmmuV3) else "smmu-v2"
        return kind, node.offset, f"the SMMU at {node.data.base:#x}"
    return "its", node.offset, f"the ITS group at IORT+{node.offset:#x}"


BESIDE = 4
"""With how many other bridges' claims one is compared."""


def shared(claims: Iterable[Claim], kind: str) -> Iterator[tuple[Claim, Claim, int, int]]:
    """Pairs of claims of two bridges at one unit with ids in common, one pair for two bridges. Each claim is
    held against those that reach farthest, so none that shares an id stays unnamed; of very many bridges with
    the same ids not every pair is named."""
    seen: set[tuple[object, str, str]] = set()
    farthest: dict[object, list[Claim]] = {}
    for claim in sorted((each for each in claims if each.kind == kind), key=lambda each: each.first):
        before = farthest.setdefault(claim.unit, [])
        for each in before:
            pair = (claim.unit, min(each.bridge, claim.bridge), max(each.bridge, claim.bridge))
            if each.last < claim.first or each.bridge == claim.bridge or pair in seen:
                continue
            seen.add(pair)
            yield each, claim, claim.first, min(each.last, claim.last)
        own = [each for each in before if each.bridge == claim.bridge and each.last > claim.last] or [claim]
        others = [each for each in before if each.bridge != claim.bridge]
        farthest[claim.unit] = sorted((*others, *own), key=lambda each: -each.last)[:BESIDE]
