"""streams-folded

What it finds: an `iommu-map` with which two RIDs of a bridge's bus range have one StreamID at an SMMUv3, by
its mask or by entries that overlap on the output side.
Why it matters: today's Arm port of Xen gives a stream to one function only; the report of a second function
with the same stream is a BUG, and the machine is down.
Example: `discovery: xen` with `iommu: {unit: smmu, mask: 0xff}` on a bridge of several buses.
What to do: map every RID to a stream of its own.
Source: Xen xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_write_strtab_ent (the BUG).
Sources that prove it: device tree; only where the description asks for `discovery: xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of, xen_bridges
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.ridmap import RidMapEntry
from rootplex.simulator.xen.drivers import iommu_driver
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0612",
    name="streams-folded",
    level=Level.WARNING,
    needs="artifacts",
    only="xen-probes",
    requires=("RPX0608", "RPX0609"),
    covers=("XP-33",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges whose map is not one to one."""
    if not facts.platform.xen.iommu:
        return
    for bridge, _ in xen_bridges(facts):
        map = bridge.iommu_map
        if map is None:
            continue
        entries = [entry for entry in map.entries if _is_exclusive(facts, entry)]
        name = name_of(facts, bridge.path)
        lost = varying(bridge) & ~map.mask
        if entries and lost:
            yield RULE.finding(
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
                yield RULE.finding(
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
