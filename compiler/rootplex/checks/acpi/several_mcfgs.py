"""several-mcfgs

What it finds: more than one MCFG.
Why it matters: which one holds depends on the operating system: Linux takes the first. Where they say the
same it is a note.
Example: buses 0-0xff in one and 0-0xe0 in the other.
What to do: leave one.
Source: ACPI 6.5 §5.2.6; Linux drivers/acpi/tables.c, acpi_table_parse.
Sources that prove it: MCFG, in a dump that kept all tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    shown,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.mcfg import McfgEntry, read_mcfg
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0716",
    name="several-mcfgs",
    level=Level.ERROR,
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each MCFG after the first."""
    tables = () if facts.acpi is None else facts.acpi.all("MCFG")
    for table in tables[1:]:
        first, other = read_mcfg(tables[0]), read_mcfg(table)
        same = [_content(each) for each in first.entries] == [_content(each) for each in other.entries]
        yield RULE.finding(
            table.place(),
            f"there are {len(tables)} MCFGs" + ("" if same else ", which contradict each other"),
            level=Level.NOTE if same else RULE.level,
            related=[(tables[0].place(), "; ".join(map(shown, first.entries)) or "no entry")],
            notes=(f"this one: {'; '.join(map(shown, other.entries)) or 'no entry'}",),
            help="leave one MCFG",
            about=("MCFG", *(each.name for each in facts.bridges)),
        )


def _content(entry: McfgEntry) -> tuple[int, int, int, int]:
    return entry.base, entry.segment, entry.start_bus, entry.end_bus
