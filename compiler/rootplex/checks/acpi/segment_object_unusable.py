"""segment-object-unusable

What it finds: a `_SEG` that does not evaluate, has more than 16 bits, or reads a region.
Why it matters: Linux drops a bridge whose `_SEG` does not evaluate, and cuts a longer number to 16 bits. One
that reads a region (a warning) may be evaluated before that region can be read.
Example: `Name (_SEG, 0x10000)`.
What to do: let `_SEG` be a plain number up to 0xffff.
Source: ACPI 6.5 §6.5.6; Linux drivers/acpi/pci_root.c, acpi_pci_root_add.
Sources that prove it: AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0734",
    name="segment-object-unusable",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-40", "XP-04"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose segment cannot be relied on."""
    for bridge in bridges(facts):
        value = bridge.seg
        name = name_of(facts, bridge.path)
        if value.state == "failed":
            text, level = f"_SEG of {name} has no value: {value.reason}", Level.ERROR
        elif value.state == "unknown":
            text, level = f"_SEG of {name} is {value.reason}", Level.WARNING
        elif value.known is not None and value.known > 0xFFFF:
            text, level = f"_SEG of {name} is {value.known:#x}, more than 16 bits", Level.ERROR
        else:
            continue
        yield RULE.finding(
            value.place,
            text,
            level=level,
            help="let _SEG be a number up to 0xffff",
            subject=name,
        )
