"""The reader on snapshots of real kernels: QEMU's command line (recorded/README.md) and the kernel's own
messages are what its facts are held against."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rootplex.capture.facts import KernelFunction, Message, Range, Snapshot
from rootplex.capture.lines import SECTIONS
from rootplex.capture.snapshot import parse_snapshot
from rootplex.source.finding import Unreadable
from rootplex.source.place import Span
from rootplex.tools import runner

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.txt"), key=lambda path: path.name)
NAMES = [path.stem for path in RECORDED]

# The devices of the command line: ids of QEMU's docs/specs/pci-ids.rst, and Intel's.
DEVICES = {
    "0000:00:02.0": ("1b36:000c", None),
    "0000:00:02.1": ("1b36:000c", None),
    "0000:00:03.0": ("1b36:0010", None),
    "0000:00:05.0": ("8086:10d3", None),
    "0000:01:00.0": ("1b36:0010", "0000:00:02.0"),
    "0000:02:00.0": ("1b36:000e", "0000:00:02.1"),
    "0000:03:01.0": ("8086:100e", "0000:02:00.0"),
}
PCIE_CAPABILITY = 0x10


@pytest.fixture(params=RECORDED, ids=NAMES)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text(encoding="ascii")


@pytest.fixture
def snapshot(text: str) -> Snapshot:
    return parse_snapshot(text, "s.txt")


def recorded(name: str) -> Snapshot:
    return parse_snapshot(RECORDED[NAMES.index(name)].read_text(encoding="ascii"), f"{name}.txt")


def by_address(snapshot: Snapshot) -> dict[str, KernelFunction]:
    return {str(function.sbdf): function for function in snapshot.functions}


def test_the_functions_are_those_of_the_command_line(snapshot: Snapshot) -> None:
    found = {
        address: (
            f"{function.vendor:04x}:{function.device:04x}",
            str(function.parent) if function.parent else None,
        )
        for address, function in by_address(snapshot).items()
    }
    assert DEVICES.items() <= found.items()
    # What QEMU adds by itself: its host bridge, and the three functions of the q35's ICH9.
    assert {address.split(":", 1)[1] for address in found.keys() - DEVICES.keys()} <= {
        "00:00.0",
        "00:1f.0",
        "00:1f.2",
        "00:1f.3",
    }


def test_ids_and_classes_are_those_of_the_kernels_messages(snapshot: Snapshot) -> None:
    told = {
        match[1]: (match[2], int(match[3], 16))
        for message in snapshot.messages
        if (match := re.match(r"pci (\S+): \[(\w+:\w+)\] type \d\d class (0x\w+)", message.text))
    }
    found = {
        address: (f"{function.vendor:04x}:{function.device:04x}", function.class_code)
        for address, function in by_address(snapshot).items()
    }
    assert found == told


def test_configuration_space_agrees_with_the_facts(snapshot: Snapshot) -> None:
    for function in snapshot.functions:
        config = function.config
        assert int.from_bytes(config[0:2], "little") == function.vendor
        assert int.from_bytes(config[2:4], "little") == function.device
        assert config[8] == function.revision
        assert int.from_bytes(config[9:12], "little") == function.class_code
        assert len(config) == (4096 if capability(config, PCIE_CAPABILITY) else 256)


def test_bars_are_where_the_kernel_put_them(snapshot: Snapshot) -> None:
    told: dict[tuple[str, int], tuple[int, int]] = {}
    for message in snapshot.messages:
        match = re.match(
            r"pci (\S+): BAR (\d)(?:: assigned)? \[mem (0x\w+)-(0x\w+)[^\]]*\](: assigned)?", message.text
        )
        if match and "assigned" in message.text:
            told[match[1], int(match[2])] = (int(match[3], 16), int(match[4], 16))
    found = {
        (address, resource.index): (resource.start, resource.end)
        for address, function in by_address(snapshot).items()
        for resource in function.resources
    }
    assert told.items() <= found.items()
    if snapshot.machine == "aarch64":  # on x86 the firmware has placed them
        assert len(told) > 5


def test_groups_are_those_the_kernel_told_of(snapshot: Snapshot) -> None:
    told = {
        match[1]: int(match[2])
        for message in snapshot.messages
        if (match := re.match(r"\S+ (\S+): Adding to iommu group (\d+)", message.text))
    }
    assert told == {address: function.group for address, function in by_address(snapshot).items()}
    assert told == {member: group.number for group in snapshot.groups for member in group.members}


def test_what_was_grouped_at_boot_is_kept_apart(snapshot: Snapshot) -> None:
    assert snapshot.offers
    for function in snapshot.functions:
        assert function.group_at_boot == (None if function.offered else function.group)
    offered = {str(function.sbdf) for function in snapshot.functions if function.offered}
    # 6.1 on arm64 forms a group when a driver binds, and these three have none; x86 and 7.2 at once.
    early = snapshot.machine == "x86_64" or snapshot.release.startswith("7.")
    assert offered == (set() if early else {"0000:00:00.0", "0000:00:05.0", "0000:03:01.0"})


def test_host_bridge_windows_are_the_machines() -> None:
    """Memory map of QEMU's virt machine, as real-boot has it; the ECAM's buses are 00-ff."""
    for name in ("arm64-dt-6.1", "arm64-acpi-6.1", "arm64-dt-7.2"):
        (bridge,) = recorded(name).bridges
        assert str(bridge.buses) == "00-ff"
        assert {(window.space, window.start, window.end) for window in bridge.windows} == {
            ("mem", 0x1000_0000, 0x3EFE_FFFF),
            ("mem", 0x80_0000_0000, 0xFF_FFFF_FFFF),
            ("io", 0, 0xFFFF),
        }
        assert all(window.pci == window.start for window in bridge.windows)


def test_firmware_nodes_are_told() -> None:
    (dt,) = recorded("arm64-dt-6.1").bridges
    (acpi,) = recorded("arm64-acpi-6.1").bridges
    assert (dt.node, dt.acpi) == ("/pcie@10000000", None)
    assert (acpi.node, acpi.acpi, acpi.hid, acpi.uid) == (None, r"\_SB_.PCI0", "PNP0A08", "0")
    assert recorded("arm64-dt-6.1").firmware == "dt"
    assert recorded("arm64-acpi-6.1").firmware == "acpi"
    assert recorded("arm64-acpi-6.1").arguments == ("acpi=force",)


def test_the_device_tree_is_whole_and_masked(program: Callable[[str], str], tmp_path: Path) -> None:
    program("dtc")
    dtb = recorded("arm64-dt-6.1").dtb
    assert dtb is not None
    (tmp_path / "x.dtb").write_bytes(dtb.data)
    outcome = runner.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "x.dtb"], cwd=tmp_path)
    assert outcome.status == 0
    assert "pcie@10000000 {" in outcome.stdout
    assert re.search(r"bootargs = \[(00 ?)+\]", outcome.stdout)
    assert dtb.masked > 0


TABLES = {"aarch64": "IORT", "x86_64": "DMAR", "riscv64": "RIMT"}
UNITS = {"aarch64": "smmu3.", "x86_64": "dmar", "riscv64": "riscv-iommu@RSCV0004:"}


def test_tables_are_whole(snapshot: Snapshot) -> None:
    names = {table.name for table in snapshot.tables}
    if snapshot.firmware == "dt":
        assert names == set()
    else:
        assert names >= {"APIC", "DSDT", "MCFG", TABLES[snapshot.machine]}
    for table in snapshot.tables:
        assert table.data[:4].decode() == table.name[:4]
        assert int.from_bytes(table.data[4:8], "little") == len(table.data)
        assert sum(table.data) % 256 == 0


def test_nothing_personal_is_told(text: str, snapshot: Snapshot) -> None:
    """The NVMe serial number and the e1000e's MAC address, which its serial number capability repeats."""
    assert "SECRET" not in text
    assert "52:54:00" not in text
    network = by_address(snapshot)["0000:00:05.0"]
    serial = capability(network.config, 3, extended=True)
    assert serial is not None
    assert network.config[serial + 4 : serial + 12] == bytes(8)
    assert network.masked == 7  # 52 54 00 ff ff aa bb cc, of which one is zero already


def test_interrupt_and_driver_facts(snapshot: Snapshot) -> None:
    disk = by_address(snapshot)["0000:01:00.0"]
    assert disk.driver == "nvme"
    assert disk.msi is not None
    assert disk.msi[0] == "msix"
    assert disk.unit == snapshot.units[0]
    assert snapshot.units[0].startswith(UNITS[snapshot.machine])


def test_a_nested_range_is_deeper(snapshot: Snapshot) -> None:
    disk = by_address(snapshot)["0000:01:00.0"].resources[0]
    own = next(item for item in snapshot.memory if item.name == "0000:01:00.0")
    assert (own.start, own.end) == (disk.start, disk.end)
    assert own.depth >= 2


# what is not a whole snapshot


@pytest.mark.parametrize("section", SECTIONS)
def test_a_cut_in_a_section_is_told_with_what_is_missing(text: str, section: str) -> None:
    lines = text.splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if line.endswith(f" section {section}\n"))
    with pytest.raises(Unreadable) as caught:
        parse_snapshot("".join(lines[: at + 1]), "s.txt")
    (finding,) = caught.value.findings
    rest = SECTIONS[SECTIONS.index(section) + 1 :]
    assert finding.message == (
        f"the snapshot is cut off in its section {section}, without {', '.join(rest) or 'its line `end`'}"
    )
    assert isinstance(finding.at, Span)
    assert finding.at.line == at + 1
    assert finding.help


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_cut_is_noticed(data: st.DataObject) -> None:
    text = RECORDED[0].read_text(encoding="ascii")
    end = data.draw(st.integers(0, len(text) - 2))
    with pytest.raises(Unreadable, match=r"cut off|not a snapshot|instead of"):
        parse_snapshot(text[:end], "s.txt")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_lost_or_longer_line_is_noticed(data: st.DataObject) -> None:
    lines = RECORDED[0].read_text(encoding="ascii").splitlines(keepends=True)
    at = data.draw(st.integers(1, len(lines) - 2))
    lines[at] = data.draw(st.sampled_from(["", lines[at][:-2] + "\n", lines[at][:-1] + "x\n"]))
    with pytest.raises(Unreadable, match=r"missing|instead of|cut off") as caught:
        parse_snapshot("".join(lines), "s.txt")
    assert isinstance(caught.value.findings[0].at, Span)


@pytest.mark.parametrize(
    "foreign", ["", "hello\n", "1/5 hello\n", "\0" * 100, "00:00.0 Host bridge: x\n\t00: 86 80\n"]
)
def test_foreign_text_is_refused(foreign: str) -> None:
    with pytest.raises(Unreadable, match="not a snapshot"):
        parse_snapshot(foreign, "s.txt")


def test_another_version_is_refused_with_both_numbers(text: str) -> None:
    with pytest.raises(Unreadable, match="a snapshot of version 2, and this program reads version 1"):
        parse_snapshot(text.replace("rootplex-snapshot 1", "rootplex-snapshot 2", 1), "s.txt")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"vendor 0x1b36", "vendor 0xzzzz"),
        (r"function 0000:00:02.0", "function 0000:00:42.0"),
        (r"group 0 ", "group x "),
        (r"data config 4096 0", "data config 9999 0"),
        (r"data config 4096 0", "data config four 0"),
        (r"data config 4096 0", "data config 4096 none"),
        (r"firmware dt", "firmware of"),
        (r"range 40000000-7fffffff", "range 40000000+7fffffff"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_its_line(old: str, new: str) -> None:
    text = RECORDED[NAMES.index("arm64-dt-6.1")].read_text(encoding="ascii")
    match = re.search(rf"^(\d+)/(\d+) ({re.escape(old)}.*)$", text, re.MULTILINE)
    assert match is not None
    body = match[3].replace(old, new)
    altered = text[: match.start()] + f"{match[1]}/{len(body)} {body}" + text[match.end() :]
    with pytest.raises(Unreadable) as caught:
        parse_snapshot(altered, "s.txt")
    (finding,) = caught.value.findings
    assert isinstance(finding.at, Span)
    assert finding.at.line == int(match[1])


# a console between us and the kernel

NOISE = "[   12.345678] pci 0000:00:01.0: BAR 0: assigned [mem 0x10000000-0x10000fff]"


def test_a_consoles_line_ends_and_escapes_are_no_matter(text: str) -> None:
    plain = parse_snapshot(text, "s.txt")
    console = (
        "\x1b[2J\x1b[01;01HEFI stub: Booting\r\n" + text.replace("\n", "\r\n") + "reboot: Power down\r\n"
    )
    assert without_places(parse_snapshot(console, "s.txt")) == without_places(plain)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_kernels_own_lines_are_taken_out_wherever_they_break_in(places: list[float]) -> None:
    text = RECORDED[0].read_text(encoding="ascii")
    noisy = text
    for place in sorted(places, reverse=True):
        at = int(place * (len(text) - 1))
        noisy = f"{noisy[:at]}{NOISE}\r\n{noisy[at:]}"
    assert without_places(parse_snapshot(noisy, "s.txt")) == without_places(parse_snapshot(text, "s.txt"))


def test_places_are_lines_of_the_noisy_file(text: str) -> None:
    noisy = f"boot\n{NOISE}\n" + text
    snapshot = parse_snapshot(noisy, "s.txt")
    for function in snapshot.functions:
        assert noisy.splitlines()[function.place.line - 1].endswith(f" function {function.sbdf}")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=string.printable, max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_snapshot("1/19 rootplex-snapshot 1\n" + text, "s.txt")


def without_places(snapshot: Snapshot) -> str:
    return re.sub(r"Span\([^)]*\)", "", repr(snapshot))


def capability(config: bytes, wanted: int, *, extended: bool = False) -> int | None:
    """Where a capability is (PCI Express Base 6.0, 7.5.1.1.11 and 7.6.3)."""
    at = 0x100 if extended else config[0x34] if config[6] & 0x10 else 0
    while at and at < len(config):
        header = int.from_bytes(config[at : at + 4], "little")
        if header & (0xFFFF if extended else 0xFF) == wanted:
            return at
        at = header >> 20 if extended else header >> 8 & 0xFC
    return None


SAID = (
    "PCI: ECAM [mem 0xc0000000-0xcfffffff] (base 0xc0000000) for domain 0001 [bus 00-ff]",
    "PCI: ECAM [mem 0xc0000000-0xcfffffff] reserved as E820 entry",
    "PCI: MMCONFIG at [mem 0xb0000000-0xb7ffffff] reserved in E820",
    "PCI: ECAM [mem 0xa0000000-0xa7ffffff] not reserved in ACPI motherboard resources",
)


def test_what_the_memory_map_reserves_is_known_of_a_running_machine(snapshot: Snapshot) -> None:
    """The words are those of arch/x86/pci/mmconfig-shared.c, is_mmconf_reserved, in 7.2 and in 6.1."""
    memory = (
        Range(0, 0xE0000000, 0xEFFFFFFF, "PCI ECAM 0000 [bus 00-ff]"),
        Range(1, 0xE0000000, 0xEFFFFFFF, "Reserved"),
        Range(0, 0xFED90000, 0xFED90FFF, "dmar0"),
    )
    told = replace(snapshot, memory=memory, messages=tuple(Message(None, text) for text in SAID))
    assert set(told.reserved) == {
        (0xE0000000, 0xF0000000), (0xC0000000, 0xD0000000), (0xB0000000, 0xB8000000),
    }  # fmt: skip
