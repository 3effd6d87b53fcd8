"""xen-iommu-target

What it finds: an `iommu-map` that names an IOMMU which today's Arm port of Xen has no driver for (an error),
or IOMMUs of which Xen drives only some (a warning).
Why it matters: devices whose IOMMU Xen does not drive are refused (-ENODEV). The first entry alone decides
whether Dom0 sees the map: it may see half of the bindings.
Example: `discovery: xen` with a vendor's `dt-node` in `iommu: {unit: ...}`.
What to do: name SMMUs that Xen drives, in every entry.
Source: Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids, and
xen/arch/arm/domain_build.c, write_properties.
Sources that prove it: device tree; only where the description asks for `discovery: xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of, xen_bridges
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.simulator.xen.drivers import iommu_driver
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0611",
    name="xen-iommu-target",
    level=Level.ERROR,
    needs="artifacts",
    only="xen-probes",
    requires=("RPX0610",),
    covers=("XP-32", "XP-35"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a bridge."""
    if facts.dt is None or not facts.platform.xen.iommu:
        return
    for bridge, _ in xen_bridges(facts):
        entries = () if bridge.iommu_map is None else bridge.iommu_map.entries
        nodes = [(each, facts.dt.tree.by_path[each.target]) for each in entries if each.target is not None]
        driven = [iommu_driver(node) is not None for _, node in nodes]
        if all(driven):
            continue
        entry = nodes[driven.index(False)][0]
        name = name_of(facts, bridge.path)
        yield RULE.finding(
            entry.place,
            f"iommu-map of '{name}' names {entry.target}, which Xen does not drive",
            level=Level.WARNING if any(driven) else Level.ERROR,
            notes=["other entries name IOMMUs that it drives"] if any(driven) else (),
            help="name SMMUs that Xen drives",
            subject=name,
            about=(name, map_of(name, "iommu-map")),
            rests_on=(map_of(name, "iommu-map"),),
        )
