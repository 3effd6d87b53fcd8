"""DMAR as `iasl -d` reads it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.acpica import fields
from tests.backends import platforms
from tests.backends.platforms import GIB, device, window

from rootplex.backends.acpi.dmar import dmar
from rootplex.backends.artifact import Artifact
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import IntelVtd, IoApic
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Memory, Platform
from rootplex.source.place import TablePlace

ENDPOINT, SUB_HIERARCHY, IO_APIC = 1, 2, 3


def unit(name: str = "vtd", base: int = 0xFED9_0000, **overrides: Any) -> IntelVtd:
    values: dict[str, Any] = {"name": name, "base": base, "segment": 0}
    return IntelVtd(**(values | overrides))


def bridge(name: str = "main", behind: str | None = "vtd", **overrides: Any) -> HostBridge:
    iommu = None if behind is None else platforms.iommu(behind, entries=())
    small = (window("mem32", 0xC000_0000, GIB),)
    config = platforms.config(base=0xB000_0000)
    values = {"intx": None, "msi": None, "iommu": iommu, "windows": small, "config": config}
    return platforms.host_bridge(name=name, **(values | overrides))


def machine(*bridges: HostBridge, **overrides: Any) -> Platform:
    values: dict[str, Any] = {
        "arch": "x86_64",
        "base": "none",
        "memory": (),
        "interrupt_controllers": (IoApic(name="ioapic", base=0xFEC0_0000, gsi_base=0),),
        "msi_controllers": (),
        "iommus": (unit(),),
    }
    return platforms.platform(*bridges, **(values | overrides))


def table_of(platform: Platform) -> Artifact:
    table = dmar(platform)
    assert table is not None
    return table


def drhds(platform: Platform) -> list[dict[str, Any]]:
    """Flags, segment, base and scopes (type, bus, path) of every unit, as iasl prints them."""
    found: list[dict[str, Any]] = []
    for each in fields(table_of(platform).data):
        match each.name:
            case "Subtable Type":
                assert each.number == 0
                found.append({"scopes": [], "end": each.offset})
            case "Length":
                found[-1]["end"] += each.number
            case "Flags" if found and "all" not in found[-1]:  # by later iasls, scopes have some too
                found[-1]["all"] = each.number == 1
            case "PCI Segment Number":
                found[-1]["segment"] = each.number
            case "Register Base Address":
                found[-1]["base"] = each.number
            case "Device Scope Type":
                found[-1]["scopes"].append((each.number,))
            case "PCI Bus Number":
                found[-1]["scopes"][-1] += (each.number,)
            case "PCI Path":
                found[-1]["scopes"][-1] += (each.text,)
    assert [each.pop("end") for each in found][-1] == len(table_of(platform).data)
    return found


def drhd(base: int, segment: int, *scopes: tuple[int, int, str], everything: bool = False) -> dict[str, Any]:
    return {"base": base, "segment": segment, "all": everything, "scopes": list(scopes)}


def test_a_unit_alone_takes_everything() -> None:
    assert drhds(machine(bridge())) == [drhd(0xFED9_0000, 0, everything=True)]


def test_q35_as_qemu_writes_it() -> None:
    """QEMU 7.2's own table: width 39, interrupt remapping, the IO-APIC at ff:00.0."""
    platform = machine(bridge(), base="qemu-q35")
    assert drhds(platform) == [drhd(0xFED9_0000, 0, (IO_APIC, 0xFF, "00,00"), everything=True)]
    head = {each.offset: each.number for each in fields(table_of(platform).data)[9:11]}
    assert head == {0x24: 38, 0x25: 1}


def test_two_units_in_a_segment_name_their_functions() -> None:
    low = bridge(
        bus_range=BusRange(0, 0x3F),
        devices=(
            device(1, type="root-port", devices=(device(0),)),
            device(2, 3, type="integrated-endpoint"),
            device(4, present=False),
        ),
    )
    high = bridge("second", "gfx", bus_range=BusRange(0x40, 0x7F), devices=(device(0, type="pci-bridge"),))
    platform = machine(low, high, iommus=(unit(), unit("gfx", 0xFED8_0000)))
    assert drhds(platform) == [
        drhd(0xFED9_0000, 0, (SUB_HIERARCHY, 0, "01,00"), (ENDPOINT, 0, "02,03")),
        drhd(0xFED8_0000, 0, (SUB_HIERARCHY, 0x40, "00,00")),
    ]


def test_the_unit_that_takes_everything_comes_last() -> None:
    named = bridge("named", "first", segment=1, devices=(device(7),))
    other = bridge("other", None, segment=1, bus_range=BusRange(0x80, 0x8F))
    whole = bridge("whole", "second", segment=0)
    units = (unit("second", 0x2000), unit("first", 0x1000))
    assert drhds(machine(whole, named, other, iommus=units)) == [
        drhd(0x1000, 1, (ENDPOINT, 0, "07,00")),
        drhd(0x2000, 0, everything=True),
    ]


def test_one_drhd_a_unit_and_segment() -> None:
    bridges = [bridge(f"b{n}", segment=n) for n in (0, 3, None)]
    assert drhds(machine(*bridges)) == [
        drhd(0xFED9_0000, 0, everything=True),
        drhd(0xFED9_0000, 3, everything=True),
    ]


def test_a_unit_without_a_bridge_is_in_its_own_segment() -> None:
    platform = machine(bridge(behind=None), iommus=(unit(segment=5),))
    assert drhds(platform) == [drhd(0xFED9_0000, 5, everything=True)]


@pytest.mark.parametrize(
    ("memory", "bits"), [(0x4000_0000, 39), (1 << 40, 41), ((1 << 40) - GIB, 40), (1 << 51, 52)]
)
def test_address_width_covers_what_is_described(memory: int, bits: int) -> None:
    platform = machine(bridge(), memory=(Memory(base=memory, size=GIB),))
    width = next(each for each in fields(table_of(platform).data) if each.name == "Host Address Width")
    assert width.number + 1 == bits


def test_where_there_is_no_dmar() -> None:
    assert dmar(platforms.platform()) is None
    assert dmar(machine(bridge(behind=None), iommus=())) is None
    assert dmar(machine(bridge(), iommus=(unit(enabled=False),))) is None


def test_places() -> None:
    at = platforms.places("segment")
    port = replace(device(1, type="root-port"), places=platforms.places(whole=30))
    mine = replace(bridge(devices=(port,)), places=at)
    platform = machine(mine, bridge("other", None, bus_range=BusRange(0x80, 0x80)))
    table = table_of(platform)
    lines = {each.name: each for each in fields(table.data)}

    def source(name: str) -> object:
        return table.places.source(TablePlace("dmar.aml", "DMAR", lines[name].offset, lines[name].size))

    assert source("PCI Segment Number") == at.fields["segment"]
    assert source("PCI Path") == port.at()
