"""Segment numbers that today's Arm port of Xen cannot live with."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, xen_bridges
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0207", Level.ERROR, only="xen-probes", requires=("RPX0201",), covers=("XP-01", "XP-02", "XP-03"))
def xen_segment_mix(facts: Facts) -> Iterator[Finding]:
    """What it finds: what stops today's Arm port of Xen over segment numbers: `linux,pci-domain` on some of
    the bridges that it drives and not on others; with pci-passthrough on, a bridge without it beside driven
    ones that have it, or bridges without it where Xen drives none.
    Why it matters: the first is a BUG while Xen boots. The others are a panic while it builds Dom0's device
    tree, as its counter hands out numbers only if it has numbered bridges itself. Disabled nodes count there,
    too.
    Example: `discovery: xen`, an ECAM bridge with `segment: 0`, and a vendor's bridge without a segment.
    What to do: give every host bridge a segment, disabled ones too.
    Source: Xen xen/arch/arm/pci/pci-host-common.c, pci_bus_find_domain_nr and pci_get_new_domain_nr;
    xen/arch/arm/domain_build.c, handle_linux_pci_domain.
    Sources that prove it: device tree; only where the description asks for `discovery: xen`.
    """
    # At most one finding: the first thing that stops Xen.
    driven = [bridge for bridge, _ in xen_bridges(facts)]
    given = {bridge.domain is not None for bridge in driven}
    if given == {True, False}:
        odd = next(each for each in driven if (each.domain is None) != (driven[0].domain is None))
        yield _mixed(facts, odd, driven[0], "Xen stops with a BUG over", "while it boots")
        return
    if not facts.platform.xen.pci_passthrough or given == {False}:
        return
    for bridge in facts.dt_bridges:
        if bridge.device_type == "pci" and bridge.domain is None:
            other = driven[0] if driven else None
            yield _mixed(facts, bridge, other, "Xen panics over", "while it builds Dom0's device tree")
            return


def _mixed(facts: Facts, bridge: DtHostBridge, other: DtHostBridge | None, how: str, when: str) -> Finding:
    name = facts.name_of(bridge.path)
    property = None if bridge.domain is None else "linux,pci-domain"
    has = "a linux,pci-domain, and an earlier one has none" if property else "no linux,pci-domain"
    related = []
    if other is not None:
        related.append((other.place(), f"Xen numbers '{facts.name_of(other.path)}' first"))
    return xen_segment_mix.rule.finding(
        bridge.place(property),
        f"{how} '{name}' {when}: it has {has}",
        related=related,
        notes=() if other is not None else ["Xen drives no host bridge of this platform"],
        help="give every host bridge a segment",
        subject=name,
        rests_on=(facts.name_of(each.path) for each in facts.dt_bridges),
    )


@check("RPX0208", Level.ERROR, only="xen-probes", requires=("RPX0207",), covers=("XP-08", "XP-10"))
def xen_segment_order(facts: Facts) -> Iterator[Finding]:
    """What it finds: host bridges to which Xen and a Linux without Xen give different automatic numbers, or a
    number that Xen hands out and a bridge that it does not drive already has.
    Why it matters: today's Arm port numbers the bridges that it drives first, and compares a given number
    with nothing: two bridges can share one, and names change between a boot with and without Xen.
    Example: `discovery: xen`, a vendor's bridge before an ECAM one, both without a segment.
    What to do: give every host bridge a segment.
    Source: Xen xen/arch/arm/domain_build.c, handle_linux_pci_domain; Linux drivers/pci/pci.c,
    of_pci_bus_find_domain_nr.
    Sources that prove it: device tree; only where the description asks for `discovery: xen`.
    """
    # Numbers that clash (errors), and one finding for numbers in another order (a warning).
    driven = [bridge for bridge, _ in xen_bridges(facts)]
    if not driven or any(bridge.domain is not None for bridge in driven):
        return
    paths = {bridge.path for bridge in driven}
    others = [bridge for bridge in facts.dt_bridges if bridge.path not in paths]
    waiting = [bridge for bridge in others if bridge.device_type == "pci" and bridge.domain is None]
    numbers = {bridge.path: number for number, bridge in enumerate([*driven, *waiting])}
    by_number = {number: path for path, number in numbers.items()}
    for bridge in others:
        holder = by_number.get(bridge.domain & 0xFFFF) if bridge.domain is not None else None
        if holder is not None:
            name, other = facts.name_of(bridge.path), facts.name_of(holder)
            yield xen_segment_order.rule.finding(
                bridge.place("linux,pci-domain", 0),
                f"'{name}' has the segment {bridge.domain} that Xen gives to '{other}'",
                related=[(_place(driven, waiting, holder), f"'{other}' has none of its own")],
                help="give every host bridge a segment",
                subject=name,
            )
    natural = [bridge for bridge in enabled_bridges(facts) if bridge.domain is None]
    for number, bridge in enumerate(natural):
        if numbers.get(bridge.path, number) != number:
            name = facts.name_of(bridge.path)
            yield xen_segment_order.rule.finding(
                bridge.place(),
                f"'{name}' is segment {numbers[bridge.path]} under Xen and {number} without it",
                level=Level.WARNING,
                notes=["Xen numbers the bridges that it drives first, then the others"],
                help="give every host bridge a segment",
                subject=name,
            )
            return


def _place(driven: list[DtHostBridge], waiting: list[DtHostBridge], path: str) -> Place:
    return next(bridge.place() for bridge in (*driven, *waiting) if bridge.path == path)
