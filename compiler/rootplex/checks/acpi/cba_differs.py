"""cba-differs

What it finds: a `_CBA` that is not the base of the bridge's MCFG entry.
Why it matters: before AML runs the one holds, after it the other: two places for one configuration space.
Example: `_CBA` 0x4010000000 beside MCFG's 0x4020000000.
What to do: let both be the address of bus 0.
Source: PCI Firmware 3.3 §4.1.3; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup.
Sources that prove it: MCFG with AML; what AML computes from memory is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    bridges,
    entry_at,
    field,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import name_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0727",
    name="cba-differs",
    level=Level.ERROR,
    requires=("RPX0802",),
    covers=("LNX-08",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge with two bases."""
    for bridge in bridges(facts):
        base, segment, buses = bridge.cba.known, bridge.segment, bridge.buses
        if not base or segment is None or buses is None:
            continue
        entry = entry_at(facts, segment, buses.first)
        if entry is not None and entry.base != base:
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.cba.place,
                f"_CBA of {name} is {base:#x}, its MCFG entry has {entry.base:#x}",
                related=[(field(entry, "base"), "the entry's base")],
                notes=("both are the address of bus 0",),
                help="let both say the same",
                subject=name,
            )
