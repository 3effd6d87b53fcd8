"""table-length

What it finds: an ACPI table whose header says that it is longer than what there is.
Why it matters: the kernel maps as many bytes as the header says. It only complains of the checksum, and reads
what happens to lie behind as part of the table: entries of chance, by which x86 may drop all of MCFG.
Example: an MCFG of one entry (60 bytes) whose length is 76.
What to do: write the number of bytes that the table has, and renew the checksum; or take the dump again.
Source: ACPI 6.5 §5.2.6; Linux drivers/acpi/acpica/tbutils.c, acpi_tb_parse_root_table, and tbdata.c,
acpi_tb_verify_temp_table.
Sources that prove it: the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0757", name="table-length", level=Level.ERROR, needs="artifacts")


def check(facts: Facts) -> Iterator[Finding]:
    """Each table, of whatever kind."""
    for table in facts.tables.tables:
        for problem in table.problems:
            if problem.kind == "length":
                yield RULE.finding(
                    problem.place,
                    problem.text,
                    notes=["the kernel reads what lies behind it in memory as part of the table"],
                    help="write the length that it has, and renew its checksum",
                    about=(table.signature,),
                )
