"""segment-by-probe-order

What it finds: several enabled host bridges, none of which has `linux,pci-domain`.
Why it matters: their numbers follow the order in which drivers come to probe them, which a missing clock,
another kernel or a module changes; device names follow, and so does which bridge Xen and Dom0 mean by a
number. With pci-passthrough off Xen numbers the bridges, too, and does not tell Dom0.
Example: two host bridges without `segment`.
What to do: give every host bridge a segment.
Source: Linux drivers/pci/pci.c, of_pci_bus_find_domain_nr; Xen xen/arch/arm/domain_build.c,
handle_linux_pci_domain.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0205",
    name="segment-by-probe-order",
    level=Level.WARNING,
    needs="artifacts",
    only="numbered-here",
    covers=("LNX-05", "XP-09"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the platform, at its first bridge."""
    bridges = tuple(enabled_bridges(facts))
    if len(bridges) < 2 or any(bridge.domain is not None for bridge in bridges):
        return
    first, *others = bridges
    name = name_of(facts, first.path)
    yield RULE.finding(
        first.place(),
        f"the segment numbers of {len(bridges)} host bridges hang on the order in which they are probed",
        related=[
            (other.place(), f"'{name_of(facts, other.path)}' has no linux,pci-domain either")
            for other in others
        ],
        help="give every host bridge a segment",
        subject=name,
        about=(name_of(facts, each.path) for each in bridges),
    )
