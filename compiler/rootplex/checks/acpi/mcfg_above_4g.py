"""mcfg-above-4g

What it finds: on x86, a base above 4 GiB in an MCFG of revision 0.
Why it matters: Linux and Xen believe such an entry only from revision 1 on (and a BIOS of 2010 or later); one
that they do not believe discards the whole table.
Example: base 0x4010000000 in a table of revision 0.
What to do: make the table's revision 1, or put ECAM below 4 GiB.
Source: Linux arch/x86/pci/mmconfig-shared.c, acpi_mcfg_valid_entry (acpi_mcfg_check_entry in 6.1); Xen
xen/arch/x86/x86_64/acpi_mmcfg.c, acpi_mcfg_check_entry.
Sources that prove it: MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    field,
    mcfg_of,
    shown,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0718",
    name="mcfg-above-4g",
    level=Level.ERROR,
    covers=(
        "LNX-35",
        "XP-46",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry that discards the table."""
    mcfg = mcfg_of(facts)
    if mcfg is None or mcfg.table.revision >= 1:
        return
    if mcfg.table.oem_id.startswith(b"SGI"):
        return
    for entry in mcfg.entries:
        if entry.base >= 0xFFFFFFFF:
            yield RULE.finding(
                field(entry, "base"),
                f"MCFG of revision 0 has {shown(entry)}, above 4 GiB",
                related=[(mcfg.table.place(8, 1), "the table's revision")],
                notes=("Linux and Xen discard the whole table",),
                help="make the table's revision 1, or put ECAM below 4 GiB",
                about=("MCFG", *(each.name for each in facts.bridges)),
            )
