"""MCFG in an x86 Xen (xen.md §3.1-§3.3), and ACPI on Arm (§0.2)."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulator.xen.xen_machines import ARM, FakeMachine, Page, add

from rootplex.formats.hypercalls import PciDeviceAdd, PciMmcfgReserved
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.mcfg import Mcfg, read_mcfg
from rootplex.simulator.xen.boot import Firmware
from rootplex.simulator.xen.core import Options
from rootplex.simulator.xen.machine import Xen

X86 = replace(ARM, arch="x86_64", firmware="acpi", iommu=False)
LOW, HIGH = 0xB000_0000, 0x80_0000_0000
Entry = tuple[int, int, int, int]


def mcfg(*entries: Entry, revision: int = 1, oem: bytes = b"ACME", tail: bytes = b"") -> Mcfg:
    """A table of (base, segment, start, end) entries, written by the specification's layout."""
    body = bytes(8) + b"".join(struct.pack("<QHBBI", *entry, 0) for entry in entries) + tail
    header = struct.pack("<4sIBB6s8sI4sI", b"MCFG", 36 + len(body), revision, 0, oem, b"", 0, b"", 0)
    data = bytearray(header + body)
    data[9] = -sum(data) & 0xFF
    return read_mcfg(read_table(bytes(data), "mcfg.aml"))


def booted(table: Mcfg | None, options: Options | None = None, **settings: Any) -> Xen:
    machine = FakeMachine({0x00: Page(), 0x4000: Page(ids=0x12345678)}, ((LOW, 1 << 28), (HIGH, 1 << 28)))
    return Xen(replace(X86, **settings), machine, Firmware(mcfg=table), options=options)


def enabled(xen: Xen) -> list[bool]:
    return [window.enabled for window in xen.core.windows.windows]


def slugs(xen: Xen) -> list[str]:
    return [notice.kind for notice in xen.notices]


ONE: Entry = (LOW, 0, 0, 0xFF)


def test_entries_create_segments() -> None:
    xen = booted(mcfg(ONE, (HIGH, 2, 0, 0xF)))
    assert list(xen.core.records.segments) == [0, 2]
    assert (enabled(xen), xen.core.windows.valid) == ([True, True], True)


def test_segment_0_is_there_without_mcfg() -> None:
    for xen in (booted(None), booted(mcfg()), booted(mcfg(ONE), Options(mmcfg=False))):
        assert list(xen.core.records.segments) == [0]
        assert enabled(xen) == []


def test_a_remainder_is_ignored() -> None:
    assert enabled(booted(mcfg(ONE, tail=bytes(7)))) == [True]


TRUST = [
    (1, b"ACME", 2010, True),
    (1, b"ACME", 2009, False),
    (0, b"ACME", 2020, False),
    (0, b"SGI", 2000, True),
]


@pytest.mark.parametrize(("revision", "oem", "year", "taken"), TRUST)
def test_above_4_gib(revision: int, oem: bytes, year: int, taken: bool) -> None:
    """One refused entry discards the whole table; the entries before it have made their segments."""
    reserved = ((LOW, 1 << 28), (HIGH, 1 << 28))
    table = mcfg((LOW, 5, 0, 0xFF), (HIGH, 6, 0, 0xFF), revision=revision, oem=oem)
    xen = booted(table, Options(bios_year=year, reserved=reserved))
    assert enabled(xen) == ([True, True] if taken else [])
    assert list(xen.core.records.segments) == ([0, 5, 6] if taken else [0, 5])


def test_a_first_base_of_0_makes_all_unusable() -> None:
    xen = booted(mcfg((0, 0, 0, 0xFF), (LOW, 1, 0, 0xFF)))
    assert (enabled(xen), slugs(xen)) == ([], ["mcfg-base-zero"])
    assert enabled(booted(mcfg(ONE, (0, 1, 0, 0)))) == [True, True]


AREAS = [
    # (BIOS year, reserved, memory, enabled, end bus)
    (2015, (), (), False, 0xFF),
    (2015, ((LOW, 1 << 28),), (), True, 0xFF),
    (2015, ((LOW, 1 << 26),), (), True, 0x3F),
    (2015, ((LOW, 1 << 23),), (), False, 0xFF),
    (2016, (), (), True, 0xFF),
    (2016, (), ((LOW + (1 << 27), 1 << 20),), True, 0x7F),
    (2016, (), ((LOW, 1 << 20),), False, 0xFF),
]


@pytest.mark.parametrize(("year", "reserved", "memory", "is_enabled", "end"), AREAS)
def test_reserved_areas(
    year: int,
    reserved: tuple[tuple[int, int], ...],
    memory: tuple[tuple[int, int], ...],
    is_enabled: bool,
    end: int,
) -> None:
    xen = booted(mcfg(ONE), Options(bios_year=year, reserved=reserved), memory=memory)
    window = xen.core.windows.windows[0]
    assert (window.enabled, window.end) == (is_enabled, end)


def test_the_room_for_mappings() -> None:
    """Slots of 256 MiB in 512 GiB: 2,048 entries."""
    table = mcfg(*((LOW, segment, 0, 0xFF) for segment in range(2049)))
    assert enabled(booted(table)) == [True] * 2048 + [False]


def test_pci_mmcfg_reserved() -> None:
    """§3.2: exact (segment, start, end), then the address; the flag switches."""
    xen = booted(mcfg(ONE))

    def say(address: int, segment: int, start: int, end: int, flags: int = 1) -> int:
        return xen.hypercall(
            "pci_mmcfg_reserved",
            PciMmcfgReserved(address=address, segment=segment, start_bus=start, end_bus=end, flags=flags),
        )

    assert say(LOW, 0, 0, 0xFF, flags=2) == -22
    assert say(LOW + 1, 0, 0, 0xFF) == -5
    assert say(LOW, 1, 0, 0xFF) == say(LOW, 0, 1, 0xFF) == say(LOW, 0, 0, 0xFE) == -19
    assert [say(LOW, 0, 0, 0xFF), say(LOW, 0, 0, 0xFF)] == [0, 0]
    assert [say(LOW, 0, 0, 0xFF, flags=0), enabled(xen)] == [0, [False]]
    assert [say(LOW, 0, 0, 0xFF), enabled(xen)] == [0, [True]]


def test_dom0_is_the_judge_of_an_area_that_boot_refused() -> None:
    """Extended configuration space of known devices comes and goes with the window."""
    xen = booted(mcfg(ONE), Options(bios_year=2015))
    page = xen._machine.pages[0].pcie(0)  # type: ignore[attr-defined]
    add(xen, 0, 0, 0)
    record = xen.core.records.find(0, 0, 0)
    assert record is not None
    assert not record.extended
    call = PciMmcfgReserved(address=LOW, segment=0, start_bus=0, end_bus=0xFF, flags=1)
    assert xen.hypercall("pci_mmcfg_reserved", call) == 0
    assert record.extended
    assert page.read(0x100, 4) == 0


def test_pvh_areas_are_trapped() -> None:
    """§3.2: -EINVAL, -EEXIST for an overlap with a different one, 0 for the same."""
    xen = booted(mcfg((LOW, 0, 4, 2), (LOW, 1, 0, 0xFF), (LOW, 2, 0, 0x7F)), vpci=True)

    def say(segment: int, start: int, end: int) -> int:
        return xen.hypercall(
            "pci_mmcfg_reserved",
            PciMmcfgReserved(address=LOW, segment=segment, start_bus=start, end_bus=end, flags=1),
        )

    xen.core.windows.windows[0].enabled = True
    assert [say(0, 4, 2), say(1, 0, 0xFF), say(1, 0, 0xFF), say(2, 0, 0x7F)] == [-22, 0, 0, -17]


def test_configuration_accesses() -> None:
    """§3.3: ports for segment 0 below 256; an enabled window otherwise; else all ones."""
    xen = booted(mcfg((LOW, 0, 0, 0x3F), (LOW, 1, 0x40, 0x7F)))
    read = xen.core.access.read
    assert [read(0, 0, 0, 0, 4), read(0, 4, 0, 0, 4)] == [0x10001AF4, 0xFFFFFFFF]
    assert read(0, 0, 0, 0x100, 4) == 0
    assert read(1, 0x40, 0, 0, 4) == 0x12345678
    assert read(1, 0x3F, 0, 0, 2) == 0xFFFF
    assert read(0, 0x40, 0, 0, 4) == 0x12345678
    assert read(0, 0x40, 0, 0x100, 1) == 0xFF


def test_acpi_on_arm_knows_nothing_and_accepts_everything() -> None:
    xen = Xen(replace(ARM, firmware="acpi"), FakeMachine(), Firmware(mcfg=mcfg((HIGH, 0, 0, 0xFF))))
    assert slugs(xen) == ["acpi-pci-unsupported"]
    assert xen.hypercall("pci_device_add", PciDeviceAdd(seg=0, bus=0, devfn=0)) == 0
    assert (
        xen.hypercall(
            "pci_mmcfg_reserved",
            PciMmcfgReserved(address=HIGH, segment=0, start_bus=0, end_bus=0xFF, flags=1),
        )
        == -38
    )
    assert xen.core.routes.bridges == []
