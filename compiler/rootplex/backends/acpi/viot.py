"""VIOT: which virtio-iommu translates which endpoints (ACPI 6.5 §5.2.31).

A unit is described as what a device tree calls it: a node of a host bridge with a compatible of its own. A
range is an entry of a bridge's map.
"""

from __future__ import annotations

from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.artifact import Artifact
from rootplex.formats.acpi import (
    HEADER,
    VIOT_HEAD,
    VIOT_PCI_IOMMU,
    VIOT_PCI_RANGE,
    ViotType,
    size_of,
)
from rootplex.formats.devicetree import VIRTIO_IOMMU
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import DtNode
from rootplex.model.platform import Platform

_LAST_ID = 0xFFFF


def viot(platform: Platform) -> Artifact | None:
    """The table; None without a virtio-iommu that is a function of an enabled bridge."""
    bridges = {bridge.name: bridge for bridge in platform.bridges_in("acpi") if bridge.enabled}
    units = [
        each
        for each in platform.iommus
        if isinstance(each, DtNode)
        and each.enabled
        and VIRTIO_IOMMU.intersection(each.compatible)
        and each.parent in bridges
        and each.devfn is not None
    ]
    if not units:
        return None
    ranges = [
        (bridge, n, entry)
        for bridge in bridges.values()
        if bridge.iommu is not None
        for n, entry in enumerate(bridge.iommu.entries)
        if entry.target in {unit.name for unit in units}
    ]
    table = TableWriter(platform, "VIOT", 0)
    start = size_of(HEADER, VIOT_HEAD)
    table.put(VIOT_HEAD, {"node_count": len(units) + len(ranges), "node_offset": start})
    offsets = {}
    for index, unit in enumerate(units):
        offsets[unit.name] = start + index * size_of(VIOT_PCI_IOMMU)
        _put_unit(table, unit, bridges[unit.parent or ""])
    for bridge, n, entry in ranges:
        assert bridge.iommu is not None
        segment = bridge.segment or 0
        values = {
            "type": ViotType.PCI_RANGE,
            "length": size_of(VIOT_PCI_RANGE),
            "endpoint": entry.id,
            "first_segment": segment,
            "last_segment": segment,
            "first": entry.rid,
            "last": min(entry.rid + entry.count - 1, _LAST_ID),
            "output": offsets[entry.target],
        }
        place = bridge.iommu.at(f"map.{n}")
        places = {"first_segment": bridge.at("segment"), "last_segment": bridge.at("segment")}
        table.put(VIOT_PCI_RANGE, values, whole=place, places=places)
    return table.finish("viot.aml")


def _put_unit(table: TableWriter, unit: DtNode, parent: HostBridge) -> None:
    values = {
        "type": ViotType.PCI_IOMMU,
        "length": size_of(VIOT_PCI_IOMMU),
        "segment": parent.segment or 0,
        "rid": parent.bus_range.first << 8 | (unit.devfn or 0),
    }
    places = {"segment": parent.at("segment"), "rid": unit.at("dev")}
    table.put(VIOT_PCI_IOMMU, values, whole=unit.at(), places=places)
