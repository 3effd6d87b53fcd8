"""Prerequisites and causes hold for each subject by itself: what is wrong with one bridge, one map, one
property, says nothing of another; an accepted cause does not hide an error that follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.cases import changed, findings_of
from tests.checks.plants import SEGMENT_0, SEGMENT_1, node_property

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Finding, Level

ACCEPTED = ("  isolated: [disk0", "  findings: [RPX0202]\n  isolated: [disk0")
SUPPRESSED = "suppress: [{code: RPX0202, at: second, reason: on purpose}]\n"
RP2 = "    devices:\n      - name: rp2\n"
NO_REG = (RP2, '    dt: {properties: {"reg": []}}\n' + RP2)
IN_RAM = ("pci: 0x3000_0000, size: 0xeff_0000", "pci: 0x5000_0000, size: 256MiB")
THIRD = "    msi: {controller: its}\n    iommu: {unit: smmu}\n    devices:\n      - name: rp2\n"


@pytest.fixture
def board(checkout: Path) -> str:
    return (checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text()


def reported(text: str) -> tuple[Finding, ...]:
    checked = read_checked(text.encode(), "case.yaml")
    assert checked.is_sound
    return examine(checked, RunOptions()).findings


def errors(text: str) -> list[tuple[str, str | None]]:
    found = reported(text)
    return [(each.code, each.subject) for each in found if each.level is Level.ERROR and not each.expected]


def test_a_malformed_property_silences_no_other_bridge(board: str) -> None:
    """RPX0604 (no reg) wants RPX0601 to be silent: on the same bridge."""
    text = changed(
        board,
        node_property("#address-cells", "2"),
        (
            "    devices:\n      - name: rp2\n",
            '    dt: {properties: {"reg": []}}\n    devices:\n      - name: rp2\n',
        ),
    )
    assert {("RPX0601", "second"), ("RPX0604", "third")} <= set(errors(text))


def test_a_malformed_map_silences_no_other_map(board: str) -> None:
    """A hole in one map is told beside another map that cannot be read, of the same bridge too."""
    hole = "map: [{rid: 0x8000, id: 0x8000, count: 0x100}]"
    text = changed(
        board,
        node_property("iommu-map", "[1, 2, 3]"),
        (THIRD, THIRD.replace("its}", f"its, {hole}}}")),
    )
    assert [("RPX0608", "second"), ("RPX0401", "third")] == errors(text)


def test_what_follows_stands_under_its_cause_alone(board: str) -> None:
    """Two bridges with faults of their own: what each loses is told under its own fault."""
    text = changed(
        board,
        (SEGMENT_1, SEGMENT_0),
        ("pci: 0x3000_0000, size: 0xeff_0000", "pci: 0x5000_0000, size: 256MiB"),
    )
    told = {each.subject: each for each in reported(text)}
    assert {("RPX0202", "second"), ("RPX0102", "third")} == set(errors(text))
    assert {each.subject for each in told["second"].follows} == {"second", "disk1"}
    assert {each.subject for each in told["third"].follows} == {"third", "disk2"}


def test_an_accepted_cause_hides_no_error(board: str) -> None:
    """`expect` names the shared segment; that the guest's device is gone is reported all the same."""
    text = changed(
        board, (SEGMENT_1, SEGMENT_0), ("  isolated: [disk0", "  findings: [RPX0202]\n  isolated: [disk0")
    )
    assert ("RPX0501", "disk1") in errors(text)
    assert "RPX0040" not in {each.code for each in findings_of(text)}


def test_a_suppressed_cause_hides_no_error(board: str) -> None:
    text = (
        changed(board, (SEGMENT_1, SEGMENT_0))
        + "suppress: [{code: RPX0202, at: second, reason: on purpose}]\n"
    )
    assert ("RPX0202", "second") not in errors(text)
    assert ("RPX0501", "disk1") in errors(text)
