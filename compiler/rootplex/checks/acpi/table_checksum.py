"""table-checksum

What it finds: a table whose bytes do not sum to 0.
Why it matters: Linux complains and goes on, other systems refuse the table; a damaged table says damaged
things.
Example: one byte changed by hand.
What to do: renew the checksum, or take the dump again.
Source: ACPI 6.5 §5.2.6.
Sources that prove it: any table.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.acpi import TABLES
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0752",
    name="table-checksum",
    level=Level.WARNING,
    needs="artifacts",
)


_READ = {*TABLES, "APIC", "DSDT", "SSDT"}


def check(facts: Facts) -> Iterator[Finding]:
    """Each table that is read here and damaged."""
    for table in facts.tables.tables:
        if table.signature in _READ and not table.checksum_ok:
            yield RULE.finding(
                table.place(9, 1),
                f"the checksum of {table.name} is wrong",
                help="renew the checksum, or take the dump again",
            )
