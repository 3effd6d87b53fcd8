"""DMAR: which VT-d unit translates which functions (Intel VT-d 4.1 §8).

One DRHD a unit and segment. A unit that translates all of a segment takes everything in it
(INCLUDE_PCI_ALL) and comes last; else the functions of its bridges' first buses are named by path.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.artifact import Artifact
from rootplex.formats.acpi import (
    ATSR_ALL_PORTS,
    DMAR_ATSR,
    DMAR_DRHD,
    DMAR_HEAD,
    DMAR_HOP,
    DMAR_INTERRUPT_REMAPPING,
    DMAR_SCOPE,
    DRHD_INCLUDE_PCI_ALL,
    DmarType,
    ScopeType,
    size_of,
)
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import IntelVtd, IoApic
from rootplex.model.platform import Platform
from rootplex.source.place import Place

_REVISION = 1
_SCOPE = (*DMAR_SCOPE, *DMAR_HOP)
_LEAST_WIDTH = 39  # bits of the smallest second-level table that VT-d has

# The requester id that QEMU's IO-APIC writes with (include/hw/i386/x86-iommu, pseudo bus 0xff).
_QEMU_IO_APIC = {"type": ScopeType.IO_APIC, "enumeration_id": 0, "start_bus": 0xFF}


class _Scope(Struct, frozen=True):
    """One device scope entry and where it comes from."""

    values: dict[str, int]
    source: Place


class _Drhd(Struct, frozen=True):
    """One unit in one segment; without scopes of functions it takes the whole segment."""

    unit: IntelVtd
    segment: int
    segment_source: Place
    takes_all: bool
    scopes: tuple[_Scope, ...]


def dmar(platform: Platform) -> Artifact | None:
    """The table; None without an enabled VT-d unit. A built-in one is there only where a bridge uses it, as
    QEMU has it only when asked."""
    used = {bridge.iommu.unit for bridge in platform.bridges_in("acpi") if bridge.iommu is not None}
    units = [
        each
        for each in platform.iommus
        if isinstance(each, IntelVtd) and each.enabled and (each.name in used or not each.built_in)
    ]
    if platform.arch != "x86_64" or not units:
        return None
    bridges = [bridge for bridge in platform.bridges_in("acpi") if bridge.enabled]
    drhds = [drhd for unit in units for drhd in _drhds(platform, unit, bridges)]
    table = TableWriter(platform, "DMAR", _REVISION)
    table.put(
        DMAR_HEAD,
        {"host_address_width": _address_width(platform) - 1, "flags": DMAR_INTERRUPT_REMAPPING},
    )
    for drhd in sorted(drhds, key=lambda drhd: drhd.takes_all):
        _put(table, drhd)
    _put_ports_with_ats(table, bridges, {unit.name for unit in units})
    return table.finish("dmar.aml")


def _drhds(platform: Platform, unit: IntelVtd, bridges: list[HostBridge]) -> Iterator[_Drhd]:
    """The unit in each segment that has a bridge behind it; in its own where there is none."""
    behind = [bridge for bridge in bridges if bridge.iommu is not None and bridge.iommu.unit == unit.name]
    segments = dict.fromkeys(_segment(bridge) for bridge in behind) or {unit.segment: None}
    for segment in segments:
        there = [bridge for bridge in bridges if _segment(bridge) == segment]
        mine = [bridge for bridge in there if bridge in behind]
        takes_all = len(mine) == len(there)
        scopes = () if takes_all else tuple(scope for bridge in mine for scope in _functions(bridge))
        if segment == 0:
            scopes = (*_io_apic(platform), *scopes)
        source = mine[0].at("segment") if mine else unit.at("segment")
        yield _Drhd(unit, segment, source, takes_all, scopes)


def _put_ports_with_ats(table: TableWriter, bridges: list[HostBridge], units: set[str]) -> None:
    """The root ports of bridges whose `iommu` has `ats`: all of a segment, or each."""
    wanted = [
        bridge
        for bridge in bridges
        if bridge.iommu is not None and bridge.iommu.unit in units and bridge.iommu.ats
    ]
    for segment in dict.fromkeys(map(_segment, wanted)):
        mine = [bridge for bridge in wanted if _segment(bridge) == segment]
        is_all = len(mine) == sum(_segment(bridge) == segment for bridge in bridges)
        ports = [scope for bridge in mine for scope in _functions(bridge, only="root-port") if not is_all]
        values = {
            "type": DmarType.ATSR,
            "length": size_of(DMAR_ATSR) + len(ports) * size_of(_SCOPE),
            "flags": ATSR_ALL_PORTS if is_all else 0,
            "segment": segment,
        }
        assert mine[0].iommu is not None
        places = {"segment": mine[0].at("segment")}
        table.put(DMAR_ATSR, values, whole=mine[0].iommu.at("ats"), places=places)
        for scope in ports:
            table.put(_SCOPE, {**scope.values, "length": size_of(_SCOPE)}, whole=scope.source)


def _segment(bridge: HostBridge) -> int:
    return bridge.segment or 0


def _functions(bridge: HostBridge, only: str | None = None) -> Iterator[_Scope]:
    """What is on the bridge's first bus, of one type where that is told; a bridge there stands for everything
    below it."""
    for device in bridge.devices:
        if device.present and only in (None, device.type):
            values = {
                "type": ScopeType.BRIDGE if device.is_bridge else ScopeType.ENDPOINT,
                "start_bus": bridge.bus_range.first,
                "device": device.devfn >> 3,
                "function": device.devfn & 7,
            }
            yield _Scope(values, device.at())


def _io_apic(platform: Platform) -> Iterator[_Scope]:
    """QEMU's IO-APIC, whose requester id is known; without one Linux leaves interrupts as they are."""
    if platform.base != "none":
        for each in platform.interrupt_controllers:
            if isinstance(each, IoApic):
                yield _Scope(_QEMU_IO_APIC, each.at())
                return


def _address_width(platform: Platform) -> int:
    """Bits of the highest address that the description has."""
    ends = [memory.region.end for memory in platform.memory]
    for bridge in platform.bridges_in("acpi"):
        ends += [window.cpu + window.size for window in bridge.windows if window.space != "io"]
        ends.append(bridge.config.base + bridge.configuration_size)
    return min(max(_LEAST_WIDTH, *((end - 1).bit_length() for end in ends)), 64)


def _put(table: TableWriter, drhd: _Drhd) -> None:
    unit = drhd.unit
    values = {
        "type": DmarType.DRHD,
        "length": size_of(DMAR_DRHD) + len(drhd.scopes) * size_of(_SCOPE),
        "flags": DRHD_INCLUDE_PCI_ALL if drhd.takes_all else 0,
        "segment": drhd.segment,
        "base": unit.base,
    }
    places = {"segment": drhd.segment_source, "base": unit.at("base")}
    table.put(DMAR_DRHD, values, whole=unit.at(), places=places)
    for scope in drhd.scopes:
        table.put(_SCOPE, {**scope.values, "length": size_of(_SCOPE)}, whole=scope.source)
