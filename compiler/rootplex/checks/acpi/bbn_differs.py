"""bbn-differs

What it finds: a `_BBN` that is not the first bus of `_CRS`.
Why it matters: Linux goes by `_CRS`; others, and AML that reads configuration space before `_CRS` is known,
go by `_BBN`.
Example: `_BBN` 0x80 beside a `_CRS` from bus 0x20.
What to do: let both say the same.
Source: ACPI 6.5 §6.5.5; Linux drivers/acpi/pci_root.c, acpi_pci_root_add.
Sources that prove it: AML, where the value does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0712",
    name="bbn-differs",
    level=Level.WARNING,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose two first buses differ."""
    for bridge in bridges(facts):
        buses, first = bridge.buses, bridge.bbn.known
        if buses is None or first is None or first == buses.first:
            continue
        name = name_of(facts, bridge.path)
        yield RULE.finding(
            bridge.bbn.place,
            f"_BBN of {name} is {first:#04x}, its _CRS begins at bus {buses.first:#04x}",
            related=[(bridge.buses_at, "the bus range of _CRS")],
            help="let _BBN be the first bus of _CRS",
            subject=name,
        )
