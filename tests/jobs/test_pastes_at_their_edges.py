"""Pastes as a program or a cut leaves them behind: nothing is lost, nothing guessed, and each has an end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootplex.capture.pasted.facts import called
from rootplex.capture.pasted.reading import read_paste
from rootplex.cli import main
from rootplex.jobs.boards import boards_of, read_together
from rootplex.jobs.importing import description_text, import_sources
from rootplex.jobs.pasted.simulation import simulate_pastes
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Unreadable

HOST = "00:00.0 Host bridge [0600]: Intel Corporation Device [8086:1111]\n"
CARD = "00:01.0 Ethernet controller [0200]: Intel Corporation Device [8086:1533]\n"
LOG = "[    0.000000] Linux version 6.1.0 (x) #1 SMP\n"
TREE = """/dts-v1/;
/ { #address-cells = <2>; #size-cells = <2>; compatible = "x,y";
 memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x40000000>; };
 pcie@4010000000 { compatible = "pci-host-ecam-generic"; device_type = "pci"; bus-range = <0 0xff>;
  reg = <0x40 0x10000000 0 0x10000000>; #address-cells = <3>; #size-cells = <2>;
  ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>; linux,pci-domain = <0>; }; };
"""


def validated(place: Path, text: str) -> Result:
    (place / "x.txt").write_text(text)
    (board,) = boards_of([str(place / "x.txt")])
    return validate_board(board)


def test_of_many_lists_in_a_folder_each_is_a_machine(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"m{number}.txt").write_text(HOST.replace("1111", f"11{number}") + CARD)
    assert 20 == len(boards_of([str(tmp_path)]))


def test_a_root_bus_more_takes_no_places_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "t.dts").write_text(TREE)
    further = "".join(each.replace("00:0", "80:0", 1).replace("1533", "1535") for each in (HOST, CARD))
    (tmp_path / "t.txt").write_text(HOST + CARD + further)
    paths = [str(tmp_path / "t.dts"), str(tmp_path / "t.txt")]
    text = description_text(import_sources(read_together(paths, {}, RunOptions().trees)))
    assert "8086:1533" in text
    assert "8086:1535" not in text
    assert "8086:1111" in text


def test_bridges_that_name_one_bus_below_are_gone_through_once(tmp_path: Path) -> None:
    bridges = (
        f"{bus:02x}:{device:02x}.0 PCI bridge: Foo Device 1234 (prog-if 00 [Normal decode])\n"
        f"\tBus: primary={bus:02x}, secondary={bus + 1:02x}, subordinate=29, sec-latency=0\n"
        "\tCapabilities: <access denied>\n\n"
        for bus in range(40)
        for device in range(4)
    )
    assert "unknown" != validated(tmp_path, "".join(bridges)).verdict


@pytest.mark.parametrize(
    "key",
    [
        '"iommugroup" : "0x10"',
        '"class" : "0000:00:01.0"',
        '"vendor" : "-5"',
        '"id" : "0x12"',
        '"device" : "99999999"',
    ],
)
def test_json_whose_values_are_of_another_form(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value that cannot be is not taken for one."""
    whole = {
        "class": "0x060400",
        "device": "0x1901",
        "id": "0000:00:01.0",
        "iommugroup": 1,
        "vendor": "0x8086",
    }
    name = key.split('"')[1]
    rows = [f'"{each}" : {json.dumps(told)}' for each, told in whole.items() if each != name]
    (tmp_path / "j.json").write_text("[\n{" + ",\n".join([*rows, key]) + "}\n]\n")
    assert main(["validate", str(tmp_path / "j.json")]) in (0, 2)
    main(["import", str(tmp_path / "j.json")])
    said = "".join(capsys.readouterr())
    assert "-005" not in said
    assert "class: -" not in said


def test_lspci_says_the_domain_of_a_way_once() -> None:
    text = (
        "0000:00:01.0/01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:1234]\n"
        "0001:00:00.0 PCI bridge [0604]: Broadcom Device [14e4:2712]\n"
        "0001:00:00.0/01:00.0 Ethernet controller [0200]: Intel Corporation Device [8086:1533]\n"
    )
    shown = [called(each.where) for each in read_paste(text, "x").functions]
    assert ["0000:01:00.0", "0001:00:00.0", "0001:01:00.0"] == shown


@pytest.mark.parametrize(
    "text",
    [
        HOST + "\n" + CARD + "\tRegion 2: I/O ports at e000 [size=1K]\n",
        LOG
        + "[    0.1] pci 0000:00:00.0: [8086:1111] type 00 class 0x060000\n"
        + "[    0.1] pci 0000:00:01.0: [8086:1533] type 00 class 0x020000\n"
        + "[    0.1] pci 0000:00:01.0: reg 0x30: [mem 0xf0100000-0xf00003ff pref]\n"
        + "[    0.1] pci 0000:00:01.0: reg 0x10: [mem 0xf0100000-0xf01000ff]\n",
    ],
)
def test_what_no_register_can_have_is_not_imported(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert 0 == main(["import", str(tmp_path / "x.txt"), "-o", str(tmp_path / "x.yaml")])
    assert 0 == main(["check", str(tmp_path / "x.yaml")])


def test_other_drivers_complain_of_reg_and_ranges_too(tmp_path: Path) -> None:
    others = (
        "leds-lp55xx 0-0032: missing reg property",
        "pinctrl-foo 1000.pinctrl: Invalid gpio-ranges",
        "foo-gpio 1000.gpio: invalid ranges",
    )
    log = LOG + "".join(f"[    1.0] {each}\n" for each in others)
    assert not [each for each in validated(tmp_path, log).findings if each.code == "RPX0043"]


def test_functions_of_managers_are_counted() -> None:
    places = ((at >> 16, at >> 8 & 255, at >> 3 & 31, at & 7) for at in range(70_000))
    tree = "".join("  +- pci_{:04x}_{:02x}_{:02x}_{}\n".format(*place) for place in places)
    with pytest.raises(Unreadable, match="more than 65,536 functions"):
        read_paste(f"computer\n{tree}", "x")


def test_no_machine_has_thousands_of_host_bridges(tmp_path: Path) -> None:
    lists = "".join(f"{at:04x}:{each}" for at in range(1_025) for each in (HOST, CARD))
    result = validated(tmp_path, lists)
    (found,) = result.findings
    assert "pasted text of more than 1,024 root buses" in found.message
    assert result.unreadable


def test_a_text_that_ends_early_settles_nothing_of_what_stood_behind() -> None:
    """The port's bus would stand behind the end; the same text, whole, says that nothing is there."""
    port = (
        "00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:0c01] (prog-if 00 [Normal decode])\n"
        "\tControl: I/O+ Mem+ BusMaster+\n"
        "\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0\n"
        "\tCapabilities: [a0] Express (v2) Root Port (Slot+), MSI 00\n"
        "\tCapabilities: [100 v1] Virtual Channel\n\n"
    )
    disk = (
        "00:1f.2 SATA controller [0106]: Intel Corporation Device [8086:8c02] (prog-if 01 [AHCI 1.0])\n"
        "\tControl: I/O+ Mem+ BusMaster+\n\tStatus: Cap+ 66MHz+\n"
    )
    for end, unknown in (("", True), ("\tCapabilities: [80] MSI: Enable+\n\n00:1f.3 SMBus [0c05]\n", False)):
        outcome = simulate_pastes([read_paste(HOST + "\n" + port + disk + end, "x")], RunOptions())
        assert outcome is not None
        assert outcome.groups is not None
        names = {member.sbdf for each in outcome.groups.unknown for member in each.members}
        assert unknown == ("0000:00:01.0" in names)


DMI = """00:00.0 Host bridge [0600]: Intel Corporation Xeon E7 v3/Xeon E5 v3/Core i7 DMI2 [8086:2f00] (rev 02)
\tControl: I/O- Mem- BusMaster-
\tCapabilities: [90] Express (v1) Root Port (Slot-), MSI 00
\tCapabilities: [100 v1] Vendor Specific Information: ID=0002 Rev=0 Len=00c

"""
NAMED = """IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:0c01] (rev 06)
IOMMU Group 1 01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:1c82] (rev a1)
"""


@pytest.mark.parametrize("text", [DMI, NAMED], ids=["a port without a bridge's header", "a bridge by name"])
def test_what_is_imported_has_a_bus_for_each_bridge(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert 0 == main(["import", str(tmp_path / "x.txt"), "-o", str(tmp_path / "x.yaml")])
    assert 0 == main(["check", str(tmp_path / "x.yaml")])


def test_the_kernels_group_is_told_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.txt").write_text(NAMED)
    main(["groups", str(tmp_path / "x.txt")])
    assert 2 == capsys.readouterr().out.count("the kernel's group 1: 0000:00:01.0, 0000:01:00.0\n")
