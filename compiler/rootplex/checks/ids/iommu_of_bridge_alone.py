"""iommu-of-bridge-alone

What it finds: an enabled host bridge without `iommu-map` that has `iommus`, or below a bus that has the map.
Why it matters: `iommus` is for DMA of the bridge's own, and no map is inherited: the functions behind it are
not translated, are in no group, and cannot be given to a guest.
Example: `iommus = <&smmu 0x100>;` in the bridge's node.
What to do: write `iommu-map` into the bridge's node.
Source: Linux drivers/iommu/of_iommu.c, of_iommu_configure; the devicetree binding pci/pci-iommu.txt.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0410",
    name="iommu-of-bridge-alone",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0404",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each such bridge."""
    for bridge in enabled_bridges(facts):
        if bridge.iommu_map is not None or facts.dt is None:
            continue
        name = name_of(facts, bridge.path)
        above = next((each for each in bridge.node.ancestors() if "iommu-map" in each.properties), None)
        if above is not None:
            at, message = facts.dt.tree.place(above, "iommu-map"), f"the iommu-map of {above.path} "
            message += f"does not count for '{name}' below it"
        elif any(each.target is not None and each.target_enabled for each in bridge.iommus):
            at = bridge.place("iommus")
            message = f"iommus of '{name}' does not count for the functions behind it"
        else:
            continue
        yield RULE.finding(
            at,
            message,
            notes=["without an iommu-map of its own nothing behind it is translated, or in a group"],
            help="write an iommu-map into the bridge's node",
            subject=name,
            rests_on=(map_of(name, "iommu-map"),),
        )
