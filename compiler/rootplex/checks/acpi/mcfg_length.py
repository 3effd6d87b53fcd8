"""mcfg-length

What it finds: an MCFG whose length is not 44 + 16 n, or which has no entry (a note with every bridge off).
Why it matters: what is left after the last whole entry is ignored without a word; with no entry there is no
ECAM.
Example: a table of 50 bytes.
What to do: make the length that of the header and whole entries.
Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_parse, and
arch/x86/pci/mmconfig-shared.c, pci_parse_mcfg; Xen xen/arch/x86/x86_64/acpi_mmcfg.c, acpi_parse_mcfg.
Sources that prove it: MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    mcfg_of,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0713",
    name="mcfg-length",
    level=Level.ERROR,
    requires=("RPX0757",),
    covers=(
        "LNX-34",
        "XP-45",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """What is wrong with the size of the table."""
    mcfg = mcfg_of(facts)
    if mcfg is None:
        return
    table = mcfg.table
    if not mcfg.entries:
        text = f"MCFG has {table.length} bytes and no entry"
    elif mcfg.remainder:
        text = f"MCFG has {mcfg.remainder} bytes after its last whole entry"
    else:
        return
    every = () if facts.acpi is None else facts.acpi.namespace.bridges
    off = all(bridge.is_on is False for bridge in every)
    yield RULE.finding(
        table.place(4, 4),
        text,
        level=Level.NOTE if off and not mcfg.entries else None,
        notes=(f"44 + 16 n bytes are n entries; this is 44 + {table.length - 44}",),
        help="make the table's length that of its entries",
        about=("MCFG", *(each.name for each in facts.bridges)),
    )
