"""map-malformed

What it finds: an `iommu-map` or `msi-map` that its reader refuses: one that is not a whole number of entries.
An entry has 4 cells in Xen and in Linux before 7.2; in 7.2 it has 3 and the target's `#iommu-cells`
(`#msi-cells`). Also a range of several RIDs whose target takes more than one output cell, and one whose ids
run past 32 bits.
Entries of 4 cells at a target of two (all of length 1, to one target) are a note: Linux takes them for ids of
one cell.
Why it matters: the map counts for nothing (-EINVAL), so no device behind the bridge is translated, or gets
MSIs; or its cells are shifted and mean other devices.
Example: `dt: {properties: {iommu-map: [0, 1, 0]}}`.
What to do: write RID, controller, id and length for every entry.
Source: Linux drivers/of/base.c, of_map_id; Xen xen/common/device-tree/device-tree.c, dt_map_id.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.formats.devicetree import MapCells
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.ridmap import RidMap, rid_map
from rootplex.source.finding import Finding, Level

LAST_ID = 0xFFFFFFFF

RULE = Rule(
    code="RPX0608",
    name="map-malformed",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-24", "XP-31"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Maps of enabled bridges that cannot be read."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        for map in (bridge.iommu_map, bridge.msi_map):
            if map is not None:
                yield from _map(name, map)
        if xen_probes(facts):
            yield from _as_xen_reads(facts, name, bridge)


def _map(name: str, map: RidMap) -> Iterator[Finding]:
    if map.invalid is not None:
        yield RULE.finding(
            map.place,
            f"{map.property} of '{name}' is malformed",
            notes=[map.invalid],
            help="write RID, controller, id and length for every entry",
            subject=name,
            about=(name, map_of(name, map.property)),
        )
        return
    for problem in map.problems:
        if problem.kind == "cells":
            yield RULE.finding(
                problem.place,
                f"{map.property} of '{name}' has entries of 4 cells at a target of more",
                level=Level.NOTE,
                notes=[
                    problem.text,
                    "Linux tolerates it (of_check_bad_map); another reader cuts entries of 5",
                ],
                help="write the specifier in as many cells as the target asks for",
                subject=name,
            )
    for entry in map.entries:
        if len(entry.output) == 1 and entry.length and entry.out_base + entry.length - 1 > LAST_ID:
            wrapped = entry.rid_base + LAST_ID + 1 - entry.out_base
            yield RULE.finding(
                entry.place,
                f"{map.property} of '{name}' has an entry whose ids run past 32 bits",
                notes=[
                    f"{entry.length:#x} ids from {entry.out_base:#x} on: RID {wrapped:#x} gets 0 again",
                    "the kernel adds without a look at the carry",
                ],
                help="let the ids begin lower, or the entry be shorter",
                subject=name,
                about=(name, map_of(name, map.property)),
            )
        if len(entry.output) > 1 and entry.length > 1:
            yield RULE.finding(
                entry.place,
                f"{map.property} of '{name}' has an entry of {entry.length} RIDs "
                f"with {len(entry.output)} output cells",
                notes=["such an entry can stand for one RID only"],
                help="write an entry of length 1 for each RID",
                subject=name,
                about=(name, map_of(name, map.property)),
            )


def _as_xen_reads(facts: Facts, name: str, bridge: DtHostBridge) -> Iterator[Finding]:
    """Xen counts four cells an entry, whatever the IOMMU says."""
    own = bridge.iommu_map
    if facts.dt is None or own is None or own.invalid is not None:
        return
    map = rid_map(facts.dt.tree, bridge.node, "iommu-map", MapCells.ONE)
    if map is not None and map.invalid is not None:
        yield RULE.finding(
            map.place,
            f"iommu-map of '{name}' cannot be read by Xen",
            notes=[map.invalid, "Xen takes four cells an entry, whatever #iommu-cells says"],
            help="lead to IOMMUs of '#iommu-cells = <1>' alone",
            subject=name,
            about=(name, map_of(name, "iommu-map")),
        )
