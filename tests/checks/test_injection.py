"""One fault in turn into every field that a second artifact contradicts: found, at its own line of the
description or its counterpart's, and by one error at most. Hashes and the manifest are not
consulted: only the bytes are given."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.checks.golden import hold
from tests.checks.injection import (
    Fault,
    all_faults,
    dtb_faults,
    idle_faults,
    iort_faults,
    mcfg_faults,
    ssdt_faults,
)

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.checks.driver import run_checks
from rootplex.formats.devicetree import MapCells
from rootplex.jobs.check import facts_of
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.readback import artifacts_of, read_acpi, read_dt
from rootplex.readers.acpi.header import Table, read_table
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Span

# Which finding a fault gives; the first pattern that matches its name holds. Any of the codes will do.
EXPECTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"dtb \w+ linux,pci-domain", ("RPX0801",)),
    (r"dtb \w+ bus-range", ("RPX0803", "RPX0210")),
    (r"dtb \w+ reg\[[01]\]", ("RPX0802",)),
    (r"dtb \w+ reg\[[23]\] less", ("RPX0108",)),
    (r"dtb \w+ reg\[[23]\] more", ("RPX0103", "RPX0108")),
    (r"dtb \w+ ranges", ("RPX0804",)),
    (r"dtb \w+ \w+-map\[1\]", ("RPX0610",)),
    (r"dtb \w+ msi-map", ("RPX0807",)),
    (r"dtb \w+ iommu-map", ("RPX0806",)),
    (r"dtb /iommu", ("RPX0806",)),
    (r"dtb /interrupt-controller", ("RPX0807",)),
    (r"mcfg \w+ base", ("RPX0802",)),
    (r"mcfg \w+ segment", ("RPX0801",)),
    (r"mcfg \w+ start \+", ("RPX0720",)),
    (r"mcfg \w+ end -", ("RPX0721",)),
    (r"mcfg \w+ (start|end)", ("RPX0103",)),
    (r"mcfg length", ("RPX0713",)),
    (r"ssdt \w+ _SEG", ("RPX0801",)),
    (r"ssdt \w+ _BBN", ("RPX0712",)),
    (r"ssdt \w+ reserved\S* (maximum|length \+)", ("RPX0754",)),
    (r"ssdt \w+ reserved", ("RPX0723",)),
    (r"ssdt \w+ bus\S* maximum", ("RPX0754",)),
    (r"ssdt \w+ bus", ("RPX0803",)),
    (r"ssdt \w+ (io|memory)\S* (maximum|length)", ("RPX0754", "RPX0804")),
    (r"ssdt \w+ (io|memory)", ("RPX0804",)),
    (r"iort \w+ segment", ("RPX0740",)),
    (r"iort its id", ("RPX0748",)),
    (r"iort its count", ("RPX0751",)),
    (r"iort node count \+", ("RPX0751",)),
    (r"iort node count -", ("RPX0740",)),
    (r"iort node offset", ("RPX0751",)),
    (r"iort \w+ length", ("RPX0751",)),
    (r"iort \w+ mapping count \+", ("RPX0751",)),
    (r"iort smmu mapping count -", ("RPX0807",)),
    (r"iort \w+ mapping count -", ("RPX0806",)),
    (r"iort \w+ mapping offset", ("RPX0745", "RPX0806", "RPX0807")),
    (r"iort smmu base", ("RPX0806",)),
    (r"iort \w+ mapping \d id count \+", ("RPX0743",)),
    (r"iort smmu mapping", ("RPX0807",)),
    (r"iort \w+ mapping", ("RPX0806",)),
)


@dataclass(frozen=True, slots=True)
class Board:
    """The sound platform, compiled and read once; a fault renews what it touches."""

    text: str
    checked: Checked
    compiled: Compiled
    dt: DtFirmware
    acpi: AcpiFirmware

    def findings(self, fault: Fault) -> tuple[Finding, ...]:
        altered = fault.alter(self.compiled)
        changed = {name for name, data in altered.files.items() if data != self.compiled.files[name]}
        assert len(changed) == 1, fault.name
        dt, acpi = self.dt, self.acpi
        match changed.pop():
            case "ssdt.aml":
                read = read_acpi(artifacts_of(altered))
                assert read is not None
                acpi = read
            case "mcfg.aml":
                acpi = with_table(acpi, read_table(altered.files["mcfg.aml"], "mcfg.aml"))
            case "iort.aml":
                acpi = with_table(acpi, read_table(altered.files["iort.aml"], "iort.aml"))
            case _:
                tree = read_dt(artifacts_of(altered), MapCells.TARGET)
                assert tree is not None
                dt = tree
        return run_checks(facts_of(self.checked, altered, dt, acpi), "artifacts")

    def lines(self, bridge: str, keys: str) -> set[int]:
        """The lines (from 1) of some keys of a bridge, with what is nested below them."""
        found: set[int] = set()
        here, inside = False, False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.startswith("  - name: ") or not line.startswith("  "):
                here = line == f"  - name: {bridge}"
                inside = "name" in keys.split()
            elif line.startswith("    ") and line[4] != " ":
                inside = line.strip().partition(":")[0] in keys.split()
            if here and inside:
                found.add(number)
        return found


def with_table(acpi: AcpiFirmware, table: Table) -> AcpiFirmware:
    """The same tables with this one in the place of its like."""
    others = tuple(each for each in acpi.tables if each.signature != table.signature)
    return AcpiFirmware((*others, table), acpi.namespace)


@pytest.fixture(scope="module")
def board(checkout: Path) -> Board:
    """Three segments of QEMU's virt machine: two firmwares that say everything twice."""
    text = (checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text()
    checked = read_checked(text.encode(), "case.yaml")
    assert checked.platform is not None
    compiled = compile_platform(checked.platform, simulated_only=True)
    artifacts = artifacts_of(compiled)
    dt = read_dt(artifacts, MapCells.TARGET)
    acpi = read_acpi(artifacts)
    assert dt is not None
    assert acpi is not None
    return Board(text, checked, compiled, dt, acpi)


def _expected(fault: Fault) -> tuple[str, ...]:
    return next(codes for pattern, codes in EXPECTED if re.match(pattern, fault.name))


def _missed(board: Board, faults: Iterator[Fault]) -> Iterator[str]:
    """What is wrong with the findings of each fault, in words; nothing where all is well."""
    for fault in faults:
        wanted = _expected(fault)
        reported = board.findings(fault)
        hold(reported, f"{os.environ['PYTEST_CURRENT_TEST'].rpartition(' ')[0]} {fault.name}")
        errors = [each.code for each in reported if each.settled().level is Level.ERROR]
        if len(errors) > 1:
            yield f"{fault.name}: one cause and {len(errors)} errors, {errors}"
        found = [each for root in reported for each in root.every if each.code in wanted]
        if not found:
            yield f"{fault.name}: none of {wanted}"
            continue
        if fault.bridge is None or not fault.key:
            continue
        places = [place for each in found for place in (each.at, *(related.at for related in each.related))]
        lines = {place.line for place in places if isinstance(place, Span)}
        if not lines & board.lines(fault.bridge, fault.key):
            yield f"{fault.name}: {wanted} is at lines {lines}, not at {fault.key} of {fault.bridge}"


def test_the_sound_platform_has_no_findings(board: Board) -> None:
    """Without a fault nothing is found; so what is found below is the fault's."""
    facts = facts_of(board.checked, board.compiled, board.dt, board.acpi)
    assert run_checks(facts, "artifacts") == ()


def test_faults_in_the_device_tree_are_found(board: Board) -> None:
    assert list(_missed(board, dtb_faults(board.compiled))) == []


def test_faults_in_mcfg_are_found(board: Board) -> None:
    assert list(_missed(board, mcfg_faults(board.compiled))) == []


def test_faults_in_the_ssdt_are_found(board: Board, program: object) -> None:
    assert list(_missed(board, ssdt_faults(board.compiled))) == []


def test_faults_in_iort_are_found(board: Board) -> None:
    assert list(_missed(board, iort_faults(board.compiled))) == []


def test_fields_that_nothing_contradicts_give_no_finding(board: Board) -> None:
    """The list of idle fields with its reasons stays true: a check that speaks belongs in the table."""
    found = {
        fault.name: [each.code for each in board.findings(fault)] for fault, _ in idle_faults(board.compiled)
    }
    assert found == {name: [] for name in found}


def test_every_fault_has_a_name_of_its_own_and_a_row(board: Board) -> None:
    names = [fault.name for fault in all_faults(board.compiled)]
    assert len(set(names)) == len(names) > 300
    for fault in all_faults(board.compiled):
        _expected(fault)
