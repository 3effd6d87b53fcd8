"""IVRS: which of AMD's IOMMUs translates which requester ids (AMD I/O Virtualization 3.08, §5.2).

A unit has a block of type 10h and one of 11h in each segment with a bridge behind it. It takes all buses of
its bridges, or the functions that its scopes name. What is below a conventional bridge carries that bridge's
id, where the numbers of its buses are known."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby

from msgspec import Struct

from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.artifact import Artifact
from rootplex.formats.acpi import (
    IVHD_ENTRY,
    IVHD_HEADS,
    IVHD_SPECIAL,
    IVHD_WIDE,
    IVRS_HEAD,
    SPECIAL_IO_APIC,
    IvhdEntry,
    Layout,
    size_of,
)
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import AmdIommu, IoApic
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.source.place import Place

_REVISION = 2
_INFO = 48 << 15 | 48 << 8
"""IVinfo: physical and guest virtual addresses of 48 bits."""
_TYPES = (0x10, 0x11)

_QEMU_IO_APIC = 0x14 << 3
"""The requester id of QEMU's IO-APIC, 00:14.0 (hw/i386/amd_iommu.h, IOAPIC_SB_DEVID); its id is 0."""


class _Entry(Struct, frozen=True):
    """One device entry and where it comes from."""

    layout: Layout
    values: dict[str, int]
    source: Place


def ivrs(platform: Platform) -> Artifact | None:
    """The table; None without an enabled unit."""
    units = [each for each in platform.iommus if isinstance(each, AmdIommu) and each.enabled]
    if platform.arch != "x86_64" or not units:
        return None
    table = TableWriter(platform, "IVRS", _REVISION)
    table.put(IVRS_HEAD, {"info": _INFO})
    for type in _TYPES:
        for unit in units:
            _put(table, platform, unit, type)
    return table.finish("ivrs.aml")


def _put(table: TableWriter, platform: Platform, unit: AmdIommu, type: int) -> None:
    behind = [
        bridge
        for bridge in platform.bridges_in("acpi")
        if bridge.enabled and bridge.iommu is not None and bridge.iommu.unit == unit.name
    ]
    segments = dict.fromkeys(bridge.segment or 0 for bridge in behind) or {0: None}
    for segment in segments:
        mine = [bridge for bridge in behind if (bridge.segment or 0) == segment]
        entries = [entry for bridge in mine for entry in _bridge(bridge, unit)]
        entries += _io_apic(platform) if segment == 0 else ()
        head = IVHD_HEADS[type]
        first = min((bridge.bus_range.first for bridge in mine), default=0)
        values = {
            "type": type,
            "length": size_of(head) + sum(size_of(entry.layout) for entry in entries),
            "device_id": first << 8 | unit.devfn,
            "capability": unit.capability,
            "base": unit.base,
            "segment": segment,
        }
        source = mine[0].at("segment") if mine else unit.at()
        places = {"segment": source, "base": unit.at("base"), "device_id": unit.at("dev")}
        table.put(head, values, whole=unit.at(), places=places)
        for entry in entries:
            table.put(entry.layout, entry.values, whole=entry.source)


def _bridge(bridge: HostBridge, unit: AmdIommu) -> Iterator[_Entry]:
    """All ids of its buses, or of the functions that the unit names; then the aliases. An id that has an
    alias is not told of as its own, too: Xen would take it for one that its requests carry
    (`get_dma_requestor_id`)."""
    buses, source = bridge.bus_range, bridge.at("iommu")
    devices = list(_numbered(bridge.devices, buses.first))
    aliases = [
        (
            device,
            device.bus,
            device.bus[0] << 8 if device.type == "pcie-to-pci-bridge" else bus << 8 | device.devfn,
        )
        for device, bus in devices
        if device.type in ("pcie-to-pci-bridge", "pci-bridge") and device.bus is not None
    ]
    aliased = {bus for _, (first, last), _ in aliases for bus in range(first, last + 1)}
    if not unit.scopes:
        yield from _buses(buses.first, buses.last, aliased, source)
    for device, bus in devices:
        if device.name in unit.scopes:
            source = unit.at(f"scopes.{unit.scopes.index(device.name)}")
            if bus not in aliased:
                own = {"type": IvhdEntry.SELECT, "device_id": bus << 8 | device.devfn}
                yield _Entry(IVHD_ENTRY, own, source)
            if device.bus is not None:
                yield from _buses(*device.bus, aliased, source)
    for device, (first, last), alias in aliases:
        yield from _range(IvhdEntry.ALIAS_RANGE, first << 8, last << 8 | 0xFF, device.at("bus"), alias)


def _buses(first: int, last: int, without: Collection[int], source: Place) -> Iterator[_Entry]:
    """Ranges of all ids of these buses but some."""
    for is_told, run in groupby(range(first, last + 1), lambda bus: bus not in without):
        if is_told:
            told = list(run)
            yield from _range(IvhdEntry.RANGE, told[0] << 8, told[-1] << 8 | 0xFF, source)


def _range(
    type: IvhdEntry, first: int, last: int, source: Place, alias: int | None = None
) -> Iterator[_Entry]:
    if alias is None:
        yield _Entry(IVHD_ENTRY, {"type": type, "device_id": first}, source)
    else:
        yield _Entry(IVHD_WIDE, {"type": type, "device_id": first, "data": alias << 8}, source)
    yield _Entry(IVHD_ENTRY, {"type": IvhdEntry.RANGE_END, "device_id": last}, source)


def _numbered(devices: tuple[Device, ...], bus: int) -> Iterator[tuple[Device, int]]:
    """Present functions with their bus, as far down as the description numbers buses."""
    for device in devices:
        if device.present:
            yield device, bus
            if device.bus is not None:
                yield from _numbered(device.devices, device.bus[0])


def _io_apic(platform: Platform) -> Iterator[_Entry]:
    """QEMU's IO-APIC, whose requester id is known; without one Linux leaves interrupts as they are."""
    for each in platform.interrupt_controllers if platform.base != "none" else ():
        if isinstance(each, IoApic):
            values = {
                "type": IvhdEntry.SPECIAL,
                "used_id": _QEMU_IO_APIC,
                "variety": SPECIAL_IO_APIC,
            }
            yield _Entry(IVHD_SPECIAL, values, each.at())
            return
