"""xen-segment-order

What it finds: host bridges to which Xen and a Linux without Xen give different automatic numbers, or a number
that Xen hands out and a bridge that it does not drive already has.
Why it matters: today's Arm port numbers the bridges that it drives first, and compares a given number with
nothing: two bridges can share one, and names change between a boot with and without Xen.
Example: `discovery: xen`, a vendor's bridge before an ECAM one, both without a segment.
What to do: give every host bridge a segment.
Source: Xen xen/arch/arm/domain_build.c, handle_linux_pci_domain; Linux drivers/pci/pci.c,
of_pci_bus_find_domain_nr.
Sources that prove it: device tree; only where the description asks for `discovery: xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of, xen_bridges
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0208",
    name="xen-segment-order",
    level=Level.ERROR,
    needs="artifacts",
    only="xen-probes",
    requires=("RPX0207",),
    covers=("XP-08", "XP-10"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Numbers that clash (errors), and one finding for numbers in another order (a warning)."""
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
            name, other = name_of(facts, bridge.path), name_of(facts, holder)
            yield RULE.finding(
                bridge.place("linux,pci-domain", 0),
                f"'{name}' has the segment {bridge.domain} that Xen gives to '{other}'",
                related=[(_place(driven, waiting, holder), f"'{other}' has none of its own")],
                help="give every host bridge a segment",
                subject=name,
            )
    natural = [bridge for bridge in enabled_bridges(facts) if bridge.domain is None]
    for number, bridge in enumerate(natural):
        if numbers.get(bridge.path, number) != number:
            name = name_of(facts, bridge.path)
            yield RULE.finding(
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
