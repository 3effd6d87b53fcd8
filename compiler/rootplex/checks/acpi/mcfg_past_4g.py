"""mcfg-past-4g

What it finds: on x86, ECAM that begins below 4 GiB and ends above the flash at its top.
Why it matters: the last buses lie on I/O APIC, local APIC and firmware flash: a configuration access there
writes to them.
Example: base 0xf8000000 for buses 0-0xff.
What to do: cut the bus range to what fits below 0xfec0_0000.
Source: Intel 64 SDM vol. 3A §11.4.1 (the local APIC's address); PCI Firmware 3.3 §4.1.2.
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
from rootplex.formats.pci import ECAM_BUS
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0719",
    name="mcfg-past-4g",
    level=Level.ERROR,
    requires=("RPX0106",),
)


FLASH, GIB_4 = 0xFF000000, 1 << 32


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry that runs into the fixed addresses below 4 GiB."""
    for entry in entries(facts):
        first = entry.base + entry.start_bus * ECAM_BUS
        end = entry.base + (entry.end_bus + 1) * ECAM_BUS
        if first < GIB_4 and end > FLASH:
            yield RULE.finding(
                field(entry, "end_bus"),
                f"ECAM of {shown(entry)} ends at {end - 1:#x}, over the firmware's flash",
                related=[(field(entry, "base"), "its base")],
                help="cut the bus range to what fits below I/O APIC, local APIC and flash",
                about=owners_of(facts, entry),
            )
