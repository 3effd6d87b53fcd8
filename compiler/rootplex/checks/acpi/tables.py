"""Tables whose header does not fit their bytes."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.acpi import TABLES
from rootplex.source.finding import Finding, Level

_READ = {*TABLES, "APIC", "DSDT", "SSDT"}


@check("RPX0752", Level.WARNING)
def table_checksum(facts: Facts) -> Iterator[Finding]:
    """What it finds: a table whose bytes do not sum to 0.
    Why it matters: Linux complains and goes on, other systems refuse the table; a damaged table says damaged
    things.
    Example: one byte changed by hand.
    What to do: renew the checksum, or take the dump again.
    Source: ACPI 6.5 §5.2.6.
    Sources that prove it: any table.
    """
    for table in facts.tables.tables:
        if table.signature in _READ and not table.checksum_ok:
            yield table_checksum.rule.finding(
                table.place(9, 1),
                f"the checksum of {table.name} is wrong",
                help="renew the checksum, or take the dump again",
            )


@check("RPX0757", Level.ERROR)
def table_length(facts: Facts) -> Iterator[Finding]:
    """What it finds: an ACPI table whose header says that it is longer than what there is.
    Why it matters: the kernel maps as many bytes as the header says. It only complains of the checksum, and
    reads what happens to lie behind as part of the table: entries of chance, by which x86 may drop all of
    MCFG.
    Example: an MCFG of one entry (60 bytes) whose length is 76.
    What to do: write the number of bytes that the table has, and renew the checksum; or take the dump again.
    Source: ACPI 6.5 §5.2.6; Linux drivers/acpi/acpica/tbutils.c, acpi_tb_parse_root_table, and tbdata.c,
    acpi_tb_verify_temp_table.
    Sources that prove it: the table.
    """
    for table in facts.tables.tables:
        for problem in table.problems:
            if problem.kind == "length":
                yield table_length.rule.finding(
                    problem.place,
                    problem.text,
                    notes=["the kernel reads what lies behind it in memory as part of the table"],
                    help="write the length that it has, and renew its checksum",
                    about=(table.signature,),
                )
