"""segments-differ

What it finds: a host bridge to which Xen and Dom0 give different segments.
Why it matters: a device that Dom0 reports is another one for Xen, or none at all.
Example: `discovery: xen`, `pci_passthrough: false` and bridges without `segment`, which Dom0 probes in
another order.
What to do: give every host bridge a segment.
Source: xen.md §7.2, discussed in 2017: Xen and Dom0 must agree on segment numbers; Xen
xen/arch/arm/domain_build.c, handle_linux_pci_domain.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import booted, bridge_name, bridge_place, xen_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0910",
    name="segments-differ",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0205", "RPX0901"),
    covers=("XP-07", "XP-09"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges that are up and that Xen knows by another number."""
    outcome = booted(facts)
    for root in outcome.dom0.root_bridges:
        known = xen_of(facts).segment_of(root.path)
        if not root.is_up or known is None or root.segment is None or known == root.segment:
            continue
        name = bridge_name(facts, root)
        yield RULE.finding(
            bridge_place(facts, root, "segment"),
            f"{name} is segment {known} in Xen and {root.segment} in Dom0",
            notes=["without linux,pci-domain both number by themselves, each in its own order"],
            help="give every host bridge a segment",
            subject=name,
        )
