"""map-base-outside-mask

What it finds: an entry of `iommu-map` or `msi-map` whose first RID has bits that the map's mask takes away.
Why it matters: no RID can match it, and the kernel and Xen give up at that entry (-EFAULT): the ones behind
it count for nothing either.
Example: `iommu: {unit: smmu, mask: 0xff, map: [{rid: 0x100, id: 0, count: 1}]}`.
What to do: take the bits out of the RID, or into the mask.
Source: Linux drivers/of/base.c, of_map_id; Xen xen/common/device-tree/device-tree.c, dt_map_id.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0609",
    name="map-base-outside-mask",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-21", "XP-31"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """The first such entry of each map."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        for map in (bridge.iommu_map, bridge.msi_map):
            entries = () if map is None else map.entries
            entry = next((each for each in entries if map and each.rid_base & ~map.mask), None)
            if map is None or entry is None:
                continue
            mask_at = DtPlace(map.place.file, map.node, f"{map.property}-mask")
            yield RULE.finding(
                entry.place,
                f"{map.property} of '{name}' starts an entry at RID {entry.rid_base:#x}, "
                f"which the mask {map.mask:#x} cuts",
                related=[(mask_at, "the mask is here")],
                notes=["this entry and all behind it count for nothing"],
                help="take the bits out of the RID, or into the mask",
                subject=name,
                about=(name, map_of(name, map.property)),
            )
