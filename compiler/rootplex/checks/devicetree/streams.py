"""Maps whose StreamIDs their unit cannot take, or takes for one."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, xen_bridges
from rootplex.checks.causes import map_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.model.bridge import HostBridge, IommuMap
from rootplex.model.platform import Platform
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.ridmap import RidMapEntry
from rootplex.simulator.groups.timing import timing
from rootplex.simulator.xen.drivers import iommu_driver
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

ERANGE = -34


@check("RPX0613", Level.ERROR, covers=("XP-34",))
def stream_beyond_table(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of a bridge's `iommu` map with StreamIDs that its SMMU has no table entries
    for. Where the author wrote the map it is an error; the identity map that is made without one is a
    warning.
    Why it matters: Linux up to 6.12 and Xen refuse such a device (-ERANGE): it is not translated, and cannot
    be given to a guest. Linux 7.2 gives up the whole SMMU, and nothing behind it has a group.
    Example: `iommu: {unit: smmu, map: [{rid: 0, id: 0x10000, count: 256}]}` at a unit of `stream_id_bits:
    16`.
    What to do: map to streams that the unit has, or correct `stream_id_bits`.
    Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master; Xen
    xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_add_device.
    Sources that prove it: a description, which knows the SMMU's width; no firmware table says it.
    """
    # Only entries within the buses of an enabled bridge.
    if facts.described is None:
        return
    for bridge, ids in _enabled_maps(facts.described):
        for entry in ids.entries:
            bits = getattr(facts.described.controller(entry.target), "stream_id_bits", None)
            rid = min(entry.rid + entry.count - 1, bridge.bus_range.last << 8 | 0xFF)
            last = entry.id + rid - entry.rid
            if bits is None or rid < entry.rid or last >> bits == 0:
                continue
            yield stream_beyond_table.rule.finding(
                entry.at("id"),
                f"'{bridge.name}' maps RIDs to streams up to {last:#x}, '{entry.target}' has {bits} bits",
                level=Level.ERROR if ids.wrote("map") else Level.WARNING,
                notes=[f"its streams end at {(1 << bits) - 1:#x}", *_consequence(facts, entry.target)],
                help="map to streams that the unit has",
                subject=bridge.name,
                about=_hurt(facts, facts.described, bridge, entry.target),
                rests_on=(map_of(bridge.name, "iommu-map"),),
            )


def _enabled_maps(platform: Platform) -> Iterator[tuple[HostBridge, IommuMap]]:
    """Every map of an enabled bridge, by whichever firmware."""
    for bridge in platform.host_bridges:
        if bridge.enabled:
            yield from ((bridge, ids) for ids in bridge.iommu_maps)


def _gives_up(facts: Facts) -> bool:
    """Whether the kernel gives up the whole unit for one such function."""
    return facts.settings is not None and timing(facts.settings).order == "registration"


def _hurt(facts: Facts, platform: Platform, bridge: HostBridge, unit: str) -> Iterator[str]:
    """The bridges without streams then, and their maps."""
    for each in platform.host_bridges:
        targets = {entry.target for ids in each.iommu_maps for entry in ids.entries}
        if each is bridge or (_gives_up(facts) and unit in targets):
            yield from (each.name, map_of(each.name, "iommu-map"))


def _consequence(facts: Facts, unit: str) -> Iterator[str]:
    """What the kernel does with a function that has such a stream."""
    if facts.settings is None:
        return
    kernel = facts.settings.kernel
    if _gives_up(facts):
        yield f"for one such function {kernel} gives up '{unit}' ({ERANGE}): nothing behind it has a group"
    else:
        yield f"{kernel} leaves such a function without a group ({ERANGE})"


@check("RPX0612", Level.WARNING, only="xen-probes", requires=("RPX0608", "RPX0609"), covers=("XP-33",))
def streams_folded(facts: Facts) -> Iterator[Finding]:
    """What it finds: an `iommu-map` with which two RIDs of a bridge's bus range have one StreamID at an
    SMMUv3, by its mask or by entries that overlap on the output side.
    Why it matters: today's Arm port of Xen gives a stream to one function only; the report of a second
    function with the same stream is a BUG, and the machine is down.
    Example: `discovery: xen` with `iommu: {unit: smmu, mask: 0xff}` on a bridge of several buses.
    What to do: map every RID to a stream of its own.
    Source: Xen xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_write_strtab_ent (the BUG).
    Sources that prove it: device tree; only where the description asks for `discovery: xen`.
    """
    if not facts.platform.xen.iommu:
        return
    for bridge, _ in xen_bridges(facts):
        map = bridge.iommu_map
        if map is None:
            continue
        entries = [entry for entry in map.entries if _is_exclusive(facts, entry)]
        name = facts.name_of(bridge.path)
        lost = varying(bridge) & ~map.mask
        if entries and lost:
            yield streams_folded.rule.finding(
                DtPlace(map.place.file, map.node, "iommu-map-mask"),
                f"the mask of iommu-map of '{name}' gives several RIDs one stream",
                notes=[f"it takes the bits {lost:#x} away", "Xen stops at the second function of a stream"],
                help="map every RID to a stream of its own",
                subject=name,
                about=(name, map_of(name, "iommu-map")),
                rests_on=(map_of(name, "iommu-map"),),
            )
        for index, entry in enumerate(entries):
            other = next((each for each in entries[:index] if _overlap(entry, each)), None)
            if other is not None:
                yield streams_folded.rule.finding(
                    entry.place,
                    f"iommu-map of '{name}' gives streams from {entry.out_base:#x} twice",
                    related=[(other.place, "the other entry is here")],
                    notes=["Xen stops at the second function of a stream"],
                    help="map every RID to a stream of its own",
                    subject=name,
                    about=(name, map_of(name, "iommu-map")),
                    rests_on=(map_of(name, "iommu-map"),),
                )


def _is_exclusive(facts: Facts, entry: RidMapEntry) -> bool:
    node = None if facts.dt is None else facts.dt.tree.by_path.get(entry.target or "")
    driver = None if node is None else iommu_driver(node)
    return driver is not None and driver.exclusive


def varying(bridge: DtHostBridge) -> int:
    """The RID bits in which functions of the bridge's buses can differ."""
    buses = bridge.buses or ALL_BUSES
    return ((1 << (buses.first ^ buses.last).bit_length()) - 1) << 8 | 0xFF


def _overlap(entry: RidMapEntry, other: RidMapEntry) -> bool:
    apart = entry.rid_base + entry.length <= other.rid_base or other.rid_base + other.length <= entry.rid_base
    outputs = (
        entry.out_base < other.out_base + other.length and other.out_base < entry.out_base + entry.length
    )
    return entry.target == other.target and apart and outputs


@check(
    "RPX0634",
    Level.WARNING,
    only="undescribed",
    requires=("RPX0601", "RPX0608", "RPX0609", "RPX0610", "RPX0612", "RPX0619", "RPX0633"),
)
def streams_folded_in_tree(facts: Facts) -> Iterator[Finding]:
    """What it finds: in a given tree an `iommu-map-mask` that takes bits away in which functions of the
    bridge differ, so that several have one stream, at an IOMMU that is on. At an SMMUv3 a warning, else a
    note.
    Why it matters: functions with one stream are in one group, whatever isolates them; with the mask 0 all
    that are below the bridge. The driver of an SMMUv3 refuses the second function of a stream: it has no
    IOMMU.
    Example: `iommu-map-mask = <0>`.
    What to do: leave the mask out, where the hardware tells functions apart.
    Source: devicetree binding pci/pci-iommu.txt; Linux drivers/of/base.c, of_map_id;
    drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master. Sources that prove it: device tree; a
    description's own functions are compared one by one.
    """
    kinds = {path: each.kind for path, each in facts.dt_controllers.items() if each.enabled}
    for bridge in enabled_bridges(facts):
        map = bridge.iommu_map
        targets = (
            {} if map is None else {entry.target: entry for entry in map.entries if entry.target in kinds}
        )
        if map is None or not targets or not (lost := varying(bridge) & ~map.mask):
            continue
        exclusive = any(kinds[target] == "smmu-v3" for target in targets if target is not None)
        every = lost == varying(bridge)
        name = facts.name_of(bridge.path)
        notes = ["its driver refuses the second function of a stream"] if exclusive else []
        yield streams_folded_in_tree.rule.finding(
            DtPlace(map.place.file, map.node, "iommu-map-mask"),
            f"iommu-map-mask of '{name}' gives {'all functions' if every else 'several requester ids'} one "
            "stream",
            level=Level.WARNING if exclusive else Level.NOTE,
            related=[(next(iter(targets.values())).place, "the map is here")],
            notes=[f"it takes the bits {lost:#x} away", *notes],
            help="leave the mask out, where the hardware tells functions apart" if exclusive else None,
            subject=name,
            about=(name, map_of(name, "iommu-map")),
            rests_on=(map_of(name, "iommu-map"),),
        )


@check("RPX0611", Level.ERROR, only="xen-probes", requires=("RPX0610",), covers=("XP-32", "XP-35"))
def xen_iommu_target(facts: Facts) -> Iterator[Finding]:
    """What it finds: an `iommu-map` that names an IOMMU which today's Arm port of Xen has no driver for (an
    error), or IOMMUs of which Xen drives only some (a warning).
    Why it matters: devices whose IOMMU Xen does not drive are refused (-ENODEV). The first entry alone
    decides whether Dom0 sees the map: it may see half of the bindings.
    Example: `discovery: xen` with a vendor's `dt-node` in `iommu: {unit: ...}`.
    What to do: name SMMUs that Xen drives, in every entry.
    Source: Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids, and
    xen/arch/arm/domain_build.c, write_properties.
    Sources that prove it: device tree; only where the description asks for `discovery: xen`.
    """
    # One finding a bridge.
    if facts.dt is None or not facts.platform.xen.iommu:
        return
    for bridge, _ in xen_bridges(facts):
        entries = () if bridge.iommu_map is None else bridge.iommu_map.entries
        nodes = [(each, facts.dt.tree.by_path[each.target]) for each in entries if each.target is not None]
        driven = [iommu_driver(node) is not None for _, node in nodes]
        if all(driven):
            continue
        entry = nodes[driven.index(False)][0]
        name = facts.name_of(bridge.path)
        yield xen_iommu_target.rule.finding(
            entry.place,
            f"iommu-map of '{name}' names {entry.target}, which Xen does not drive",
            level=Level.WARNING if any(driven) else Level.ERROR,
            notes=["other entries name IOMMUs that it drives"] if any(driven) else (),
            help="name SMMUs that Xen drives",
            subject=name,
            about=(name, map_of(name, "iommu-map")),
            rests_on=(map_of(name, "iommu-map"),),
        )
