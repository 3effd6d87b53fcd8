"""The faults that are really in the machines of the corpus, and no error where there is none."""

from __future__ import annotations

import pytest
from tests.corpus.board_corpus import DUMPS, Corpus

from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.jobs.readback import with_entries
from rootplex.readers.acpi.acpidump import read_tables
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.readers.acpi.tables import AcpiTables
from rootplex.simulator.firmware.facts import acpi_firmware
from rootplex.source.finding import Finding, Level

# From tests/corpus/README.md and `expected_findings`: machine, codes, and a piece of the place.
FAULTS = [
    ("ideapad-z470", ("RPX0106", "RPX0719"), "MCFG"),
    ("ideapad-z470", ("RPX0724",), "\\_SB.PCI0._CRS"),
    ("imac11-3", ("RPX0720",), "\\_SB.CPBG._CRS"),
    ("imac11-3", ("RPX0721",), "\\_SB.PCI0._CRS"),
    ("precision-t3600", ("RPX0721",), "\\_SB.PCI1._CRS"),
    ("precision-t3600", ("RPX0712",), "\\_SB.PCI1._BBN"),
    ("precision-t3600", ("RPX0724",), "\\_SB.PCI0._CRS"),
    ("precision-t3600", ("RPX0723",), "MCFG+0x2c"),
    ("prime-z690-p", ("RPX0716",), "MCFG2"),
]
CLEAN = ("proliant-dl165-g7", "poweredge-r820")


@pytest.fixture(scope="module")
def findings(corpus: Corpus) -> dict[str, tuple[Finding, ...]]:
    """The findings on every dump."""
    found = {}
    for name in DUMPS:
        tables = read_tables(corpus(name), name)
        table = AcpiTables(tables.tables).first("MCFG")
        assert table is not None
        acpi = acpi_firmware(tables.tables)
        bridges = with_entries(
            [(each.path, None, each) for each in acpi.namespace.bridges], read_mcfg(table).entries
        )
        facts = Facts(arch="x86_64", acpi=acpi, bridges=bridges)
        found[name] = run_checks(facts, "artifacts")
    return found


@pytest.mark.parametrize(("dump", "codes", "place"), FAULTS)
def test_real_faults_are_found(
    findings: dict[str, tuple[Finding, ...]], dump: str, codes: tuple[str, ...], place: str
) -> None:
    assert any(each.code in codes and place in str(each.at) for root in findings[dump] for each in root.every)


@pytest.mark.parametrize("dump", CLEAN)
def test_clean_dumps_have_no_error(findings: dict[str, tuple[Finding, ...]], dump: str) -> None:
    assert [each for each in findings[dump] if each.level is Level.ERROR] == []
