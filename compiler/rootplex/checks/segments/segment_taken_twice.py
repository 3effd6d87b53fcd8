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

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import buses_of, dt_bridges, name_of
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0202",
    name="segment-taken-twice",
    level=Level.ERROR,
    covers=("LNX-02", "XP-05", "XP-06"),
)

WIDTH = 0xFFFF


def check(facts: Facts) -> Iterator[Finding]:
    """Each later bridge with a number that an earlier one has."""
    holders: dict[int, list[DtHostBridge]] = {}
    for bridge in dt_bridges(facts):
        if bridge.domain is None:
            continue
        number = bridge.domain & WIDTH
        for other in holders.get(number, [])[:1]:
            yield _finding(facts, number, bridge, other)
        # those that are on come first: the worse fault is told
        holders.setdefault(number, []).insert(0 if _is_on(bridge) else len(holders[number]), bridge)


def _is_on(bridge: DtHostBridge) -> bool:
    return bridge.enabled and bridge.ancestors_enabled


def _finding(facts: Facts, number: int, bridge: DtHostBridge, other: DtHostBridge) -> Finding:
    name, other_name = name_of(facts, bridge.path), name_of(facts, other.path)
    on = (_is_on(bridge), _is_on(other))
    level = Level.ERROR if all(on) else Level.WARNING if any(on) else Level.NOTE
    notes = []
    if not all(on):
        off = other_name if on[0] else name
        notes.append(f"{off} is disabled" if any(on) else "both are disabled")
    first, last = buses_of(bridge)
    low, high = buses_of(other)
    if first <= high and low <= last:
        notes.append(f"both have buses {max(first, low):#x}-{min(last, high):#x}")
    elif all(on):
        notes.append("their buses are disjoint; Linux refuses the second one all the same")
    return RULE.finding(
        bridge.place("linux,pci-domain", 0),
        f"'{name}' and '{other_name}' are both segment {number}",
        level=level,
        related=[(other.place("linux,pci-domain", 0), f"'{other_name}' has it, too")],
        notes=notes,
        help="give each host bridge a number of its own",
        subject=name,
        about=(name, other_name),
    )
