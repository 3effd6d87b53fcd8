"""mcfg-base-zero

What it finds: an MCFG entry with base 0.
Why it matters: Linux on arm64 takes it for no entry; Linux on x86 drops the whole table; Xen does the same
where it is the first entry.
Example: an entry that nobody filled in.
What to do: write the address, or leave the entry out.
Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and arch/x86/pci/mmconfig-shared.c,
pci_mmconfig_alloc; Xen xen/arch/x86/x86_64/mmconfig-shared.c, acpi_mmcfg_init.
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
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0717",
    name="mcfg-base-zero",
    level=Level.ERROR,
    covers=(
        "LNX-30",
        "XP-43",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry without an address."""
    for entry in entries(facts):
        if entry.base == 0:
            yield RULE.finding(
                field(entry, "base"),
                f"MCFG has base 0 for {shown(entry).partition(' at ')[0]}",
                help="write the address of bus 0, or leave the entry out",
                about=owners_of(facts, entry),
            )
