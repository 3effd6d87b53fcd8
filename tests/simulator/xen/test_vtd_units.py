"""Which VT-d unit and which reserved regions a device has by DMAR, as Xen reads it (`vtd/dmar.c`)."""

from __future__ import annotations

import struct

import pytest
from tests.simulator.xen.test_hypercalls import X86
from tests.simulator.xen.xen_machines import FakeMachine, Page, domctl

from rootplex.readers.acpi.dmar import Dmar, read_dmar
from rootplex.readers.acpi.header import read_table
from rootplex.simulator.xen.boot import Firmware
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.vtd import VtdIommu

ENDPOINT, BRIDGE, NAMESPACE = 1, 2, 5
ALL = 1
"""INCLUDE_PCI_ALL."""
AT_GUEST, OTHER = 0x08, 0x10
PORT, BELOW, DEEP = 0x18, 0x100, 0x200
"""A root port to buses 1-2, a port of a switch on bus 1, and a function behind it on bus 2."""


def scope(kind: int, *path: int, bus: int = 0) -> bytes:
    """A device scope; a hop is a devfn."""
    hops = b"".join(bytes((devfn >> 3, devfn & 7)) for devfn in path)
    return struct.pack("<BBHBB", kind, 6 + len(hops), 0, 0, bus) + hops


def drhd(*scopes: bytes, flags: int = 0, segment: int = 0) -> bytes:
    body = struct.pack("<BBHQ", flags, 0, segment, 0xFED9_0000) + b"".join(scopes)
    return struct.pack("<HH", 0, 4 + len(body)) + body


def rmrr(*scopes: bytes, segment: int = 0) -> bytes:
    body = struct.pack("<HHQQ", 0, segment, 0x7000_0000, 0x7000_FFFF) + b"".join(scopes)
    return struct.pack("<HH", 1, 4 + len(body)) + body


def dmar(*structures: bytes) -> Dmar:
    body = struct.pack("<BB10x", 38, 0) + b"".join(structures)
    table = bytearray(
        struct.pack("<4sIBB6s8sI4sI", b"DMAR", 36 + len(body), 1, 0, b"BOCHS ", b"BXPC", 1, b"BXPC", 1) + body
    )
    table[9] = -sum(table) & 0xFF
    return read_dmar(read_table(bytes(table), "dmar.aml"))


def pages() -> dict[int, Page]:
    """A host bridge, two endpoints, and a function two buses below a root port."""
    ports = {
        PORT: Page(class_=0x0604, header=1).pcie(4).put(0x18, 4, 0x020100),
        BELOW: Page(class_=0x0604, header=1).pcie(6).put(0x18, 4, 0x020201),
    }
    endpoints = {rid: Page().pcie(0) for rid in (AT_GUEST, OTHER, DEEP)}
    return {0: Page(class_=0x0600), **endpoints, **ports}


def booted(*structures: bytes, functions: dict[int, Page] | None = None) -> Xen:
    return Xen(X86, FakeMachine(functions or pages()), Firmware(dmar=dmar(*structures)))


def unit_number(xen: Xen, rid: int) -> int | None:
    """Which of the table's units a device is behind."""
    driver = xen.core.iommu
    assert isinstance(driver, VtdIommu)
    record = xen.core.records.find(0, rid >> 8, rid & 0xFF)
    assert record is not None
    unit = driver.unit_of(record)
    return None if unit is None else driver.units.index(unit)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        pytest.param([drhd(flags=ALL)], (0, 0, 0), id="one for all"),
        pytest.param([drhd(scope(ENDPOINT, AT_GUEST))], (0, None, None), id="one for one"),
        pytest.param([drhd(scope(ENDPOINT, PORT, 0, 0))], (None, None, 0), id="a path by the bridges' buses"),
        pytest.param([drhd(scope(BRIDGE, PORT))], (None, None, 0), id="all buses below a bridge"),
        pytest.param([drhd(scope(BRIDGE, PORT, 0))], (None, None, 0), id="all below the end of a path"),
        pytest.param(
            [drhd(scope(ENDPOINT, 0, bus=2))], (None, None, 0), id="a path that starts at another bus"
        ),
        pytest.param(
            [drhd(flags=ALL), drhd(scope(ENDPOINT, AT_GUEST))], (0, 1, 1), id="what is named comes before all"
        ),
        pytest.param(
            [drhd(scope(ENDPOINT, AT_GUEST)), drhd(scope(ENDPOINT, AT_GUEST), scope(ENDPOINT, OTHER))],
            (0, 0, None),
            id="the last registered is searched first",
        ),
        pytest.param([drhd(flags=ALL, segment=1)], (None, None, None), id="another segment"),
        pytest.param([drhd(scope(NAMESPACE, AT_GUEST))], (None, None, None), id="a type that Xen skips"),
    ],
)
def test_the_unit_of_a_device(units: list[bytes], expected: tuple[int | None, ...]) -> None:
    xen = booted(*units)
    assert tuple(unit_number(xen, rid) for rid in (AT_GUEST, OTHER, DEEP)) == expected


def test_a_virtual_function_has_the_unit_of_its_physical_one() -> None:
    functions = pages() | {DEEP + 0x10: Page().pcie(0)}
    xen = booted(drhd(scope(ENDPOINT, 0, bus=2)), functions=functions)
    assert xen.call("pci_device_remove", {"bus": 2, "devfn": 0x10}).result == -19
    virtual = {"bus": 2, "devfn": 0x10, "flags": 2, "physfn_bus": 2, "physfn_devfn": 0}
    assert xen.call("pci_device_add", virtual).result == 0


def test_a_table_without_units_is_no_iommu() -> None:
    assert booted().core.iommu is None


def test_shared_reserved_memory_goes_to_no_guest_unless_relaxed() -> None:
    both = rmrr(scope(ENDPOINT, AT_GUEST), scope(ENDPOINT, OTHER))
    xen = booted(drhd(flags=ALL), both, rmrr(scope(ENDPOINT, 0, bus=2)))
    guest = xen.create_domain("one")
    assert domctl(xen, "assign_device", guest, 0) == -1
    assert domctl(xen, "assign_device", guest, AT_GUEST) == -1
    assert domctl(xen, "assign_device", guest, AT_GUEST, flags=1) == 0
    assert domctl(xen, "assign_device", guest, DEEP) == 0


def test_reserved_memory_of_absent_devices_is_dropped() -> None:
    xen = booted(drhd(flags=ALL), rmrr(scope(ENDPOINT, 0xF0), scope(ENDPOINT, 0xF8)))
    driver = xen.core.iommu
    assert isinstance(driver, VtdIommu)
    assert driver.regions == ()


def test_reserved_memory_behind_a_conventional_bridge_stays_with_dom0() -> None:
    functions = {
        0: Page(class_=0x0600),
        0x08: Page(class_=0x0604, header=1).pcie(7).put(0x18, 4, 0x010100),
        0x100: Page(),
        0x108: Page(),
    }
    xen = booted(drhd(flags=ALL), rmrr(scope(ENDPOINT, 8, 0)), functions=functions)
    guest = xen.create_domain("one")
    assert domctl(xen, "assign_device", guest, 0x100) == -95
    assert domctl(xen, "assign_device", guest, 0x108) == 0
