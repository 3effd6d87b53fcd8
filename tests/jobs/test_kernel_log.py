"""A kernel's log beside the firmware that it booted on: windows, resources without a place, groups."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from tests.capture.pasted.machines import FOLDER, sections
from tests.checks.golden import hold

from rootplex.capture.pasted.reading import read_paste
from rootplex.capture.snapshot import parse_snapshot
from rootplex.frontends.pasted.machine import machine_of_pastes
from rootplex.jobs.boards import boards_of
from rootplex.jobs.result import Result
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, Span, TablePlace

RECORDED = Path(__file__).parents[1] / "capture" / "recorded"
SMALL = (FOLDER / "small-windows.dts").read_text()
RANGES = "/pcie@10000000"


def validated(folder: Path, **files: str) -> Result:
    """The result for these files, taken together."""
    names = []
    for name, text in files.items():
        path = folder / name.replace("_", ".")
        path.write_text(text)
        names.append(str(path))
    (board,) = boards_of(names)
    return validate_board(board)


def log(name: str) -> str:
    return gzip.decompress((FOLDER / f"{name}.dmesg.gz").read_bytes()).decode().replace("\r", "")


def of(result: Result, code: str) -> list[Finding]:
    return [each for each in result.findings if each.code == code]


def test_a_log_of_a_boot_on_this_tree_agrees(tmp_path: Path) -> None:
    tree = (FOLDER / "arm-7.2.dts").read_text()
    told = sections("arm-7.2")
    result = validated(tmp_path, board_dts=tree, dmesg_txt=told["dmesg"], lspci_txt=told["raw"])
    assert ((), "linux-7.2", None) == (result.findings, result.dom0, result.hypervisor)
    assert 5 == len(result.machine.groups)
    assert () == result.not_known


@pytest.mark.parametrize("name", ["small-windows", "small-windows-6.1"])
def test_a_bar_without_a_place_is_one_finding_at_the_window_that_is_too_small(
    tmp_path: Path, name: str
) -> None:
    result = validated(tmp_path, board_dts=SMALL, dmesg_txt=log(name))
    hold(of(result, "RPX0038"))
    (found,) = result.findings
    assert ("RPX0038", Level.ERROR, "0000:01:00.0") == (found.code, found.level, found.subject)
    assert isinstance(found.at, DtPlace)
    assert (RANGES, "ranges", 14) == (found.at.node, found.at.property, found.at.cell)
    assert "BAR 2 (256MiB of prefetchable memory, 64 bits)" in found.message
    assert found.message.endswith("the window of '/pcie@10000000' for it has 128MiB")
    ((at, _),) = ((each.at, each.message) for each in found.related)
    assert isinstance(at, Span)
    assert "BAR 2" in log(name).splitlines()[at.line - 1]


def old(text: str) -> str:
    """The words of kernels before 6.11, and the numbers that windows of bridges had (6.1: setup-res.c)."""
    resource = r"(\[[^\]]*\])"
    for name, number in (("bridge window", "15"), *((f"BAR {n}", str(n)) for n in range(6))):
        text = re.sub(rf"{name} {resource}: can't assign; no space", rf"BAR {number}: no space for \1", text)
        text = re.sub(rf"{name} {resource}: failed to assign", rf"BAR {number}: failed to assign \1", text)
        text = re.sub(rf"{name} {resource}: assigned", rf"BAR {number}: assigned \1", text)
    return text


OLDEST = "[    0.5] pci 0000:01:00.0: BAR 2: can't assign mem pref (size 0x10000000)\n"


def test_older_words_say_the_same(tmp_path: Path) -> None:
    new = validated(tmp_path, board_dts=SMALL, dmesg_txt=log("small-windows")).findings
    text = old(log("small-windows"))
    assert "BAR 2: no space for [mem size 0x10000000 64bit pref]" in text
    then = validated(tmp_path, board_dts=SMALL, dmesg_txt=text).findings
    assert [(each.at, each.message) for each in new] == [(each.at, each.message) for each in then]


def test_the_oldest_words_are_read(tmp_path: Path) -> None:
    lines = log("small-windows").splitlines()
    text = "\n".join(line for line in lines if "can't" not in line and "failed" not in line)
    (found,) = validated(tmp_path, board_dts=SMALL, dmesg_txt=text + "\n" + OLDEST).findings
    assert "0000:01:00.0 gets no place for BAR 2 (256MiB of prefetchable memory)" in found.message


def test_what_is_placed_later_is_no_failure(tmp_path: Path) -> None:
    text = log("small-windows")
    text += "[   20.000000] pci 0000:01:00.0: BAR 2 [mem 0x8000000000-0x800fffffff 64bit pref]: assigned\n"
    text += "[   20.0] pci 0000:00:02.0: bridge window [mem 0x8000000000-0x800fffffff 64bit pref]: assigned\n"
    assert () == validated(tmp_path, board_dts=SMALL, dmesg_txt=text).findings


def test_without_firmware_the_line_itself_is_shown(tmp_path: Path) -> None:
    (found,) = validated(tmp_path, dmesg_txt=log("small-windows")).findings
    assert ("RPX0038", "dmesg.txt") == (found.code, Path(found.at.file).name)
    assert "device tree" in str(found.help)


def test_a_window_that_is_large_enough_is_not_to_blame(tmp_path: Path) -> None:
    text = log("small-windows").replace("0x10000000 64bit pref", "0x1000000 64bit pref")
    (found,) = validated(tmp_path, board_dts=SMALL, dmesg_txt=text).findings
    assert isinstance(found.at, Span)
    assert "pci=realloc" in str(found.help)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("pci 0000:00:05.0: BAR 2 [io  size 0x0020]: can't assign; no space", Level.WARNING),
        ("pci 0000:00:05.0: ROM [mem size 0x00040000 pref]: can't assign; no space", Level.NOTE),
        ("pci 0000:00:02.0: bridge window [io  size 0x1000]: can't assign; no space", Level.NOTE),
        ("pci 0000:00:02.0: BAR 13: no space for [io  size 0x1000]", Level.NOTE),
        (
            "pci 0000:00:05.0: can't claim BAR 0 [mem 0x90000000-0x9001ffff]: no compatible bridge window",
            Level.ERROR,
        ),
        (
            "pci 0000:00:05.0: BAR 0 [mem 0x90000000-0x9001ffff]: can't claim; address conflict with x",
            Level.ERROR,
        ),
        ("pci 0000:00:05.0: VF BAR 0 [mem size 0x00040000 64bit]: can't assign; no space", Level.WARNING),
        ("e1000e 0000:00:05.0: can't enable device: BAR 0 [mem size 0x00020000] not assigned", Level.ERROR),
    ],
)
def test_how_bad_it_is(tmp_path: Path, line: str, level: Level) -> None:
    head = "[    0.0] pci_bus 0000:00: root bus resource [mem 0x10000000-0x13ffffff]\n"
    text = head + "[    0.1] pci 0000:00:05.0: [8086:10d3] type 00 class 0x020000 PCIe Endpoint\n"
    (found,) = validated(tmp_path, dmesg_txt=f"{text}[    0.5] {line}\n").findings
    assert ("RPX0038", level) == (found.code, found.level)


def test_a_window_that_the_kernel_has_otherwise_is_found_at_the_firmwares_entry(tmp_path: Path) -> None:
    text = log("small-windows").replace("0x10000000-0x13ffffff]", "0x10000000-0x11ffffff]")
    result = validated(tmp_path, board_dts=SMALL, dmesg_txt=text)
    hold(of(result, "RPX0037"))
    (found,) = of(result, "RPX0037")
    assert isinstance(found.at, DtPlace)
    assert ("ranges", 7) == (found.at.property, found.at.cell)
    assert found.message == (
        "the kernel's host bridge 0000:00 has [mem 0x10000000-0x11ffffff], by the firmware it is "
        "[mem 0x10000000-0x13ffffff]"
    )


def test_a_window_of_the_kernels_alone(tmp_path: Path) -> None:
    line = "[   13.1] pci_bus 0000:00: root bus resource [mem 0x9000000000-0x90ffffffff pref]\n"
    (found,) = of(validated(tmp_path, board_dts=SMALL, dmesg_txt=log("small-windows") + line), "RPX0037")
    assert "has [mem 0x9000000000-0x90ffffffff pref], which the firmware does not give it" in found.message


def acpi(folder: Path, change: str = "", to: str = "") -> Result:
    """The recorded PC's tables as acpidump's text, and its messages as a log."""
    snapshot = parse_snapshot((RECORDED / "x86-acpi-6.1.txt").read_text(), "x")
    dump = []
    for block in snapshot.tables:
        rows = (block.data[at : at + 16] for at in range(0, len(block.data), 16))
        dump.append(f"{block.name[:4]} @ 0x0000000000000000\n")
        dump += [f"    {16 * n:04X}: {row.hex(' ').upper()}\n" for n, row in enumerate(rows)]
        dump.append("\n")
    text = "".join(
        f"[{each.time:12.6f}] {each.text}\n" for each in snapshot.messages if each.time is not None
    )
    return validated(
        folder, tables_acpi="".join(dump), dmesg_txt=text.replace(change, to) if change else text
    )


def test_a_pcs_log_agrees_with_its_tables(tmp_path: Path) -> None:
    result = acpi(tmp_path)
    assert [] == [each for each in result.findings if each.code in ("RPX0036", "RPX0037", "RPX0038")]
    assert result.machine.groups


def test_a_pcs_window_is_found_at_its_descriptor(tmp_path: Path) -> None:
    text = (RECORDED / "x86-acpi-6.1.txt").read_text()
    window = next(
        found[1]
        for found in re.finditer(r"root bus resource \[mem (0x[c-f][0-9a-f]{7}-0x[0-9a-f]+) window\]", text)
    )
    (found,) = of(acpi(tmp_path, window, window[:-8] + "dfffffff"), "RPX0037")
    assert isinstance(found.at, TablePlace)
    assert "_CRS" in str(found.at)


def test_a_group_that_the_tree_gives_nothing_for_is_found_at_the_tree(tmp_path: Path) -> None:
    tree = re.sub(r"iommu-map = <[^>]*>;", "", (FOLDER / "arm-7.2.dts").read_text())
    told = sections("arm-7.2")
    found = of(validated(tmp_path, board_dts=tree, dmesg_txt=told["dmesg"], lspci_txt=told["raw"]), "RPX0036")
    assert 1 == len(found)
    assert isinstance(found[0].at, DtPlace)
    assert "by the firmware no IOMMU translates" in found[0].message


DEVICE = "pci-host-generic 4010000000.pcie: "
COMPLAINTS = {
    "No bus range found for /pcie@10000000, using [bus 00-ff]": ("bus-range", Level.NOTE),
    "ECAM area [mem 0x4010000000-0x40101fffff] can only accommodate [bus 00-01]": ("reg", Level.WARNING),
    "error -EINVAL: non-prefetchable memory resource required": ("ranges", Level.WARNING),
    "resource collision: [mem 0x10000000-0x3efeffff] conflicts with a [mem 0x20000000-0x2fffffff]": (
        "ranges",
        Level.WARNING,
    ),
    'missing or malformed "reg" property': ("reg", Level.WARNING),
    "bad DT ranges": ("ranges", Level.WARNING),
}


@pytest.mark.parametrize("line", COMPLAINTS)
def test_what_a_bridges_driver_complains_of_is_joined_to_the_property(tmp_path: Path, line: str) -> None:
    text = f"{sections('arm-7.2')['dmesg']}\n[   19.5] {DEVICE}{line}\n"
    result = validated(tmp_path, board_dts=(FOLDER / "arm-7.2.dts").read_text(), dmesg_txt=text)
    hold(of(result, "RPX0043"))
    (found,) = result.findings
    assert isinstance(found.at, DtPlace)
    assert ("RPX0043", *COMPLAINTS[line]) == (found.code, found.at.property, found.level)
    (alone,) = validated(tmp_path, dmesg_txt=text).findings
    assert ("RPX0043", "dmesg.txt") == (alone.code, Path(alone.at.file).name)


def test_nothing_is_said_twice_of_one_property(tmp_path: Path) -> None:
    tree = (FOLDER / "arm-7.2.dts").read_text().replace("\t\tbus-range = <0x00 0xff>;\n", "")
    line = f"[   19.5] {DEVICE}No bus range found for /pcie@10000000, using [bus 00-ff]\n"
    result = validated(tmp_path, board_dts=tree, dmesg_txt=sections("arm-7.2")["dmesg"] + "\n" + line)
    assert ["RPX0211"] == [each.code for each in result.findings]


def test_by_acpi_a_complaint_is_joined_to_the_bridge_of_that_bus(tmp_path: Path) -> None:
    """The log names a device, and the tables have none of that name: the root bus is what both tell."""
    host = "PCI host bridge to bus 0000:00"
    line = "acpi PNP0A08:00: ECAM area [mem 0xb0000000-0xbfffffff] not reserved in ACPI namespace"
    (found,) = of(acpi(tmp_path, host, f"{line}\n[    0.3] {host}"), "RPX0043")
    assert isinstance(found.at, TablePlace)
    assert "\\_SB.PCI0" == found.subject


def test_what_the_kernel_says_twice_is_told_once(tmp_path: Path) -> None:
    text = f"{sections('arm-7.2')['dmesg']}\n" + 2 * f"[   19.5] {DEVICE}bad DT ranges\n"
    tree = (FOLDER / "arm-7.2.dts").read_text()
    assert 1 == len(of(validated(tmp_path, board_dts=tree, dmesg_txt=text), "RPX0043"))


def test_by_acpi_a_complaint_is_of_the_root_bridge_before_it(tmp_path: Path) -> None:
    text = (
        "[    0.1] ACPI: PCI Root Bridge [PCI0] (domain 0000 [bus 00-ff])\n"
        "[    0.2] acpi PNP0A08:00: ECAM area [mem 0xe0000000-0xefffffff] not reserved in ACPI namespace\n"
    )
    (found,) = validated(tmp_path, dmesg_txt=text).findings
    assert ("RPX0043", "PNP0A08:00") == (found.code, found.subject)


def test_of_several_logs_the_one_that_begins_with_the_kernel_counts() -> None:
    """In whichever order: a cut one tells neither the release nor the firmware."""
    whole = "[    0.0] Linux version 6.12.9 (x@y)\n[    0.0] Machine model: A\n"
    cut = "[    1.0] pci 0000:00:01.0: [8086:1533] type 00 class 0x020000\n"
    for texts in ((whole, cut), (cut, whole)):
        log = machine_of_pastes([read_paste(each, "x") for each in texts]).log
        assert ("6.12.9", "dt") == (log.release, log.firmware)
