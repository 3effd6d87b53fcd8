"""A virtual function stands in every report by its name, as the boot device and as a guest's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.checks.passthrough.test_virtual_functions import TEXT

from rootplex.cli import main


@pytest.fixture
def board(tmp_path: Path) -> str:
    path = tmp_path / "vf.yaml"
    path.write_text(TEXT)
    return str(path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("check",), "boot: nic.vf2 at 0000:01:10.2, reachable by mcfg, dt"),
        (("check",), "guest b: whole groups (nic.vf3 0000:01:10.3)"),
        (("groups",), "group 2 (guest a): 0000:01:10.0 (nic.vf0)"),
        (("groups", "--tree"), "0000:01:10.2 nic.vf2, VF of nic, group 4, boot"),
        (("explain", "nic.vf1"), "0000:01:10.1 (nic.vf1): requester id 0x0181 in segment 0000"),
        (("plan",), "xl pci-assignable-add 0000:01:10.3"),
        (("plan",), "echo 4 > /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs"),
        (("report", "--format", "svg"), "nic.vf1"),
        (("report", "--format", "dot"), "nic.vf1"),
        (("report", "--format", "mermaid"), "nic.vf1"),
        (("report",), "nic.vf1"),
    ],
)
def test_a_report_tells_of_virtual_functions(
    words: tuple[str, ...], told: str, board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    more = ["-o", str(made)] if words[0] == "report" else []
    assert main([*words, board, *more]) == 0
    assert told in (made.read_text() if more else capsys.readouterr().out)


def test_json_has_them_as_devices_of_their_physical_function(
    board: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--format", "json", board]) == 0
    result = json.loads(capsys.readouterr().out)
    virtual = {each["name"]: each for each in result["devices"] if each["physfn"] is not None}
    assert list(virtual) == ["nic.vf0", "nic.vf1", "nic.vf2", "nic.vf3"]
    third = virtual["nic.vf3"]
    assert (third["sbdf"], third["physfn"], third["guest"]) == ("0000:01:10.3", "0000:01:00.0", "b")
    assert third["stream"] == {"unit": "smmu", "id": 0x183}
    assert [bar["size"] for bar in third["bars"]] == [0x4000]
    assert third["bars"][0]["pci"] == virtual["nic.vf0"]["bars"][0]["pci"] + 3 * 0x4000
    assert result["boot"] == {"device": "nic.vf2", "sbdf": "0000:01:10.2", "reachable_by": ["mcfg", "dt"]}
