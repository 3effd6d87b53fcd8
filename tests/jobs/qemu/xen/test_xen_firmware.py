"""Our tables as the firmware's: laid out, linked by a loader as SeaBIOS has one, and QEMU's own read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.jobs.qemu.xen.firmware import (
    LOADER,
    RSDP,
    TABLES,
    linked,
    machine_tables,
    with_own,
    with_tables,
)
from rootplex.tools.runner import ToolError

BASES = {TABLES: 0x3FFF_0000, RSDP: 0xF_5000}


def table(signature: bytes, body: bytes) -> bytes:
    """A table with a header of ACPI 6.5 §5.2.6 and a right checksum."""
    head = struct.pack(
        "<4sIBB6s8sI4sI", signature, 36 + len(body), 1, 0, b"BOCHS ", b"BXPC    ", 1, b"BXPC", 1
    )
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return bytes(data)


MADE = {
    "FACS": b"FACS" + struct.pack("<I", 64) + bytes(56),
    "DSDT": table(b"DSDT", b"theirs"),
    "FACP": table(b"FACP", bytes(244 - 36)),
    "APIC": table(b"APIC", b"interrupts"),
    "MCFG": table(b"MCFG", bytes(24)),
    "RSDT": table(b"RSDT", bytes(12)),
}
OWN = {
    "dsdt.aml": table(b"DSDT", b"our own"),
    "mcfg.aml": table(b"MCFG", bytes(40)),
    "ssdt.aml": table(b"SSDT", b"x"),
}


def loaded(files: dict[str, bytes]) -> dict[str, bytearray]:
    """What QEMU's script makes of the files at their addresses (hw/acpi/bios-linker-loader.c)."""
    memory = {name: bytearray(files[name]) for name in BASES}
    for at in range(0, len(files[LOADER]), 128):
        command = files[LOADER][at : at + 128]
        name = command[4:60].rstrip(b"\0").decode()
        match int.from_bytes(command[:4], "little"):
            case 1:
                assert name in BASES
            case 2:
                source = command[60:116].rstrip(b"\0").decode()
                offset, size = struct.unpack_from("<IB", command, 116)
                value = int.from_bytes(memory[name][offset : offset + size], "little") + BASES[source]
                memory[name][offset : offset + size] = value.to_bytes(size, "little")
            case 3:
                offset, start, length = struct.unpack_from("<III", command, 60)
                memory[name][offset] = (
                    memory[name][offset] - sum(memory[name][start : start + length])
                ) & 0xFF
            case other:
                raise AssertionError(other)
    return memory


def test_every_table_is_found_from_the_root_and_sums_to_0() -> None:
    tables = with_own(MADE, OWN)
    memory = loaded(linked(tables))
    ram = memory[TABLES]

    def at(address: int) -> bytes:
        start = address - BASES[TABLES]
        return bytes(ram[start : start + int.from_bytes(ram[start + 4 : start + 8], "little")])

    root = bytes(memory[RSDP])
    assert (root[:8], sum(root) & 0xFF) == (b"RSD PTR ", 0)
    rsdt = at(int.from_bytes(root[16:20], "little"))
    entries = [at(address) for (address,) in struct.iter_unpack("<I", rsdt[36:])]
    assert [each[:4] for each in entries] == [b"FACP", b"APIC", b"MCFG", b"SSDT"]
    assert all(sum(each) & 0xFF == 0 for each in (rsdt, *entries))
    assert entries[1:] == [MADE["APIC"], OWN["mcfg.aml"], OWN["ssdt.aml"]]
    facs, dsdt = struct.unpack_from("<II", entries[0], 36)
    x_facs, x_dsdt = struct.unpack_from("<QQ", entries[0], 132)
    assert (at(facs), at(dsdt), x_facs, x_dsdt) == (MADE["FACS"], OWN["dsdt.aml"], 0, dsdt)


def test_the_machine_has_no_tables_of_its_own_then() -> None:
    argv = with_tables(["qemu", "-machine", "q35"], {TABLES: Path("/a,b/tables")})
    assert argv == ["qemu", "-machine", "q35,acpi=off", "-fw_cfg", "name=etc/acpi/tables,file=/a,,b/tables"]


def test_what_qemu_makes_for_its_machine(tmp_path: Path, program: Callable[[str], str]) -> None:
    """PM1a events at 0x600, where SeaBIOS puts the ICH9's registers, and a table for each CPU."""
    argv = [program("qemu-system-x86_64"), "-nodefaults", "-machine", "q35", "-device", "intel-iommu"]
    found = machine_tables(argv, tmp_path)
    assert {"FACP", "FACS", "DSDT", "APIC", "HPET", "MCFG", "DMAR", "WAET"} <= found.keys()
    assert struct.unpack_from("<I", found["FACP"], 56) == (0x600,)
    assert struct.unpack_from("<QHBB", found["MCFG"], 44) == (0xB000_0000, 0, 0, 255)


@pytest.mark.parametrize("machine", ["none", "microvm"])
def test_a_machine_without_such_tables_is_refused(
    machine: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    argv = [program("qemu-system-x86_64"), "-nodefaults", "-machine", machine]
    with pytest.raises(ToolError, match="QEMU"):
        machine_tables(argv, tmp_path)
