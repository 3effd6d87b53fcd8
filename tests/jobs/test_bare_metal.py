"""Linux without Xen: `xen: false`, `--bare-metal`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.checks.cases import changed, findings_of, only
from tests.checks.two_bridges import SOUND

from rootplex.cli import main
from rootplex.jobs.settings import RunOptions

XEN = "xen:\n  dom0: {kernel: linux-7.2}\n  discovery: dom0\n"
GUEST = "guests: [{name: router, devices: [card]}]\n"
BARE = changed(SOUND, (XEN, "xen: false\nlinux: {kernel: linux-6.12, probe_order: [two, one]}\n" + GUEST))


def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, *words: str) -> dict[str, Any]:
    """The JSON of `check`."""
    file = tmp_path / "bare.yaml"
    file.write_text(text)
    assert main(["check", str(file), "--format", "json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_description_without_xen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its kernel, its order, its guests; no column of Xen's, no hypercall."""
    found = checked(tmp_path, capsys, BARE)
    assert (found["hypervisor"], found["xen"], found["dom0"]) == (None, None, "linux-6.12")
    assert [bridge["numbers"]["xen"] for bridge in found["bridges"]] == [None, None]
    assert [bridge["numbers"]["dom0"] for bridge in found["bridges"]] == [0, 1]
    assert [device["guest"] for device in found["devices"] if device["name"] == "card"] == ["router"]
    assert found["devices"][0]["sbdf"].startswith("0001:"), "two is probed first"


def test_any_description_can_be_looked_at_without_xen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SOUND + "  guests: [{name: router, devices: [card]}]\n"
    under, bare = (checked(tmp_path, capsys, text, *words) for words in ((), ("--bare-metal",)))
    assert (under["hypervisor"], bare["hypervisor"]) == ("xen", None)
    assert under["xen"]["hypercalls"]
    assert bare["xen"] is None
    assert [device["guest"] for device in bare["devices"]] == [device["guest"] for device in under["devices"]]


def test_xen_switches_acs_on_where_an_older_kernel_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a device tree 6.1 asks for ACS when a driver binds, after the first bridge was scanned."""
    words = ("--dom0", "linux-6.1")
    under, bare = (checked(tmp_path, capsys, SOUND, *words, *more) for more in ((), ("--bare-metal",)))
    port = [
        next(each["acs"] for each in found["devices"] if each["name"] == "port") for found in (under, bare)
    ]
    assert [acs["ctl"] for acs in port] == [0x1D, 0]


@pytest.mark.parametrize("command", ["check", "groups", "explain"])
def test_the_text_names_no_xen(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bare.yaml"
    file.write_text(BARE)
    subject = ["card"] if command == "explain" else []
    assert main([command, *subject, str(file)]) == 0
    printed = capsys.readouterr().out
    assert "Xen" not in printed
    assert "Dom0" not in printed
    if command == "check":
        assert "linux-6.12, bare metal, dt" in printed
        assert "IORT  Linux" in printed


@pytest.mark.parametrize("words", [["--bare-metal"], []])
def test_vpci_is_xens(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(SOUND if words else BARE)
    assert main(["check", str(file), "--vpci", *words]) == 2
    assert "Xen" in capsys.readouterr().err


def test_rules_of_xen_do_not_hold() -> None:
    """A device registered before its bridge, and the rules of today's Arm port."""
    late = changed(SOUND, ("kernel: linux-7.2", "kernel: linux-7.2, registers: after-scan"))
    assert only(findings_of(late), "RPX0905") or only(findings_of(late), "RPX0908")
    port = changed(SOUND, ("discovery: dom0", "discovery: xen"), ("    segment: 1\n", ""))
    for text in (late, port):
        bare = findings_of(text, options=RunOptions(bare_metal=True))
        assert [each.code for each in bare if each.code.startswith("RPX09") or "Xen" in each.message] == []


@pytest.mark.parametrize(("key", "below"), [("linux", "xen.dom0"), ("guests", "xen.guests")])
def test_keys_of_bare_metal_beside_xen(key: str, below: str) -> None:
    value = "{kernel: linux-6.1}" if key == "linux" else "[{name: g, devices: [card]}]"
    (found,) = findings_of(SOUND + f"{key}: {value}\n")
    assert found.message == f"'{key}' at the top is for a machine without Xen"
    assert found.help == f"write it as {below}, or say 'xen: false'"


def test_xen_is_false_or_a_map() -> None:
    (found,) = findings_of(changed(SOUND, (XEN, "xen: true\n")))
    assert (found.code, found.message) == (
        "RPX0006",
        "'xen' must be false, not true, in a description of Xen",
    )


def test_a_board_is_validated_without_xen(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = checkout / "generated" / "qemu-virt" / "qemu-virt.dtb"
    for words, expected in ((["--bare-metal"], None), ([], "xen")):
        assert main(["validate", str(tree), "--format", "json", *words]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["hypervisor"] == expected
        assert (found["xen"] is None) is (expected is None)
