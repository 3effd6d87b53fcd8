"""not-driven-by-xen

What it finds: an enabled host bridge that today's Arm port of Xen has no driver for.
Why it matters: Dom0 may drive it, but with the IOMMU on Xen refuses each of its devices (-ENODEV), and
nothing on it can be given to a guest.
Example: `discovery: xen` with `compatible: pci-host-cam-generic`.
What to do: use a bridge that is plain ECAM, or keep its devices in Dom0 and the IOMMU away from it.
Source: Xen xen/arch/arm/pci/pci-host-generic.c, pci-host-zynqmp.c, pci-host-rcar4.c: these are its drivers.
Sources that prove it: device tree; only where the description asks for `discovery: xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.simulator.xen.drivers import bridge_driver
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0605",
    name="not-driven-by-xen",
    level=Level.ERROR,
    needs="artifacts",
    only="xen-probes",
    covers=("XP-26",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges of other compatible strings than Xen's drivers have."""
    translated = facts.platform.xen.iommu and bool(facts.platform.iommus)
    for bridge in enabled_bridges(facts):
        if bridge_driver(bridge.node) is None:
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.place("compatible"),
                f"Xen has no driver for '{name}'",
                level=Level.ERROR if translated else Level.WARNING,
                notes=[f"its compatible is {', '.join(bridge.compatible) or 'absent'}"]
                + (["each of its devices is refused (-ENODEV)"] if translated else []),
                help="use a bridge that is plain ECAM, or keep its devices in Dom0 with Xen's IOMMU off",
                subject=name,
                about=(name, map_of(name, "iommu-map")),
            )
