"""mcfg-buses-reversed

What it finds: an MCFG entry whose start bus is behind its end bus.
Why it matters: it holds no bus: the bridge that it was meant for has no ECAM.
Example: start 0x40, end 0x3f.
What to do: write the smaller bus first.
Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup; Xen
xen/arch/x86/x86_64/mmconfig_64.c, get_virt.
Sources that prove it: MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    entries,
    field,
    owners_of,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0735",
    name="mcfg-buses-reversed",
    level=Level.ERROR,
    covers=(
        "LNX-15",
        "XP-12",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry without a bus."""
    for entry in entries(facts):
        if entry.start_bus > entry.end_bus:
            yield RULE.finding(
                field(entry, "end_bus"),
                f"an MCFG entry of segment {entry.segment} ends at bus {entry.end_bus:#04x}, "
                f"before its start {entry.start_bus:#04x}",
                related=[(field(entry, "start_bus"), "its start")],
                help="write the first bus as the start",
                about=owners_of(facts, entry),
            )
