"""segment-on-some-bridges

What it finds: enabled host bridges of which some have `linux,pci-domain` and some have not. In a tree that
was not compiled from a description it is a warning: newer kernels take it, and nothing shows for which kernel
the tree was made.
Why it matters: kernels before 6.2 refuse the odd ones, today's Arm port of Xen stops (BUG), and newer kernels
give the others whatever number is free when they are probed.
Example: two bridges, one with `segment: 1`, one without.
What to do: give every bridge a segment, or none.
Source: Linux drivers/pci/pci.c, of_pci_bus_find_domain_nr; Xen xen/arch/arm/pci/pci-host-common.c,
pci_bus_find_domain_nr.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.disjoint import segment_apart
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0201",
    name="segment-on-some-bridges",
    level=Level.ERROR,
    needs="artifacts",
    only="numbered-here",
    covers=("LNX-01", "XP-01", "XP-02"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for each bridge without a number beside those that have one."""
    bridges, port = tuple(enabled_bridges(facts)), xen_probes(facts)
    numbered = [bridge for bridge in bridges if bridge.domain is not None]
    if not numbered:
        return
    for bridge in bridges:
        if "linux,pci-domain" not in bridge.node.properties:
            name = name_of(facts, bridge.path)
            apart = segment_apart(facts, name, "dt")
            yield RULE.finding(
                bridge.place(),
                f"'{name}' has no linux,pci-domain, and other host bridges have one",
                related=[
                    (
                        numbered[0].place("linux,pci-domain", 0),
                        f"'{name_of(facts, numbered[0].path)}' has number {numbered[0].domain}",
                    )
                ],
                level=Level.WARNING if facts.described is None else Level.ERROR,
                notes=["Xen stops over it while it boots, or while it builds Dom0"] if port else (),
                help="give every host bridge a segment, or none"
                + ("" if apart is None else f": {apart[0]} is free"),
                rewrite=None if apart is None else apart[1],
                subject=name,
            )
