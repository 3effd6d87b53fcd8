"""mcfg-narrower

What it finds: a host bridge whose `_CRS` has buses that its MCFG entry does not have.
Why it matters: Linux on arm64 takes only an entry that holds the whole range: the bridge does not come up. On
x86 the buses beyond have no extended configuration space: a warning.
Example: `_CRS` 0x20-0xff, MCFG 0-0x3f.
What to do: let the entry hold all buses of `_CRS`, or cut `_CRS`.
Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and arch/x86/pci/mmconfig-shared.c,
pci_mmconfig_insert.
Sources that prove it: MCFG with AML; what AML computes from memory is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    bridges,
    entry_at,
    entry_for,
    field,
)
from rootplex.checks.causes import MCFG_UNUSABLE
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import name_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0721",
    name="mcfg-narrower",
    level=Level.ERROR,
    requires=(*MCFG_UNUSABLE, "RPX0756", "RPX0803"),
    covers=(
        "LNX-09",
        "LNX-30",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that reaches beyond its entry."""
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        if segment is None or buses is None or bridge.cba.state != "absent":
            continue
        entry = entry_at(facts, segment, buses.first)
        if entry is None or entry_for(facts, segment, buses.first, buses.last) is not None:
            continue
        every = range(buses.first, buses.last + 1)
        if facts.arch == "x86_64" and all(entry_at(facts, segment, bus) for bus in every):
            continue
        name = name_of(facts, bridge.path)
        yield RULE.finding(
            bridge.buses_at,
            f"{name} has buses {buses}, its MCFG entry {entry.start_bus:#04x}-{entry.end_bus:#04x}",
            level=Level.WARNING if facts.arch == "x86_64" else Level.ERROR,
            related=[(field(entry, "end_bus"), "the entry ends here")],
            help="let the MCFG entry hold all buses of _CRS, or cut _CRS",
            subject=name,
            rests_on=(name, "MCFG"),
        )
