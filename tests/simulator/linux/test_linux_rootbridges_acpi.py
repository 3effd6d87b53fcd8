"""Host bridges from ACPI: linux.md §2, on tables that iasl makes and acpiexec evaluates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.acpica import compiled, header, needs_acpiexec
from tests.dom0_boots import Willing
from tests.hardware_images import ACS_FULL, Image, endpoint, root_port

from rootplex.formats.hypercalls import PciDeviceAdd, PciMmcfgReserved, Structure
from rootplex.simulator.firmware.facts import AcpiFirmware, acpi_firmware
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.boot import boot
from rootplex.simulator.linux.hypervisor import (
    ConfigAccesses,
    HostBridgeAdd,
)
from rootplex.simulator.linux.state import Dom0State

pytestmark = needs_acpiexec

ECAM = 0x40_0000_0000
ARCHES = ("x86_64", "arm64")
EIO, EBUSY, EEXIST, ENODEV = -5, -16, -17, -19


@dataclass
class Bridge:
    """A host bridge in ASL."""

    name: str = "PCI0"
    segment: int | None = 0
    buses: tuple[int, int] | None = (0, 255)
    bbn: int | None = None
    cba: int | None = None
    status: int | None = None
    preserve: bool = False
    hid: str = "PNP0A08"
    cid: str | None = "PNP0A03"
    window: int = 0x1000_0000
    size: int = 0x100_0000
    pxm: int | None = None

    def text(self) -> str:
        lines = [f'Name (_HID, EisaId ("{self.hid}"))']
        names = {
            "_SEG": self.segment,
            "_BBN": self.bbn,
            "_CBA": self.cba,
            "_STA": self.status,
            "_PXM": self.pxm,
        }
        lines += [f"Name ({name}, {value:#x})" for name, value in names.items() if value is not None]
        if self.cid is not None:
            lines.append(f'Name (_CID, EisaId ("{self.cid}"))')
        resources = []
        if self.buses is not None:
            first, last = self.buses
            resources.append(
                "WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,"
                f" 0, {first:#x}, {last:#x}, 0, {last - first + 1:#x})"
            )
        resources.append(
            "DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,"
            f" 0, {self.window:#x}, {self.window + self.size - 1:#x}, 0, {self.size:#x})"
        )
        lines.append(f"Name (_CRS, ResourceTemplate () {{ {' '.join(resources)} }})")
        if self.preserve:
            lines.append(
                "Method (_DSM, 4) { If (LEqual (Arg2, 5)) { Return (0) } Return (Buffer () { 0x21 }) }"
            )
        return f"Device ({self.name}) {{ {' '.join(lines)} }}"


Entry = tuple[int, int, int, int]
"""(base, segment, first bus, last bus) of MCFG."""


@dataclass
class Machine:
    """ACPI tables of a machine: bridges, MCFG entries, reserved (base, size)."""

    bridges: list[Bridge] = field(default_factory=lambda: [Bridge()])
    mcfg: list[Entry] | None = field(default_factory=lambda: [(ECAM, 0, 0, 255)])
    reserved: list[tuple[int, int]] = field(default_factory=lambda: [(ECAM, 256 << 20)])
    revision: int = 1

    def firmware(self) -> AcpiFirmware:
        ranges = " ".join(
            "QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,"
            f" 0, {base:#x}, {base + size - 1:#x}, 0, {size:#x})"
            for base, size in self.reserved
        )
        text = " ".join(bridge.text() for bridge in self.bridges)
        dsdt = compiled(
            'DefinitionBlock ("", "DSDT", 2, "VENDOR", "BOARD", 1) { Scope (\\_SB) { '
            f'{text} Device (RES0) {{ Name (_HID, EisaId ("PNP0C02"))'
            f" Name (_CRS, ResourceTemplate () {{ {ranges} }}) }} }} }}",
            "dsdt.aml",
        )
        tables = [dsdt]
        if self.mcfg is not None:
            fields = header("MCFG", self.revision) + "[0008] Reserved : 0000000000000000\n"
            for base, segment, first, last in self.mcfg:
                fields += (
                    f"[0008] Base Address : {base:016X}\n[0002] Segment Group Number : {segment:04X}\n"
                    f"[0001] Start Bus Number : {first:02X}\n[0001] End Bus Number : {last:02X}\n"
                    "[0004] Reserved : 00000000\n"
                )
            tables.append(compiled(fields, "mcfg.aml"))
        return acpi_firmware(tables)


def start(machine: Machine, hardware: Hardware | None = None, arch: str = "arm64", **rest: Any) -> Dom0State:
    hypervisor = rest.pop("hypervisor", None)
    arguments: dict[str, Any] = {"arch": arch, "firmware": "acpi", **rest}
    return boot(machine.firmware(), Settings(**arguments), hardware, hypervisor)


def outcome(state: Dom0State) -> list[tuple[int | None, int | None, str | None]]:
    """(segment, ECAM base of the first bus, slug of the fault) of every bridge."""
    return [
        (
            root.segment,
            None if root.config is None else root.config.base,
            None if root.fault is None else root.fault.kind,
        )
        for root in state.root_bridges
    ]


def test_mcfg_base_is_that_of_bus_0() -> None:
    """§11.7: reg base 0x4010000000 with buses 0x10-0x1f is MCFG base 0x400f000000."""
    machine = Machine([Bridge(buses=(0x10, 0x1F))], [(0x400F000000, 0, 0x10, 0x1F)])
    assert outcome(start(machine)) == [(0, 0x4010000000, None)]


def test_mcfg_entry_must_hold_the_whole_bus_range() -> None:
    """§2.2: on arm64 a shorter entry does not match; x86 asks for the first bus only (§2.3)."""
    machine = Machine(mcfg=[(ECAM, 0, 0, 0x3F)], reserved=[(ECAM, 64 << 20)])
    assert outcome(start(machine)) == [(0, None, "ecam-not-found")]
    state = start(machine, arch="x86_64")
    assert outcome(state) == [(0, ECAM, None)]
    assert state.root_bridges[0].effective_end == 0x3F
    assert state.root_bridges[0].last_bus == 0xFF


def test_the_first_matching_entry_wins_and_base_0_is_none() -> None:
    machine = Machine(mcfg=[(ECAM, 1, 0, 255), (ECAM + (1 << 28), 0, 0, 255), (ECAM, 0, 0, 255)])
    assert outcome(start(machine)) == [(0, ECAM + (1 << 28), None)]
    assert outcome(start(Machine(mcfg=[(0, 0, 0, 255)]))) == [(0, None, "ecam-not-found")]
    assert outcome(start(Machine(mcfg=None))) == [(0, None, "ecam-not-found")]


def test_cba_wins_over_mcfg() -> None:
    machine = Machine([Bridge(cba=ECAM + (2 << 28), buses=(0x20, 0x2F))])
    assert outcome(start(machine)) == [(0, ECAM + (2 << 28) + (0x20 << 20), None)]


def test_no_bus_range_in_crs() -> None:
    """§2.1: `_BBN` to 0xff."""
    root = start(Machine([Bridge(buses=None, bbn=0x10)])).root_bridges[0]
    assert (root.first_bus, root.last_bus) == (0x10, 0xFF)


def test_absent_bridges_are_not_scanned_and_pnp0a08_alone_is_not_matched() -> None:
    machine = Machine([Bridge("PCI0", status=0), Bridge("PCI1", cid=None), Bridge("PCI2", segment=None)])
    state = start(machine)
    assert [(root.path, root.fault and root.fault.kind) for root in state.root_bridges] == [
        ("\\_SB.PCI1", "not-matched"),
        ("\\_SB.PCI2", None),
    ]
    assert state.root_bridges[1].segment == 0


def test_one_segment_two_bridges() -> None:
    """§11.8: disjoint buses and one base work; with overlapping buses the second is lost, -16."""
    pair = [Bridge("PCI0", buses=(0, 0x7F)), Bridge("PCI1", buses=(0x80, 0xFF), window=0x2000_0000)]
    assert outcome(start(Machine(pair))) == [(0, ECAM, None), (0, ECAM + (128 << 20), None)]
    pair[1].buses = (0x40, 0xFF)
    state = start(Machine(pair))
    fault = state.root_bridges[1].fault
    assert fault is not None
    assert (fault.errno, fault.kind) == (EBUSY, "config-clash")


def test_same_segment_and_first_bus() -> None:
    """§2.1: registration fails; x86 goes on with the bus that is there."""
    far = ECAM + (1 << 28)
    machine = Machine(
        [Bridge("PCI0"), Bridge("PCI1", cba=far, window=0x2000_0000)], reserved=[(ECAM, 512 << 20)]
    )
    fault = start(machine).root_bridges[1].fault
    assert fault is not None
    assert (fault.errno, fault.kind) == (EEXIST, "bus-exists")
    state = start(machine, arch="x86_64")
    assert state.root_bridges[1].fault is None


def test_nobody_consumes_the_ecam() -> None:
    """§2.2 against §2.3: nothing on arm64; on x86 all ECAM is gone."""
    machine = Machine(reserved=[(0x1000, 0x1000)])
    state = start(machine)
    assert outcome(state) == [(0, ECAM, None)]
    root = start(machine, arch="x86_64").root_bridges[0]
    assert root.config is not None
    assert root.config.kind == "ports"


def test_one_unreserved_entry_takes_all_with_it_on_x86() -> None:
    """§2.3: segment 0 keeps the ports, segment 1 is refused."""
    far = ECAM + (1 << 28)
    bridges = [Bridge("PCI0"), Bridge("PCI1", segment=1, window=0x2000_0000)]
    machine = Machine(bridges, [(ECAM, 0, 0, 255), (far, 1, 0, 255)], [(ECAM, 256 << 20)])
    state = start(machine, arch="x86_64")
    assert outcome(state) == [(0, 0, None), (1, None, "ports-not-reaching")]
    fault = state.root_bridges[1].fault
    assert fault is not None
    assert fault.errno == EIO


def test_partly_reserved_region_is_halved_on_x86() -> None:
    state = start(Machine(reserved=[(ECAM, 100 << 20)]), arch="x86_64")
    assert state.root_bridges[0].effective_end == 63
    assert outcome(start(Machine(reserved=[(ECAM, 15 << 20)]), arch="x86_64")) == [(0, 0, None)]


@pytest.mark.parametrize(
    ("base", "revision", "kind"), [(0, 1, "ports"), (ECAM, 0, "ports"), (ECAM, 1, "ecam")]
)
def test_entries_that_drop_the_table_on_x86(base: int, revision: int, kind: str) -> None:
    root = start(Machine(mcfg=[(base, 0, 0, 255)], revision=revision), arch="x86_64").root_bridges[0]
    assert root.config is not None
    assert root.config.kind == kind


def test_of_two_entries_for_one_bus_x86_takes_the_later() -> None:
    """`list_add_sorted` (mmconfig-shared.c) puts it in front; seen in a boot of 6.1 with two such entries."""
    far = ECAM + (1 << 28)
    entries = [(ECAM, 0, 0, 255), (far, 0, 0, 255)]
    machine = Machine(mcfg=entries, reserved=[(ECAM, 512 << 20)])
    assert outcome(start(machine, arch="x86_64")) == [(0, far, None)]
    assert outcome(start(machine)) == [(0, ECAM, None)]


def test_the_window_below_a_megabyte_is_no_ram_of_a_pc() -> None:
    """`trim_bios_range` (arch/x86/kernel/setup.c); a boot of 6.1 keeps the window."""
    machine = Machine([Bridge(window=0xA_0000, size=0x2_0000)])
    memory = ((0, 0x4000_0000),)
    windows = {arch: start(machine, arch=arch, memory=memory).root_bridges[0].windows for arch in ARCHES}
    assert {arch: [each.cpu for each in found] for arch, found in windows.items()} == {
        "x86_64": [0xA_0000],
        "arm64": [],
    }


def test_ecam_in_ram_and_windows_that_clash() -> None:
    """§2.1: a window that clashes is left out and the bridge lives; ECAM in RAM is its end."""
    state = start(Machine(), memory=((0x1000_0000, 0x1000),))
    assert outcome(state) == [(0, ECAM, None)]
    assert state.root_bridges[0].windows == ()
    assert outcome(start(Machine(), memory=((ECAM, 0x1000),))) == [(0, ECAM, "config-clash")]


def test_firmware_bus_numbers_are_kept() -> None:
    """§4.5: never reassigned with ACPI on arm64."""
    port = root_port(acs=ACS_FULL)
    port.put(0x18, 4, 0x00_09_05_00, 0xFFFFFF)
    hardware = Image().bridge(base=ECAM).tree([("rp", 0, port, [("ep", 0, endpoint())])]).hardware()
    state = start(Machine(), hardware)
    assert [function.sbdf for function in state.functions] == ["0000:00:00.0", "0000:05:00.0"]
    assert state.functions[0].acs == (ACS_FULL, 0), "no IORT mapping asks for ACS"


ADD = "pci_device_add"


class Recorder(Willing):
    """Notes hypercalls; `results` answers them by name."""

    def __init__(self, hardware: Hardware, **results: int) -> None:
        super().__init__(hardware)
        self.results = results
        self.calls: list[tuple[str, Any]] = []

    def note(self, name: str, call: Any) -> int:
        self.calls.append((name, call))
        return self.results.get(name, 0)

    def hypercall(self, op: str, args: Structure) -> int:
        return self.note(op, args)

    def pci_host_bridge_add(self, call: HostBridgeAdd, config: ConfigAccesses) -> int:
        return self.note("bridge", call)


def test_x86_confirms_ecam_before_the_first_device() -> None:
    """linux.md §7: once, for every region, then the devices; a `_CBA` bridge later is missed."""
    far, third = ECAM + (1 << 28), ECAM + (2 << 28)
    bridges = [
        Bridge("PCI0", pxm=3),
        Bridge("PCI1", segment=1, window=0x2000_0000),
        Bridge("PCI2", segment=2, window=0x3000_0000, cba=third),
    ]
    machine = Machine(bridges, [(far, 1, 0, 255), (ECAM, 0, 0, 255)], [(ECAM, 768 << 20)])
    image = Image()
    for index in range(3):
        image.bridge(f"h{index}", base=ECAM + (index << 28)).function(
            f"f{index}", endpoint(), bridge=f"h{index}"
        )
    hardware = image.hardware()
    recorder = Recorder(hardware)
    state = start(machine, hardware, "x86_64", hypervisor=recorder, discovery="xen")
    assert len(state.functions) == 3
    assert recorder.calls == [
        ("pci_mmcfg_reserved", PciMmcfgReserved(address=ECAM, segment=0, start_bus=0, end_bus=255, flags=1)),
        ("pci_mmcfg_reserved", PciMmcfgReserved(address=far, segment=1, start_bus=0, end_bus=255, flags=1)),
        ("pci_device_add", PciDeviceAdd(seg=0, bus=0, devfn=0, flags=4, pxm=3)),
        ("pci_device_add", PciDeviceAdd(seg=1, bus=0, devfn=0)),
        ("pci_device_add", PciDeviceAdd(seg=2, bus=0, devfn=0)),
    ]


def test_legacy_calls_know_segment_0_only() -> None:
    """linux.md §7: after one -ENOSYS, for good."""
    bridges = [Bridge("PCI0"), Bridge("PCI1", segment=1, window=0x2000_0000)]
    machine = Machine(bridges, [(ECAM, 0, 0, 255), (ECAM + (1 << 28), 1, 0, 255)])
    image = Image()
    for index in range(2):
        image.bridge(f"h{index}", base=ECAM + (index << 28)).function(
            f"f{index}", endpoint(), bridge=f"h{index}"
        )
    hardware = image.hardware()
    recorder = Recorder(hardware, pci_device_add=-38)
    state = start(machine, hardware, hypervisor=recorder, discovery="xen")
    assert [name for name, _ in recorder.calls] == ["pci_device_add", "manage_pci_add"]
    assert [event.result for event in state.events if event.kind == "device-added"] == [0, -38]


@pytest.mark.parametrize(
    ("when", "order"),
    [
        ("before-scan", ["bridge", ADD, ADD]),
        ("after-scan", [ADD, ADD, "bridge"]),
        ("after-first-device", [ADD, "bridge", ADD]),
    ],
)
def test_when_bridges_are_registered(when: str, order: list[str]) -> None:
    """The 2017 design's call, at the moment `registers` names."""
    hardware = Image().bridge(base=ECAM).tree([("a", 0, endpoint()), ("b", 8, endpoint())]).hardware()
    recorder = Recorder(hardware)
    start(Machine(), hardware, hypervisor=recorder, registers=when)
    assert [name for name, _ in recorder.calls] == order
    call = dict(recorder.calls)["bridge"]
    assert call == HostBridgeAdd(segment=0, start_bus=0, end_bus=255, kind="ecam", base=ECAM, size=256 << 20)


def test_dsm_5_keeps_what_firmware_placed() -> None:
    """§2.1: integer 0 preserves; else everything is placed anew on arm64."""

    def placed(preserve: bool) -> int | None:
        page = endpoint().bar(0, 1 << 20)
        page.put(0x10, 4, 0x1080_0000, 0xFFF0_0000)
        hardware = Image().bridge(base=ECAM).function("f", page).hardware()
        return start(Machine([Bridge(preserve=preserve)]), hardware).functions[0].bars[0].cpu

    assert placed(True) == 0x1080_0000
    assert placed(False) == 0x1000_0000


def test_ports_reach_segment_0() -> None:
    """§2.3: without ECAM 256 bytes through the ports, so no ACS."""
    hardware = (
        Image()
        .bridge(base=ECAM)
        .tree([("rp", 0, root_port(acs=ACS_FULL), [("ep", 0, endpoint())])])
        .hardware()
    )
    state = start(Machine(mcfg=None), hardware, "x86_64")
    assert [(f.page, f.config_size, f.acs) for f in state.functions] == [("rp", 256, None), ("ep", 256, None)]


def test_ports_that_are_taken_leave_segment_0_to_ecam() -> None:
    """`reserve=0xcf8,8`: pci_direct_probe (arch/x86/pci/direct.c) finds them busy."""
    hardware = Image().bridge(base=ECAM).tree([("rp", 0, root_port())])
    hardware.bridge("b1", base=ECAM + (1 << 28)).tree([("far", 0, root_port())], bridge="b1")
    machine = Machine(mcfg=[(ECAM + (1 << 28), 0, 0, 255)], reserved=[(ECAM, 512 << 20)])
    found = [
        start(machine, hardware.hardware(), "x86_64", ports_taken=taken).functions[0].page
        for taken in (False, True)
    ]
    assert found == ["rp", "far"]
