"""iommu-map-missing

What it finds: with today's Arm port of Xen and the IOMMU on, a bridge that Xen drives without `iommu-map`.
Why it matters: Xen answers -ENODEV to every device of the bridge: none can be given to a guest.
Example: a bridge without `iommu`, `discovery: xen`.
What to do: give the bridge an `iommu` key, or set `xen.iommu: false`.
Source: Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of, xen_bridges
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0404",
    name="iommu-map-missing",
    level=Level.ERROR,
    needs="artifacts",
    only="xen-probes",
    covers=("XP-29",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose devices Xen will refuse."""
    if not facts.platform.xen.iommu or not facts.platform.iommus:
        return
    for bridge, _ in xen_bridges(facts):
        if bridge.iommu_map is None:
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.place(),
                f"{name} has no iommu-map, and Xen's IOMMU is on",
                notes=("Xen answers -ENODEV to each of its devices",),
                help="give the bridge an 'iommu' key, or set 'xen.iommu: false'",
                subject=name,
                about=(name, map_of(name, "iommu-map")),
                rests_on=(map_of(name, "iommu-map"),),
            )
