"""xen-segment-mix

What it finds: what stops today's Arm port of Xen over segment numbers: `linux,pci-domain` on some of the
bridges that it drives and not on others; with pci-passthrough on, a bridge without it beside driven ones that
have it, or bridges without it where Xen drives none.
Why it matters: the first is a BUG while Xen boots. The others are a panic while it builds Dom0's device tree,
as its counter hands out numbers only if it has numbered bridges itself. Disabled nodes count there, too.
Example: `discovery: xen`, an ECAM bridge with `segment: 0`, and a vendor's bridge without a segment.
What to do: give every host bridge a segment, disabled ones too.
Source: Xen xen/arch/arm/pci/pci-host-common.c, pci_bus_find_domain_nr and pci_get_new_domain_nr;
xen/arch/arm/domain_build.c, handle_linux_pci_domain.
Sources that prove it: device tree; only where the description asks for `discovery: xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of, xen_bridges
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0207",
    name="xen-segment-mix",
    level=Level.ERROR,
    needs="artifacts",
    only="xen-probes",
    requires=("RPX0201",),
    covers=("XP-01", "XP-02", "XP-03"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """At most one finding: the first thing that stops Xen."""
    driven = [bridge for bridge, _ in xen_bridges(facts)]
    given = {bridge.domain is not None for bridge in driven}
    if given == {True, False}:
        odd = next(each for each in driven if (each.domain is None) != (driven[0].domain is None))
        yield _finding(facts, odd, driven[0], "Xen stops with a BUG over", "while it boots")
        return
    if not facts.platform.xen.pci_passthrough or given == {False}:
        return
    for bridge in facts.dt_bridges:
        if bridge.device_type == "pci" and bridge.domain is None:
            other = driven[0] if driven else None
            yield _finding(facts, bridge, other, "Xen panics over", "while it builds Dom0's device tree")
            return


def _finding(facts: Facts, bridge: DtHostBridge, other: DtHostBridge | None, how: str, when: str) -> Finding:
    name = name_of(facts, bridge.path)
    has = "no linux,pci-domain" if bridge.domain is None else "a linux,pci-domain, unlike an earlier one,"
    property = None if bridge.domain is None else "linux,pci-domain"
    related = []
    if other is not None:
        related.append((other.place(), f"Xen numbers '{name_of(facts, other.path)}' first"))
    return RULE.finding(
        bridge.place(property),
        f"{how} '{name}', which has {has} {when}",
        related=related,
        notes=() if other is not None else ["Xen drives no host bridge of this platform"],
        help="give every host bridge a segment",
        subject=name,
        rests_on=(name_of(facts, each.path) for each in facts.dt_bridges),
    )
