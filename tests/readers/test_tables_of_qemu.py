"""IVRS and VIOT that QEMU makes, and ours, read to what Debian 13's `iasl -d` prints of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests import newer_iasl
from tests.readers.test_ivrs import PC
from tests.readers.test_viot import TEXT

from rootplex.backends.compilation import compile_platform
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.xen.firmware import REGISTERS
from rootplex.jobs.qemu.xen.firmware import TABLES as TABLES_FILE
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.ivrs import Ivrs, read_ivrs
from rootplex.readers.acpi.viot import Viot, read_viot
from rootplex.tools import fw_cfg
from rootplex.tools.runner import ToolError

Q35 = ("qemu-system-x86_64", "-nodefaults", "-m", "256M", "-machine")
AMD = (*Q35, "q35,kernel-irqchip=split", "-device")
VIRTIO = (*Q35, "q35", "-device")
BRIDGES = (
    "-device", "pcie-root-port,id=rp0,addr=4", "-device", "nec-usb-xhci,bus=rp0",
    "-device", "pcie-pci-bridge,id=br0,addr=5", "-device", "pci-testdev,bus=br0,addr=2",
    "-device", "pci-bridge,id=br1,addr=6,chassis_nr=7", "-device", "pci-testdev,bus=br1,addr=3",
)  # fmt: skip
NUMBERS = tuple((dev << 3, 0x18, bus << 16 | bus << 8) for bus, dev in enumerate((4, 5, 6), start=1))
"""What firmware would write: the buses below those three, 1 to 3."""
ROOT = ("-device", "pxb-pcie,id=px0,bus_nr=64", "-device", "pcie-root-port,bus=px0,id=rp1,chassis=9,addr=1")


@pytest.fixture(scope="session", autouse=True)
def _iasl(program: Any) -> None:
    program("qemu-system-x86_64")
    try:
        newer_iasl.command()
    except ToolError as error:
        pytest.skip(str(error))


def table_of(argv: tuple[str, ...], signature: str, folder: Path) -> bytes:
    """A table as QEMU gives it to firmware, with the checksum that firmware puts in."""
    blob = fw_cfg.files(argv, (*REGISTERS, *NUMBERS), cwd=folder)[TABLES_FILE]
    at = blob.index(signature.encode())
    data = bytearray(blob[at : at + int.from_bytes(blob[at + 4 : at + 8], "little")])
    data[9] = -(sum(data) - data[9]) & 0xFF
    return bytes(data)


def ours(text: str, name: str) -> bytes:
    platform = read_checked(text.encode(), "ours.yaml").platform
    assert platform is not None
    return compile_platform(platform).files[name]


def printed_units(data: bytes) -> list[tuple[Any, ...]]:
    """The blocks of IVRS as iasl prints them: (type, flags, function, capability, base, segment, entries),
    an entry (first, last, alias, (handle, variety))."""
    units: list[tuple[Any, ...]] = []
    begun: tuple[int, int | None] = (0, None)
    for part in newer_iasl.structures(newer_iasl.fields(data), "Subtable Type", "Entry Type"):
        type, of = part[0].number, {each.name: each for each in part}
        if type in (0x10, 0x11, 0x40):
            names = ("DeviceId", "Capability Offset", "Base Address", "PCI Segment Group")
            flags = next(each for each in part if each.name.startswith("Flags"))
            units.append((type, flags.number, *(of[name].number for name in names), []))
            continue
        id = of["Device ID"].number
        alias = of["Source Used Device ID"].number if "Source Used Device ID" in of else None
        entries = units[-1][-1]
        if type in (0x03, 0x43):
            begun = id, alias
        elif type == 0x04:
            entries.append((begun[0], id, begun[1], None))
        elif type == 0x48:
            entries.append((alias, alias, None, (of["Handle"].number, of["Variety"].number)))
        else:
            assert type in (0x02, 0x42), f"{type:#x}"
            entries.append((id, id, alias, None))
    return units


def read_units(table: Ivrs) -> list[tuple[Any, ...]]:
    assert table.problems == ()
    return [
        (
            unit.type,
            unit.flags,
            unit.device_id,
            unit.capability,
            unit.base,
            unit.segment,
            [(each.first, each.last, each.alias, each.special) for each in unit.ids],
        )
        for unit in table.ivhds
    ]


def printed_nodes(data: bytes) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The nodes of VIOT as iasl prints them: (offset, segment, function), and ranges."""
    units: list[tuple[int, ...]] = []
    ranges: list[tuple[int, ...]] = []
    for part in newer_iasl.structures(newer_iasl.fields(data), "Type"):
        numbers = {each.name: each.number for each in part}
        if numbers["Type"] == 3:
            units.append((part[0].offset, numbers["PCI Segment"], numbers["PCI BDF number"]))
        else:
            assert numbers["Type"] == 1
            names = ("PCI Segment start", "PCI Segment end", "PCI BDF start", "PCI BDF end")
            ranges.append(tuple(numbers[name] for name in (*names, "Endpoint start", "Output node")))
    return units, ranges


def read_nodes(table: Viot) -> tuple[list[tuple[Any, ...]], list[tuple[int, ...]]]:
    assert table.problems == ()
    return [(each.offset, each.segment, each.rid) for each in table.units], [
        (each.first_segment, each.last_segment, each.first, each.last, each.endpoint, each.unit)
        for each in table.ranges
    ]


@pytest.mark.parametrize(
    "more", [(), BRIDGES, (*BRIDGES, *ROOT)], ids=["alone", "bridges", "bridges and roots"]
)
@pytest.mark.parametrize("unit", ["amd-iommu", "amd-iommu,intremap=on"])
def test_amds_units_as_qemu_has_them(unit: str, more: tuple[str, ...], tmp_path: Path) -> None:
    data = table_of((*AMD, unit, *more), "IVRS", tmp_path)
    read = read_units(read_ivrs(read_table(data, "ivrs")))
    assert read == printed_units(data)
    assert read[0][4] == 0xFED8_0000
    aliases = {(first, last): alias for first, last, alias, _ in read[0][-1] if alias is not None}
    # What is below a conventional bridge carries another id (hw/i386/acpi-build.c, insert_ivhd).
    assert bool(aliases) == bool(more)


@pytest.mark.parametrize("more", [(), BRIDGES, (*BRIDGES, *ROOT)], ids=["alone", "bridges", "roots"])
@pytest.mark.parametrize("unit", ["virtio-iommu-pci,addr=7", "virtio-iommu-pci,addr=1d.0"])
def test_virtio_iommus_as_qemu_has_them(unit: str, more: tuple[str, ...], tmp_path: Path) -> None:
    data = table_of((*VIRTIO, unit, *more), "VIOT", tmp_path)
    read = read_nodes(read_viot(read_table(data, "viot")))
    assert read == printed_nodes(data)
    assert [rid for _, _, rid in read[0]] == [0x38 if "addr=7" in unit else 0xE8]
    assert len(read[1]) == (2 if more[-len(ROOT) :] == ROOT else 1)


def test_ours_are_read_by_iasl() -> None:
    ivrs, viot = ours(PC, "ivrs.aml"), ours(TEXT, "viot.aml")
    assert read_units(read_ivrs(read_table(ivrs, "ivrs"))) == printed_units(ivrs)
    assert len(printed_units(ivrs)) == 4
    nodes = read_nodes(read_viot(read_table(viot, "viot")))
    assert nodes == printed_nodes(viot)
    assert (len(nodes[0]), len(nodes[1])) == (1, 2)
