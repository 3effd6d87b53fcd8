"""RID maps of both firmwares as functions over the buses that both give a bridge, and where they differ.

StreamIDs and DeviceIDs are compared alike: after masks, and through both steps of IORT. What IORT sends to no
SMMU is VIOT's; on RISC-V there is RIMT alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.checks.acpi_tables import takes_iort
from rootplex.checks.agreement._sides import (
    blamed_side,
    both,
    common_buses,
    dt_targets,
    iort_targets,
    run_text,
    unit_targets,
)
from rootplex.checks.causes import WRONG_MAP, map_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts, Joined
from rootplex.checks.ids._claims import has_placeholders
from rootplex.checks.rule import Rule
from rootplex.formats.idruns import differences
from rootplex.model.bridge import Override
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, root_complex
from rootplex.readers.buses import Buses
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.idruns import Way, dt_runs, identity, iort_runs, rimt_runs, viot_runs
from rootplex.source.finding import Finding, Level

IdTable: TypeAlias = Literal["IORT", "VIOT", "RIMT"]
TreeRuns: TypeAlias = Callable[[DtHostBridge, Buses], tuple[Way, ...] | None]


class IdMap(Struct, frozen=True, kw_only=True):
    """One kind of map: the description's `key`, what its ids are called, the kinds of controller that
    the tree's map and IORT lead to, the maps that the ids go through, and how the tree's node becomes runs
    of these buses (None: too long to follow)."""

    key: Literal["iommu", "msi"]
    id_name: Literal["StreamID", "DeviceID"]
    tree_kinds: tuple[str, ...]
    iort_types: Sequence[int]
    ways: tuple[str, ...]
    tree_runs: TreeRuns


class Difference(Struct, frozen=True):
    """The first stretch of a bridge's requesters for which the maps differ, and how many there are."""

    joined: Joined
    tree: Way
    acpi: Way
    table: IdTable
    count: int

    @property
    def units(self) -> tuple[object, object] | None:
        """The two units, where the ids agree and only the unit differs."""
        alike = self.tree.id == self.acpi.id and None not in (self.tree.target, self.acpi.target)
        return (self.tree.target, self.acpi.target) if alike else None


def _stream_runs(bridge: DtHostBridge, buses: Buses) -> tuple[Way, ...] | None:
    if bridge.iommu_map is None:
        return (identity(buses, None, bridge.place()),)
    return dt_runs(bridge.iommu_map, buses)


STREAMS = IdMap(
    key="iommu",
    id_name="StreamID",
    tree_kinds=("smmu-v2", "smmu-v3", "riscv-iommu", "iommu"),
    iort_types=SMMU_TYPES,
    ways=("iommu",),
    tree_runs=_stream_runs,
)


@check(
    "RPX0806",
    Level.ERROR,
    requires=(*WRONG_MAP, "RPX0202", "RPX0638", "RPX0764", "RPX0765", "RPX0773", "RPX0801", "RPX0803"),
    covers=("LNX-47",),
)
def streams_differ(facts: Facts) -> Iterator[Finding]:
    """What it finds: requester ids with another StreamID, or another IOMMU, by `iommu-map` than by IORT, or
    by VIOT where IORT leads to no SMMU; on RISC-V, than by RIMT.
    Why it matters: one of the two programs an id that the hardware does not send: faults, or messages that
    go astray. Both are compared as functions over the bus range, after masks and through both steps of
    IORT.
    Example: `iommu-map` adds 0x10000, the IORT mapping does not.
    What to do: write the same map.
    Source: Linux drivers/of/base.c, of_map_id, drivers/acpi/arm64/iort.c, iort_node_map_id, and
    drivers/acpi/viot.c, viot_pci_dev_iommu_init, drivers/acpi/riscv/rimt.c, rimt_node_map_id. Sources that
    prove it: device tree and ACPI of one board. A map that a boot loader fills in is not compared.
    """
    if (takes_iort(facts) or facts.arch == "riscv64") and not has_placeholders(facts):
        yield from _differing(facts, streams_differ.rule, STREAMS)


def _device_id_runs(bridge: DtHostBridge, buses: Buses) -> tuple[Way, ...] | None:
    if bridge.msi_map is not None:
        return dt_runs(bridge.msi_map, buses)
    parents = [each for each in bridge.msi_parent if each.target is not None]
    if parents:
        return (identity(buses, parents[0].target, parents[0].place),)
    return (identity(buses, None, bridge.place()),)


DEVICE_IDS = IdMap(
    key="msi",
    id_name="DeviceID",
    tree_kinds=("its",),
    iort_types=ITS_TYPES,
    ways=("msi", "iommu"),
    tree_runs=_device_id_runs,
)


@check(
    "RPX0807",
    Level.ERROR,
    requires=(*WRONG_MAP, "RPX0202", "RPX0801", "RPX0803", "RPX0806"),
    covers=("LNX-47",),
)
def device_ids_differ(facts: Facts) -> Iterator[Finding]:
    """What it finds: requester ids with another DeviceID, or another ITS, by `msi-map` than by IORT.
    Why it matters: one of the two programs an id that the hardware does not send: faults, or messages that
    go astray. Both are compared as functions over the bus range, after masks and through both steps of
    IORT.
    Example: `msi-map` adds 0x10000, the IORT mapping does not.
    What to do: write the same map.
    Source: Linux drivers/of/base.c, of_map_id, and drivers/acpi/arm64/iort.c, iort_node_map_id. Sources
    that prove it: device tree and ACPI of one board. A map that a boot loader fills in is not compared.
    """
    if takes_iort(facts):
        yield from _differing(facts, device_ids_differ.rule, DEVICE_IDS)


@check("RPX0772", Level.WARNING, requires=("RPX0720",))
def messages_by_tree_alone(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge that takes its messages itself by device tree, and whose messages go to
    nobody by ACPI.
    Why it matters: ACPI has no words for such a bridge on Arm. A kernel that boots by it finds no MSI domain,
    and every device falls back to INTx, which a PCI Express device need not have.
    Example: `msi: {controller: main}` of the bridge `main`, compiled for both firmwares.
    What to do: say under `acpi` where messages go by it, where the board has an ITS or a GICv2m frame too;
    else let ACPI be, or be content with INTx there.
    Source: Linux drivers/pci/probe.c, pci_host_bridge_msi_domain, drivers/pci/of.c,
    pci_host_bridge_of_msi_domain, and drivers/acpi/arm64/iort.c, iort_get_device_domain.
    Sources that prove it: device tree and ACPI of one board.
    """
    if not takes_iort(facts):
        return
    for joined, dt, acpi in both(facts):
        if dt.is_own_msi_controller and not _reaches_an_its(facts, dt, acpi):
            yield messages_by_tree_alone.rule.finding(
                acpi.place,
                f"messages below '{joined.name}' go to the bridge itself by device tree, "
                "and to nobody by ACPI",
                related=[(dt.place("msi-parent" if dt.msi_parent else None), "by device tree")],
                notes=["no table of ACPI says that a bridge takes messages"],
                help="say where they go by ACPI, or let the devices have INTx",
                subject=joined.name,
                about=(map_of(joined.name, "msi-map"),),
                rests_on=(joined.name, map_of(joined.name, "msi-map")),
            )


def _reaches_an_its(facts: Facts, dt: DtHostBridge, acpi: AcpiHostBridge) -> bool:
    """Whether any id of the bridge has a way to an ITS, or there is a GICv2m frame; so where it cannot be
    told."""
    iort, madt, buses = facts.tables.iort, facts.tables.madt, common_buses(dt, acpi)
    if acpi.segment is None or buses is None or (madt is not None and madt.msi_frames):
        return True
    node = None if iort is None else root_complex(iort, acpi.segment)
    if iort is None or node is None:
        return False
    runs = iort_runs(iort, node, buses, ITS_TYPES)
    return runs is None or any(run.target is not None for run in runs)


def _differing(facts: Facts, rule: Rule, map: IdMap) -> Iterator[Finding]:
    """A finding for each bridge whose maps differ; one for all that differ in one unit's address."""
    by_units: dict[object, list[Difference]] = {}
    for each in _differences(facts, map):
        by_units.setdefault(each.units or each.joined.name, []).append(each)
    for first, *others in by_units.values():
        yield _finding(facts, rule, map, first, [each.joined.name for each in others])


def _differences(facts: Facts, map: IdMap) -> Iterator[Difference]:
    by_acpi = _by_rimt if facts.arch == "riscv64" else _by_iort_or_viot
    for joined, dt, acpi in both(facts):
        common = common_buses(dt, acpi)
        if acpi.segment is None or common is None:
            continue
        ours = map.tree_runs(dt, common)
        theirs, table = by_acpi(facts, map, acpi.segment, common)
        if theirs == ():
            theirs = (identity(common, None, acpi.place),)
        if ours is None or theirs is None:
            continue
        found = list(differences(dt_targets(facts, ours, map.tree_kinds), theirs))
        if found:
            yield Difference(joined, *found[0], table, len(found))


Found: TypeAlias = tuple[tuple[Way, ...] | None, IdTable]
"""The ways of a bridge's buses, empty where no table has the bridge, and the table."""


def _by_iort_or_viot(facts: Facts, map: IdMap, segment: int, buses: Buses) -> Found:
    iort, viot = facts.tables.iort, facts.tables.viot
    node = None if iort is None else root_complex(iort, segment)
    runs: tuple[Way, ...] | None = ()
    if iort is not None and node is not None:
        runs = iort_runs(iort, node, buses, map.iort_types)
        runs = None if runs is None else iort_targets(facts, runs)
    if map.key == "iommu" and viot is not None and not any(run.target for run in runs or ()):
        runs = viot_runs(viot, segment, buses)
        return None if runs is None else unit_targets(viot.units, "virtio-iommu", runs), "VIOT"
    return runs, "IORT"


def _by_rimt(facts: Facts, map: IdMap, segment: int, buses: Buses) -> Found:
    rimt = facts.tables.rimt
    runs = () if rimt is None else rimt_runs(rimt, segment, buses)
    if rimt is not None and runs is not None:
        runs = unit_targets(rimt.units, "RISC-V IOMMU", runs)
    return runs, "RIMT"


def _said_none(facts: Facts, map: IdMap, found: Difference) -> tuple[Way, Way]:
    """The two sides; one that leads nowhere since the description says so of that firmware stands there."""
    described = facts.described_bridge(found.joined.name)
    if described is None:
        return found.tree, found.acpi
    return _at_key(found.tree, described.dt, map.key), _at_key(found.acpi, described.acpi, map.key)


def _at_key(way: Way, view: Override, key: str) -> Way:
    return replace(way, at=view.at(key)) if way.target is None and view.wrote(key) else way


def _finding(facts: Facts, rule: Rule, map: IdMap, found: Difference, others: list[str]) -> Finding:
    name, tree, acpi = found.joined.name, *_said_none(facts, map, found)
    by_tree, by_acpi = run_text(tree, map.id_name), run_text(acpi, map.id_name)
    at, related = blamed_side(
        facts,
        found.joined,
        map.key,
        (tree.at, f"by device tree {by_tree}"),
        (acpi.at, f"by {found.table} {by_acpi}"),
    )
    notes = [f"{found.count} stretches differ"] if found.count > 1 else []
    if others:
        notes.append(f"it is the same unit for {', '.join(others)}")
    return rule.finding(
        at,
        f"requesters {tree.first:#06x}-{tree.last:#06x} of {name} have {by_tree} by device tree "
        f"and {by_acpi} by {found.table}",
        related=related,
        notes=notes,
        help="write the same map",
        subject=name,
        about=(each for bridge in (name, *others) for each in (bridge, map_of(bridge, f"{map.key}-map"))),
        rests_on=(map_of(bridge, f"{key}-map") for bridge in (name, *others) for key in map.ways),
    )
