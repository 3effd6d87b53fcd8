"""segment-taken-twice

What it finds: two host bridges with the same `linux,pci-domain`, as the kernel cuts it (16 bits), whatever
their buses. Where one of them is disabled it is a warning: the fault comes with the overlay that enables it.
Why it matters: Linux refuses the second bridge (-ENOSPC), with disjoint buses too. Xen takes both; where
their buses overlap the earlier one answers for both.
Example: two bridges with `segment: 1`.
What to do: give each host bridge a number of its own.
Source: Linux drivers/pci/pci.c, of_pci_bus_find_domain_nr; Xen xen/arch/arm/pci/pci-host-common.c,
pci_find_host_bridge.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.causes import with_maps
from rootplex.checks.disjoint import segment_apart
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0202",
    name="segment-taken-twice",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0801",),
    covers=("LNX-02", "XP-05", "XP-06"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each later bridge with a number that an earlier one has."""
    holders: dict[int, list[DtHostBridge]] = {}
    for bridge in facts.dt_bridges:
        number = bridge.segment
        if number is None:
            continue
        for other in holders.get(number, [])[:1]:
            yield _finding(facts, number, bridge, other)
        # those that are on come first: the worse fault is told
        holders.setdefault(number, []).insert(0 if bridge.is_on else len(holders[number]), bridge)


def _finding(facts: Facts, number: int, bridge: DtHostBridge, other: DtHostBridge) -> Finding:
    name, other_name = name_of(facts, bridge.path), name_of(facts, other.path)
    on = (bridge.is_on, other.is_on)
    level = Level.ERROR if all(on) else Level.WARNING if any(on) else Level.NOTE
    notes = []
    if not all(on):
        off = other_name if on[0] else name
        notes.append(f"{off} is disabled" if any(on) else "both are disabled")
    buses = (bridge.buses or ALL_BUSES).common(other.buses or ALL_BUSES)
    if buses is not None:
        notes.append(f"both have buses {buses.first:#x}-{buses.last:#x}")
    elif all(on):
        notes.append("their buses are disjoint; Linux refuses the second one all the same")
    apart = segment_apart(facts, name, "dt")
    return RULE.finding(
        bridge.place("linux,pci-domain", 0),
        f"'{name}' and '{other_name}' are both segment {number}",
        level=level,
        related=[(other.place("linux,pci-domain", 0), f"'{other_name}' has it, too")],
        notes=notes,
        help="give each host bridge a number of its own" + ("" if apart is None else f": {apart[0]} is free"),
        rewrite=None if apart is None else apart[1],
        subject=name,
        about=with_maps(name, other_name),  # IORT has maps by segment
    )
