"""streams-folded-in-tree

What it finds: in a given tree an `iommu-map-mask` that takes bits away in which functions of the bridge
differ, so that several have one stream, at an IOMMU that is on. At an SMMUv3 a warning, else a note.
Why it matters: functions with one stream are in one group, whatever isolates them; with the mask 0 all that
are below the bridge. The driver of an SMMUv3 refuses the second function of a stream: it has no IOMMU.
Example: `iommu-map-mask = <0>`.
What to do: leave the mask out, where the hardware tells functions apart.
Source: devicetree binding pci/pci-iommu.txt; Linux drivers/of/base.c, of_map_id;
drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master. Sources that prove it: device tree; a
description's own functions are compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.devicetree.streams_folded import varying
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0634",
    name="streams-folded-in-tree",
    level=Level.WARNING,
    needs="artifacts",
    only="undescribed",
    requires=("RPX0601", "RPX0608", "RPX0609", "RPX0610", "RPX0612", "RPX0619", "RPX0633"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge with such a mask."""
    if facts.dt is None:
        return
    kinds = {each.path: each.kind for each in facts.dt.platform.controllers if each.enabled}
    for bridge in enabled_bridges(facts):
        map = bridge.iommu_map
        targets = (
            {} if map is None else {entry.target: entry for entry in map.entries if entry.target in kinds}
        )
        if map is None or not targets or not (lost := varying(bridge) & ~map.mask):
            continue
        exclusive = any(kinds[target] == "smmu-v3" for target in targets if target is not None)
        every = lost == varying(bridge)
        name = name_of(facts, bridge.path)
        notes = ["its driver refuses the second function of a stream"] if exclusive else []
        yield RULE.finding(
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
