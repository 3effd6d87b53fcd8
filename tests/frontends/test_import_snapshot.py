"""Recorded snapshots, and lspci's text made of them, as descriptions."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from rootplex.capture.facts import KernelFunction, Snapshot
from rootplex.capture.pasted.reading import read_paste
from rootplex.capture.snapshot import parse_snapshot
from rootplex.frontends.document import Imported
from rootplex.frontends.pasted.importing import import_pastes
from rootplex.frontends.pasted.machine import machine_of_pastes
from rootplex.frontends.snapshot import import_snapshot
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import read_checked
from rootplex.model.controllers import DtNode, RiscvIommu
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.source.finding import Unreadable

RECORDED = Path(__file__).resolve().parents[1] / "capture" / "recorded"
NAMES = sorted(path.stem for path in RECORDED.glob("*.txt"))

# The machine of `recorded/README.md`: (device, function, type, ids, what is below).
TREE = {
    "1b36:000c": {"1b36:0010", "1b36:000e"},
    "1b36:000e": {"8086:100e"},
}


def snapshot(name: str) -> Snapshot:
    return parse_snapshot((RECORDED / f"{name}.txt").read_text(), f"{name}.txt")


def described(name: str) -> Platform:
    checked = read_checked(to_yaml(import_snapshot(snapshot(name)).document).encode(), f"{name}.yaml")
    assert () == checked.findings
    assert checked.platform is not None
    return checked.platform


def ids(device: Device) -> str:
    return f"{device.vendor:04x}:{device.device:04x}"


@pytest.mark.parametrize("name", NAMES)
def test_every_function_of_the_kernel_is_described(name: str) -> None:
    (bridge,) = described(name).host_bridges
    kernels = sorted(
        (f"{each.vendor:04x}:{each.device:04x}", each.class_code, each.sbdf.devfn)
        for each in snapshot(name).functions
    )
    assert kernels == sorted((ids(each), each.class_code, each.devfn) for each in bridge.walk())


@pytest.mark.parametrize("name", NAMES)
def test_the_tree_and_the_kinds_are_the_machines(name: str) -> None:
    (bridge,) = described(name).host_bridges
    below = {ids(each): {ids(child) for child in each.devices} for each in bridge.walk() if each.devices}
    assert below["1b36:000e"] == TREE["1b36:000e"]
    ports = [each for each in bridge.walk() if ids(each) == "1b36:000c"]
    assert TREE["1b36:000c"] == {ids(child) for port in ports for child in port.devices}
    assert {"root-port"} == {port.type for port in ports}
    assert all(port.acs is not None and "sv" in port.acs and port.hotplug for port in ports)
    (disk, _) = (each for each in bridge.walk() if ids(each) == "1b36:0010")
    assert (65, "mem64", 16 << 10) == (disk.msix, disk.bars[0].space, disk.bars[0].size)


def test_a_riscv_machine_by_acpi_is_its_firmwares() -> None:
    """QEMU's own RIMT and MADT (hw/riscv/virt-acpi-build.c), the kernel's `riscv-imsic` lines and units."""
    platform = described("riscv64-acpi-7.2")
    assert (platform.arch, platform.firmware) == ("riscv64", ("acpi",))
    (unit,), (lines,), (messages,) = (
        platform.iommus, platform.interrupt_controllers, platform.msi_controllers
    )  # fmt: skip
    assert isinstance(unit, RiscvIommu)
    assert isinstance(lines, DtNode)
    assert isinstance(messages, DtNode)
    assert (unit.base, lines.base, messages.base) == (0x301_0000, 0xD00_0000, 0x2800_0000)
    (bridge,) = platform.host_bridges
    assert bridge.iommu is not None
    assert bridge.msi is not None
    assert [(each.rid, each.id, each.count) for each in bridge.iommu.entries] == [(0, 0, 0x1_0000)]
    assert (bridge.iommu.unit, bridge.msi.controller) == (unit.name, messages.name)


def test_memory_is_the_kernels_where_acpi_does_not_say_it() -> None:
    areas = [(each.base, each.base + each.size - 1) for each in described("x86-acpi-6.1").memory]
    told = [
        (each.start, each.end)
        for each in snapshot("x86-acpi-6.1").memory
        if each.name == "System RAM" and each.depth == 0
    ]
    assert [each for each in told if each[1]] == areas


def lspci(functions: tuple[KernelFunction, ...]) -> Iterator[str]:
    """The functions as `lspci -Dxxxx` prints them (pciutils ls-main.c)."""
    for function in functions:
        yield f"{function.sbdf} Class {function.class_code >> 8:04x}: {function.vendor:04x}"
        for at in range(0, len(function.config), 16):
            yield f"{at:02x}: {function.config[at : at + 16].hex(' ')}"
        yield ""


def import_lspci(text: str, file: str) -> Imported:
    return import_pastes(machine_of_pastes([read_paste(text, file)]))


def test_lspci_text_gives_the_same_devices_and_says_what_it_lacks() -> None:
    recorded = snapshot("arm64-acpi-6.1")
    source = import_lspci("\n".join(lspci(recorded.functions)), "host.txt")
    assert ("0000:00",) == source.bridges
    assert {"config.base", "windows"} <= {each.what for each in source.missing}
    text = to_yaml(source.document)
    assert "config: {base: 0xe000_0000}  # assumed: no text tells it" in text
    checked = read_checked(text.encode(), "host.yaml")
    assert () == checked.findings
    assert checked.platform is not None
    (bridge,) = checked.platform.host_bridges
    (whole,) = described("arm64-acpi-6.1").host_bridges
    assert [(each.key, each.type, ids(each)) for each in whole.walk()] == [
        (each.key, each.type, ids(each)) for each in bridge.walk()
    ]
    last = max(each.sbdf.bus for each in recorded.functions)
    assert (0, last) == (bridge.bus_range.first, bridge.bus_range.last)


def test_lspci_makes_a_bridge_for_each_root_bus_and_domain() -> None:
    header = "00: 86 80 00 15 00 00 00 00 00 00 00 02" + " 00" * 4
    rest = "\n".join(f"{at:02x}:" + " 00" * 16 for at in (16, 32, 48))
    text = "\n".join(
        f"{name} Class 0200: 8086:1500\n{header}\n{rest}\n" for name in ("00:00.0", "80:05.0", "0001:00:01.0")
    )
    assert ("0000:00", "0000:80", "0001:00") == import_lspci(text, "x").bridges


def test_text_that_only_names_a_function_is_refused() -> None:
    with pytest.raises(Unreadable, match="no function that lspci, pvesh or virsh shows"):
        import_lspci("00:00.0 is the host bridge\n", "x")


FACING = """DefinitionBlock ("", "SSDT", 2, "TEST", "TEST", 1) { External (\\_SB.PCI0, DeviceObj)
  Scope (\\_SB.PCI0) { Device (RPX1) { Name (_ADR, 0x00020001) Name (_DSD, Package () {
    ToUUID ("efcc06cc-73ac-4bc3-bff0-76143807c389"),
    Package () { Package () { "ExternalFacingPort", 1 } } }) } } }
"""


@pytest.mark.parametrize("name", ["arm64-dt-7.2", "x86-acpi-6.1"])
def test_a_port_that_firmware_says_to_face_outward(
    name: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    """By a node of its own in the device tree, and by `_DSD` in AML."""
    given = snapshot(name)
    if given.dtb is not None:
        file, node = tmp_path / "facing.dtb", "/pcie@10000000/port@2,1"
        file.write_bytes(given.dtb.data)
        subprocess.run([program("fdtput"), "-c", file, node], check=True)
        subprocess.run([program("fdtput"), "-t", "x", file, node, "reg", "1100", *"0000"], check=True)
        subprocess.run([program("fdtput"), file, node, "external-facing"], check=True)
        given = replace(given, dtb=replace(given.dtb, data=file.read_bytes()))
    else:
        (tmp_path / "facing.asl").write_text(FACING)
        subprocess.run([program("iasl"), "-vs", "facing.asl"], cwd=tmp_path, capture_output=True, check=True)
        more = replace(given.tables[0], data=(tmp_path / "facing.aml").read_bytes())
        given = replace(given, tables=(*given.tables, more))
    checked = read_checked(to_yaml(import_snapshot(given).document).encode(), "facing.yaml")
    assert checked.platform is not None
    (bridge,) = checked.platform.host_bridges
    assert [each.devfn for each in bridge.walk() if each.external_facing] == [0x11]
