"""The faults that are really in the dumps of the corpus, and no error where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.jobs.readback import with_entries
from rootplex.readers.acpi.acpidump import read_tables
from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.simulator.firmware import AcpiFirmware
from rootplex.source.finding import Finding, Level

# From the corpus README's table of faults and its `expected_findings`: dump, codes, and a piece of the place.
FAULTS = [
    ("C7F3CC0C50BF", ("RPX0106", "RPX0719"), "MCFG"),
    ("C7F3CC0C50BF", ("RPX0724",), "\\_SB.PCI0._CRS"),
    ("9C99E007509B", ("RPX0720",), "\\_SB.CPBG._CRS"),
    ("9C99E007509B", ("RPX0721",), "\\_SB.PCI0._CRS"),
    ("A82D1C626ADB", ("RPX0721",), "\\_SB.PCI1._CRS"),
    ("A82D1C626ADB", ("RPX0712",), "\\_SB.PCI1._BBN"),
    ("A82D1C626ADB", ("RPX0724",), "\\_SB.PCI0._CRS"),
    ("A82D1C626ADB", ("RPX0723",), "MCFG+0x2c"),
    ("71656898DEBA", ("RPX0716",), "MCFG2"),
]
CLEAN = ("1979FBF2D488", "E5985CCBA349")


@pytest.fixture(scope="module")
def findings(shared: Path) -> dict[str, tuple[Finding, ...]]:
    """The findings on every dump."""
    found = {}
    for path in sorted((shared / "corpus" / "acpi").glob("*.txt")):
        tables = read_tables(path, path.name)
        table = tables.first("MCFG")
        assert table is not None
        acpi = AcpiFirmware(tables=tables.tables, namespace=evaluate(tables.tables), mcfg=read_mcfg(table))
        bridges = with_entries(
            [(each.path, None, each) for each in acpi.namespace.bridges], read_mcfg(table).entries
        )
        facts = Facts(arch="x86_64", acpi=acpi, bridges=bridges)
        found[path.name.partition(".")[0]] = run_checks(facts, "artifacts")
    return found


@pytest.mark.shared
@pytest.mark.parametrize(("dump", "codes", "place"), FAULTS)
def test_real_faults_are_found(
    findings: dict[str, tuple[Finding, ...]], dump: str, codes: tuple[str, ...], place: str
) -> None:
    assert any(each.code in codes and place in str(each.at) for each in findings[dump])


@pytest.mark.shared
@pytest.mark.parametrize("dump", CLEAN)
def test_clean_dumps_have_no_error(findings: dict[str, tuple[Finding, ...]], dump: str) -> None:
    assert [each for each in findings[dump] if each.level is Level.ERROR] == []
