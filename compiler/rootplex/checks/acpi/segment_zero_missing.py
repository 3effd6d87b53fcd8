"""segment-zero-missing

What it finds: on x86, an MCFG without segment 0.
Why it matters: the ports 0xcf8 and 0xcfc reach segment 0 only; a PC needs it in MCFG.
Example: one bridge, `segment: 1`, on x86_64.
What to do: give the bridge with the legacy devices segment 0.
Source: PCI Firmware 3.3 §4.1.2; Linux arch/x86/pci/common.c, raw_pci_read.
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
    code="RPX0725",
    name="segment-zero-missing",
    level=Level.ERROR,
    covers=(
        "LNX-36",
        "XP-43",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """A table without the segment that the ports reach."""
    found = entries(facts)
    if found and all(entry.segment for entry in found):
        yield RULE.finding(
            field(found[0], "segment"),
            "MCFG has no entry of segment 0",
            notes=("the legacy ports reach segment 0 only",),
            help="give the bridge of the legacy devices segment 0",
            about=owners_of(facts, *found),
        )
