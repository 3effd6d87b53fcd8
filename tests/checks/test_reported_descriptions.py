"""Descriptions and sources that people reported (`tests/cases/reports`): what is said of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.cases import changed, findings_of, line_of

from rootplex.jobs.boards import Board, Item
from rootplex.jobs.validate import validate_board

DTS = """\
/dts-v1/;
/* #include "in-a-comment.h" */
/ { #address-cells = <1>; #size-cells = <1>; model = "
#define in a string"; };
"""


def test_a_windowed_bridge_is_advised_to_leave_acpi_out(checkout: Path) -> None:
    text = (checkout / "tests/cases/reports/yaml/windowed-and-acpi.yaml").read_text(encoding="utf-8")
    found, *behind = findings_of(text)
    assert (found.code, str(found.level), line_of(found.at)) == ("RPX0720", "warning", 10)
    assert behind == list(found.follows)
    assert found.help is not None
    assert "firmware be [dt]" in found.help
    assert findings_of(changed(text, ("arch: arm64}", "arch: arm64, firmware: [dt]}"))) == ()


@pytest.mark.parametrize(
    ("compatible", "said"),
    [("[linux,dummy-virt]", ["RPX0026"]), ('["linux,dummy-virt"]', []), ('["v,board", soc]', ["RPX0026"])],
)
def test_a_compatible_without_quotes_is_two_strings(checkout: Path, compatible: str, said: list[str]) -> None:
    text = (checkout / "tests/cases/conformance/its-parent-true.yaml").read_text(encoding="utf-8")
    found = findings_of(changed(text, ('["vendor,board"]', compatible)))
    assert [each.code for each in found] == said
    if said:
        assert found[0].help is not None
        assert "dummy-virt" not in compatible or '"linux,dummy-virt"' in found[0].help


@pytest.mark.parametrize("kind", ["windowed", "cam"])
def test_a_bridge_of_either_kind_that_acpi_cannot_name(checkout: Path, kind: str) -> None:
    text = (checkout / "tests/cases/reports/yaml/windowed-and-acpi.yaml").read_text(encoding="utf-8")
    config = 'config: {kind: windowed, base: 0xfe28_0000, size: 64KiB, compatible: "rockchip,rk3568-pcie"}'
    other = f'config: {{kind: {kind}, base: 0xe000_0000, size: 1MiB, compatible: "v,b"}}'
    (found,) = findings_of(changed(text, (config, other)))
    assert (found.code, str(found.level)) == ("RPX0720", "warning")


def test_source_that_is_to_be_preprocessed_says_what_to_run(checkout: Path) -> None:
    path = checkout / "tests/cases/reports/refused/with-include.dts"
    result = validate_board(Board((Item(str(path), "dts"),)))
    (found,) = result.findings
    assert (found.code, line_of(found.at)) == ("RPX0001", 4)
    assert "#include" in found.message
    assert found.help is not None
    assert found.help.startswith("name the folders that its includes are in with -I")


def test_what_only_looks_like_a_directive_is_none() -> None:
    result = validate_board(Board((Item("board.dts", "dts", DTS.encode()),)))
    assert [each.message for each in result.findings] == ["the device tree has no PCI host bridge"]


def test_root_ports_that_linux_knows_by_id_have_groups_of_their_own(checkout: Path) -> None:
    text = (checkout / "tests/cases/reports/yaml/pch-ports-by-id.yaml").read_text(encoding="utf-8")
    assert findings_of(text) == ()
    text = changed(text, ("8086:8c10", "8086:8d0f"), ("8086:8c12", "8086:8d0f"))
    assert {each.code for each in findings_of(text)} >= {"RPX0504"}


def test_functions_behind_a_board_management_bridge_have_streams_of_their_own(checkout: Path) -> None:
    text = (checkout / "tests/cases/reports/yaml/bmc-behind-ast1150.yaml").read_text(encoding="utf-8")
    assert findings_of(text) == ()


def test_a_requester_id_that_xen_does_not_know(checkout: Path) -> None:
    text = (checkout / "tests/cases/reports/yaml/marvell-alias-xen.yaml").read_text(encoding="utf-8")
    (found,) = findings_of(text)
    assert (found.code, str(found.level), line_of(found.at)) == ("RPX0915", "error", 18)
    assert found.help is not None
    assert "pci-phantom=0000:01:00,1" in found.help
