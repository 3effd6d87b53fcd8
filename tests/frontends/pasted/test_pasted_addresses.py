"""BARs, ROMs and windows by what was pasted: lspci's lines and the kernel's tell the same of one machine."""

from __future__ import annotations

import pytest
from tests.capture.pasted.machines import ARMS, NAMES, PCS, pasted, sections

from rootplex.capture.pasted.facts import PastedBar, called
from rootplex.capture.pasted.reading import read_paste
from rootplex.capture.pasted.resources import bars_of, forwarded_of, kernels_bar, kernels_window, rom_of
from rootplex.frontends.pasted.machine import machine_of_pastes
from rootplex.frontends.pasted.windows import host_windows
from rootplex.jobs.check import check_text
from rootplex.jobs.importing import description_text
from rootplex.jobs.pasted.simulation import import_pasted
from rootplex.jobs.settings import RunOptions
from rootplex.source.node import Node


def bars(name: str, command: str) -> dict[str, set[tuple[object, ...]]]:
    found: dict[str, set[tuple[object, ...]]] = {}
    for each in pasted(name, command)[0].functions:
        if each.bars:
            sizes = {(bar.index, bar.space, bar.size, bar.prefetchable) for bar in each.bars}
            found.setdefault(called(each.where), set()).update(sizes)
    return found


@pytest.mark.parametrize("name", PCS)
def test_lspci_and_the_log_tell_the_same_bars(name: str) -> None:
    by_lspci, by_log = bars(name, "lspci -nnvvv"), bars(name, "dmesg")
    assert by_lspci
    assert by_lspci == by_log


@pytest.mark.parametrize("name", PCS)
def test_without_registers_they_are_the_same_but_for_these(name: str) -> None:
    told, numbered = bars(name, "user lspci -nnv"), bars(name, "lspci -nnvvv")
    assert {sbdf: {each[1:] for each in found} for sbdf, found in numbered.items()} == {
        sbdf: {each[1:] for each in found} for sbdf, found in told.items()
    }
    assert {None} == {each[0] for found in told.values() for each in found}


def forwards(name: str, command: str) -> dict[str, set[str]]:
    functions = pasted(name, command)[0].functions
    return {called(each.where): set(map(str, each.forwards)) for each in functions if each.forwards}


COMMANDS = (("lspci -nnvvv",), ("lspci -nnvvv", "dmesg"), ("user lspci -nnv",), ("raw", "dmesg"), ("dmesg",))
PRINTED = [
    (name, commands)
    for name in NAMES
    for commands in COMMANDS
    if all(len(sections(name).get(command, "")) > 200 for command in commands)
]


@pytest.mark.parametrize(("name", "commands"), PRINTED)
def test_what_is_imported_has_room_for_its_bars(name: str, commands: tuple[str, ...]) -> None:
    text = description_text(import_pasted(pasted(name, *commands)))
    assert "bars:" in text
    result = check_text(text.encode(), "x.yaml", RunOptions(bare_metal=True))
    assert {each.code for each in result.findings} <= {"RPX0614"}, "an Arm machine's MSI is in no text"


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_machines_log_has_its_configuration_space_and_io(name: str) -> None:
    """As QEMU's `virt` has them (hw/arm/virt.c, `base_memmap`)."""
    bridge = _bridge(import_pasted(pasted(name, "dmesg")).document)
    assert 0x40_1000_0000 == _number(bridge, "config", "base")
    (ports,) = (each for each in bridge.get("windows").items if each.get("space").value == "io")  # type: ignore[union-attr]
    assert 0x3EFF_0000 == _number(ports, "cpu")


def _bridge(document: Node) -> Node:
    (bridge,) = document.get("host_bridges").items  # type: ignore[union-attr]
    return bridge


def _number(node: Node, *keys: str) -> int:
    for key in keys:
        node = node.get(key)  # type: ignore[assignment]
    return int(str(node.value), 0)


def bar(index: int | None, space: str, size: int, base: int | None, *, pref: bool = False) -> PastedBar:
    return PastedBar(index, space, size, pref, base)  # type: ignore[arg-type]


LINES = {
    "Region 0: Memory at f0000000 (64-bit, prefetchable) [size=256M]": bar(
        0, "mem64", 1 << 28, 0xF000_0000, pref=True
    ),
    "Region 2: Memory at 6000000000 (64-bit, prefetchable) [disabled] [size=16G]": bar(
        2, "mem64", 1 << 34, 0x60_0000_0000, pref=True
    ),
    "Region 1: [virtual] I/O ports at 03f4": None,
    "Region 5: Memory at <unassigned> (32-bit, non-prefetchable) [disabled] [size=2K]": bar(
        5, "mem32", 2048, None
    ),
    "[virtual] Memory at 000001f0 (32-bit, non-prefetchable) [disabled] [size=16]": bar(
        None, "mem32", 16, 0x1F0
    ),
    "I/O ports at e000 [size=128]": bar(None, "io", 128, 0xE000),
    "Memory at fe000000 (32-bit, non-prefetchable) [size=3K]": None,
    "Memory at fe000000 (low-1M, non-prefetchable) [size=64K]": bar(None, "mem32", 1 << 16, 0xFE00_0000),
    "Memory behind bridge: fe000000-fe1fffff [size=2M] [32-bit]": None,
    "reg 0x10: [mem 0xfe000000-0xfe0fffff 64bit pref]": bar(0, "mem64", 1 << 20, 0xFE00_0000, pref=True),
    "reg 0x24: [io  0xf060-0xf07f]": bar(5, "io", 32, 0xF060),
    "reg 0x18: [mem size 0x00004000 64bit]": bar(2, "mem64", 0x4000, None),
    "BAR 4 [io  size 0x0020]": bar(4, "io", 32, None),
    "VF BAR 3 [mem 0xfb2a0000-0xfb2a3fff 64bit pref]": bar(10, "mem64", 1 << 14, 0xFB2A_0000, pref=True),
    "VF BAR 3 [mem 0xfb2a0000-0xfb2bffff 64bit pref]: contains BAR 3 for 8 VFs": None,
    "reg 0x30: [mem 0xfffe0000-0xffffffff pref]": 1 << 17,
    "ROM [mem 0xfebc0000-0xfebfffff pref]": 1 << 18,
    # of a bridge (PCI-to-PCI Bridge 1.2 §3.2.5.13)
    "reg 0x38: [mem 0xfea00000-0xfea1ffff pref]": 1 << 17,
    "BAR 0 [mem 0xfe000000-0xfe000fff]: assigned": None,
}


@pytest.mark.parametrize("line", LINES)
def test_lines_of_addresses(line: str) -> None:
    wanted = LINES[line]
    if line.startswith(("reg", "BAR", "VF", "ROM")):
        assert wanted == kernels_bar(line)
    else:
        assert bars_of(line) == (() if wanted is None else (wanted,))


def test_lines_of_roms_and_bridges() -> None:
    assert 64 << 10 == rom_of("Expansion ROM at fe400000 [disabled] [size=64K]")
    assert 128 << 10 == rom_of("[virtual] Expansion ROM at <unassigned> [disabled] [size=128K]")
    assert 0 == rom_of("Expansion ROM at 000c0000 [virtual] [disabled] [size=128K]"), (
        "the copy of a display's"
    )
    text = (
        "I/O behind bridge: 0000f000-00000fff [disabled]\nMemory behind bridge: d0000000-d1ffffff\n"
        "Prefetchable memory behind bridge: 00000000c0000000-00000000cfffffff [size=256M]\n"
    )
    assert ["mem 0xd0000000-0xd1ffffff", "pref 0xc0000000-0xcfffffff"] == list(map(str, forwarded_of(text)))
    assert "pref 0xc0000000-0xcfffffff" == str(
        kernels_window("  bridge window [mem 0xc0000000-0xcfffffff 64bit pref]")
    )
    # pciutils says so of a window that is not open, whatever its registers hold
    assert () == forwarded_of("I/O behind bridge: 00000000-00000fff [disabled] [16-bit]\n")
    assert None is kernels_window("  bridge window [io  0xf000-0x0fff]")
    assert None is kernels_window("  bridge window [io  0x1000-0x0fff] to [bus 07] add_size 1000")


TWO_ROOTS = """\
00:1c.0 PCI bridge [0604]: A [8086:8c10]
\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0
\tMemory behind bridge: d0000000-d00fffff
\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00
\tKernel driver in use: pcieport

01:00.0 VGA compatible controller [0300]: B [10de:1c82]
\tRegion 0: Memory at d0000000 (32-bit, non-prefetchable) [size=64K]
\tRegion 1: Memory at 4000000000 (64-bit, prefetchable) [size=256M]
\tCapabilities: [68] Express (v2) Legacy Endpoint, MSI 00
\tKernel driver in use: nouveau

80:00.0 Ethernet controller [0200]: C [8086:1533]
\tRegion 0: Memory at d0100000 (32-bit, non-prefetchable) [size=64K]
\tCapabilities: [a0] Express (v2) Root Complex Integrated Endpoint, MSI 00
\tKernel driver in use: igb

80:01.0 Host bridge [0600]: D [8086:0c00]
\tKernel driver in use: x
"""


def test_windows_that_are_assumed_are_not_on_anything_else() -> None:
    """The addresses are neighbours of two root buses; some lie where configuration space is assumed else."""
    text = TWO_ROOTS.replace("d0", "e0")
    described = description_text(import_pasted([read_paste(text, "x.txt")]))
    result = check_text(described.encode(), "x.yaml", RunOptions(bare_metal=True))
    assert [] == [each.message for each in result.findings]
    windows = [
        (each.name, window.space, window.cpu) for each in result.machine.bridges for window in each.windows
    ]
    assert ["mem32", "mem64", "mem32"] == [space for _, space, _ in windows]


@pytest.mark.parametrize("name", PCS)
def test_of_two_texts_the_one_that_numbers_the_registers_has_the_bars(name: str) -> None:
    """`lspci -v` tells none; the log does."""
    numbered = {called(each.where): each.bars for each in pasted(name, "dmesg")[0].functions if each.bars}
    machine = machine_of_pastes(pasted(name, "user lspci -nnv", "dmesg"))
    assert numbered == {called(where): each.bars for where, each in machine.functions.items() if each.bars}


IDE = """\
00:00.0 Host bridge [0600]: A [8086:1237]

00:01.0 ISA bridge [0601]: C [8086:7110]

00:01.1 IDE interface [0101]: B [8086:7111] (prog-if 80 [ISA Compatibility mode-only controller])
\tRegion 0: I/O ports at 01f0 [size=8]
\tRegion 1: I/O ports at 03f4
\tRegion 4: I/O ports at d060 [size=16]
"""


def test_what_a_legacy_disk_has_by_its_class_is_in_no_window() -> None:
    """Ports of the ISA bus, whatever its registers hold (PCI IDE Controller Specification 1.0 §2.1)."""
    machine = machine_of_pastes([read_paste(IDE, "x")])
    ((window, _),) = host_windows(machine)[0, 0].windows
    assert "io" == window.space
    assert 0x3F4 < window.start <= 0xD060
    assert 0xD06F <= window.end
