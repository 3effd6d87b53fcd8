"""mcfg-entries-overlap

What it finds: two MCFG entries of one segment that share buses.
Why it matters: which entry holds for the shared buses depends on who reads: Linux on arm64 and Xen take the
first of the table; Linux on x86 the one with the lower first bus, and of two that begin with one bus the
later.
Example: buses 0-0x3f and 0x20-0x7f, both segment 0.
What to do: give every (segment, bus) one entry.
Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and arch/x86/pci/mmconfig-shared.c, list_add_sorted
and pci_mmconfig_lookup; Xen xen/arch/x86/x86_64/mmconfig_64.c, get_virt.
Sources that prove it: MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    entries,
    field,
    owners_of,
    shown,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0714",
    name="mcfg-entries-overlap",
    level=Level.ERROR,
    requires=(
        "RPX0202",
        "RPX0733",
    ),
    covers=(
        "LNX-34",
        "XP-48",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each later entry that shares buses with an earlier one, with the first such."""
    owners: dict[tuple[int, int], McfgEntry] = {}
    for other in entries(facts):
        buses = [(other.segment, bus) for bus in range(other.start_bus, other.end_bus + 1)]
        earlier = [owners[bus] for bus in buses if bus in owners]
        for bus in buses:
            owners.setdefault(bus, other)
        if not earlier:
            continue
        first = min(earlier, key=lambda each: each.index)
        low, high = max(first.start_bus, other.start_bus), min(first.end_bus, other.end_bus)
        yield RULE.finding(
            field(other, "start_bus"),
            f"MCFG has buses {low:#04x}-{high:#04x} of segment {other.segment} twice",
            related=[(field(first, "start_bus"), shown(first))],
            notes=(f"this entry: {shown(other)}",),
            help="give every segment and bus one entry",
            about=("MCFG", *owners_of(facts, first, other)),
        )
