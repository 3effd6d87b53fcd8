"""DMAR, IORT and RIMT that QEMU makes, read to what Debian 13's `iasl -d` prints of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests import newer_iasl
from tests.acpica import Field
from tests.readers.test_rimt import QEMU_FUNCTION, QEMU_OWN
from tests.readers.test_tables_of_qemu import BRIDGES, ROOT

from rootplex.formats.acpi import RIMT_ATS, RIMT_IS_FUNCTION
from rootplex.jobs.qemu.xen.firmware import TABLES as TABLES_FILE
from rootplex.readers.acpi.dmar import read_dmar
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.iort import read_iort
from rootplex.readers.acpi.iort_facts import ItsGroup, RootComplex, SmmuV3
from rootplex.readers.acpi.rimt import read_rimt
from rootplex.tools import fw_cfg
from rootplex.tools.runner import ToolError

Q35 = ("qemu-system-x86_64", "-nodefaults", "-m", "256M", "-machine", "q35,kernel-irqchip=split")
VIRT = ("qemu-system-aarch64", "-nodefaults", "-m", "256M", "-cpu", "cortex-a57", "-machine")
RISCV = ("qemu-system-riscv64", "-nodefaults", "-m", "256M", "-machine")


@pytest.fixture(scope="session", autouse=True)
def _iasl() -> None:
    try:
        newer_iasl.command()
    except ToolError as error:
        pytest.skip(str(error))


def table_of(argv: tuple[str, ...], signature: str, folder: Path, reach: fw_cfg.Reach = fw_cfg.PC) -> bytes:
    """A table as QEMU gives it to firmware, with the checksum that firmware puts in."""
    blob = fw_cfg.files(argv, (), cwd=folder, reach=reach)[TABLES_FILE]
    at = blob.index(signature.encode())
    return summed(blob[at : at + int.from_bytes(blob[at + 4 : at + 8], "little")])


def summed(table: bytes) -> bytes:
    data = bytearray(table)
    data[9] = -(sum(data) - data[9]) & 0xFF
    return bytes(data)


def numbers(part: list[Field], *names: str) -> tuple[int, ...]:
    """The numbers of the fields whose names begin so, the first of each."""
    return tuple(next(each.number for each in part if each.name.startswith(name)) for name in names)


def printed_dmar(data: bytes) -> list[Any]:
    """Each structure as iasl prints it: (type, flags, segment, base, scopes), a scope (type, id, bus,
    hop)."""
    found: list[Any] = []
    for part in newer_iasl.structures(newer_iasl.fields(data), "Subtable Type", "Device Scope Type"):
        if part[0].name == "Subtable Type":
            base = next((each.number for each in part if each.name == "Register Base Address"), None)
            found.append((*numbers(part, "Subtable Type", "Flags", "PCI Segment Number"), base, []))
        else:
            path = next(each.text for each in part if each.name == "PCI Path")
            hop = tuple(int(word, 16) for word in path.split(","))
            found[-1][-1].append((*numbers(part, "Device Scope Type", "Enumeration ID", "PCI Bus"), hop))
    return found


def read_dmar_as_printed(data: bytes) -> list[Any]:
    table = read_dmar(read_table(data, "dmar"))
    assert table.problems == ()

    def scopes(structure: Any) -> list[Any]:
        return [(each.type, each.enumeration_id, each.start_bus, *each.path) for each in structure.scopes]

    units = [(0, each.flags, each.segment, each.base, scopes(each)) for each in table.drhds]
    return [*units, *((2, each.flags, each.segment, None, scopes(each)) for each in table.atsrs)]


@pytest.mark.parametrize("more", [(), (*BRIDGES, *ROOT)], ids=["alone", "bridges and roots"])
@pytest.mark.parametrize("iotlb", ["off", "on"])
def test_vtd_as_qemu_has_it(iotlb: str, more: tuple[str, ...], tmp_path: Path, program: Any) -> None:
    program("qemu-system-x86_64")
    unit = ("-device", f"intel-iommu,intremap=on,device-iotlb={iotlb}")
    data = table_of((*Q35, *unit, *more), "DMAR", tmp_path)
    read = read_dmar_as_printed(data)
    assert read == printed_dmar(data)
    # Its translations held by devices are an ATSR for all ports (hw/i386/acpi-build.c, build_dmar_q35).
    assert [(type, flags) for type, flags, *_ in read] == [
        (0, read[0][1]),
        *([(2, 1)] if iotlb == "on" else []),
    ]
    assert read[0][3] == 0xFED9_0000


def printed_iort(data: bytes) -> list[Any]:
    """Each node as iasl prints it: (offset, type, what it is, mappings)."""
    found: list[Any] = []
    names = {0: "Identifiers", 2: "PCI Segment Number", 4: "Base Address"}
    for part in newer_iasl.structures(newer_iasl.fields(data), "Type", "Input base"):
        if part[0].name == "Type":
            (type,) = numbers(part, "Type")
            found.append((part[0].offset, type, *numbers(part, names[type]), []))
        else:
            wanted = ("Input base", "ID Count", "Output Base", "Output Reference", "Flags")
            found[-1][-1].append(numbers(part, *wanted))
    return found


def read_iort_as_printed(data: bytes) -> list[Any]:
    table = read_iort(read_table(data, "iort"))
    assert table.problems == ()
    found: list[Any] = []
    for node in table.nodes:
        match node.data:
            case ItsGroup(ids=(what,)) | SmmuV3(base=what) | RootComplex(segment=what):
                mappings = [
                    (each.input_base, each.id_count, each.output_base, each.output_reference, each.flags)
                    for each in node.mappings
                ]
                found.append((node.offset, node.type, what, mappings))
    return found


@pytest.mark.parametrize("more", [(), ("-device", "pxb-pcie,id=px0,bus_nr=64")], ids=["alone", "two roots"])
@pytest.mark.parametrize("unit", ["none", "smmuv3"])
def test_iort_as_qemu_has_it(unit: str, more: tuple[str, ...], tmp_path: Path, program: Any) -> None:
    program("qemu-system-aarch64")
    machine = (*VIRT, f"virt,gic-version=3,iommu={unit}", *more)
    data = table_of(machine, "IORT", tmp_path, fw_cfg.ARM_VIRT)
    read = read_iort_as_printed(data)
    assert read == printed_iort(data)
    assert [type for _, type, *_ in read] == ([0, 2] if unit == "none" else [0, 4, 2])


def printed_rimt(data: bytes) -> list[Any]:
    """Each node as iasl prints it: a unit (offset, function, segment, rid, base), a root complex with its
    mappings."""
    found: list[Any] = []
    for part in newer_iasl.structures(newer_iasl.fields(data), "Type", "Source ID Base"):
        if part[0].name == "Source ID Base":
            wanted = ("Source ID Base", "Number of IDs", "Destination Device ID", "Destination IOMMU Offset")
            found[-1][-1].append(numbers(part, *wanted))
        elif part[0].number == 0:
            base, flags = numbers(part, "Base Address", "Flags")
            segment, rid = numbers(part, "PCIe Segment", "PCIe B/D/F")
            function = (segment, rid, None) if flags & RIMT_IS_FUNCTION else (None, None, base)
            found.append((part[0].offset, *function))
        else:
            segment, flags = numbers(part, "PCIe Segment", "Flags")
            found.append((segment, bool(flags & RIMT_ATS), []))
    return found


def read_rimt_as_printed(data: bytes) -> list[Any]:
    table = read_rimt(read_table(data, "rimt"))
    assert table.problems == ()
    units = [(each.offset, each.segment, each.rid, each.base) for each in table.units]
    roots = [
        (each.segment, each.ats, [(one.first, one.count, one.id, one.unit) for one in each.mappings])
        for each in table.roots
    ]
    return [*units, *roots]


@pytest.mark.parametrize("text", [QEMU_OWN, QEMU_FUNCTION], ids=["registers", "function"])
def test_rimt_as_qemu_11_has_it(text: str) -> None:
    data = summed(bytes.fromhex(text))
    assert read_rimt_as_printed(data) == printed_rimt(data)


@pytest.mark.parametrize(
    "argv",
    [("virt,aia=aplic-imsic,iommu-sys=on",), ("virt,aia=aplic-imsic", "-device", "riscv-iommu-pci,addr=1")],
    ids=["registers", "function"],
)
def test_rimt_as_qemu_here_has_it(argv: tuple[str, ...], tmp_path: Path, program: Any) -> None:
    program("qemu-system-riscv64")
    try:
        data = table_of((*RISCV, *argv), "RIMT", tmp_path, fw_cfg.RISCV_VIRT)
    except (ToolError, ValueError):
        pytest.skip("this QEMU makes no RIMT: 11 does")
    assert read_rimt_as_printed(data) == printed_rimt(data)
