"""IOMMUs of a device tree that are PCI functions, and why one does not come up.

A function is offered to its driver once the IOMMU that its requester id is mapped to is there (Linux
drivers/iommu/of_iommu.c, of_iommu_xlate; drivers/iommu/iommu.c, iommu_fwspec_init). Where that is the
function itself, it waits for its own driver."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rootplex.readers.tree import DtNode
from rootplex.simulator.firmware.facts import DtFirmware
from rootplex.simulator.firmware.routing.lookup import dt_lookup
from rootplex.simulator.firmware.routing.routes import Cause
from rootplex.simulator.function import Bus, Function, Scan
from rootplex.source.place import Place


class Lost(Struct, frozen=True):
    """Why a unit does not come up; `place` decides it, None: the entry that leads there."""

    cause: Cause
    place: Place | None = None


def lost_units(scan: Scan, dt: DtFirmware) -> dict[str, Lost]:
    """By path, the IOMMUs that are functions and that no driver comes up for, with the cause. Of a root bus
    without any function nothing is known."""
    lost: dict[str, Lost] = {}
    for root in scan.root_bridges:
        bridge = dt.bridge_of(root)
        entries = () if bridge is None or bridge.iommu_map is None else bridge.iommu_map.entries
        for path in dict.fromkeys(entry.target for entry in entries if entry.target_enabled):
            why = None if path is None or path in lost else _why(scan, dt, path)
            if why is not None and path is not None:
                lost[path] = why
    return lost


def _why(scan: Scan, dt: DtFirmware, path: str) -> Lost | None:
    way = _way(dt, dt.tree.by_path[path])
    above = None if not way else dt.bridge_at(way[0].parent.path if way[0].parent else "")
    if above is None:
        return None
    index = next((at for at, root in enumerate(scan.root_bridges) if dt.bridge_of(root) is above), None)
    bus = next((each.bus for each in scan.functions if each.root == index and each.bus.is_root), None)
    if bus is None:
        return None
    own = _function(bus, way)
    if own is None:
        return Lost(Cause("unit-without-function", name=path))
    if above.iommu_map is None:
        return None
    found = dt_lookup(dt, above.iommu_map, own.rid)
    if found.unit is not None and found.unit.name == path:
        return Lost(Cause("behind-itself", name=path), found.place)
    return None


def _way(dt: DtFirmware, node: DtNode) -> Sequence[DtNode]:
    """The nodes from a host bridge's child down to this one; none where no host bridge is above."""
    way = [node]
    for above in node.ancestors():
        if dt.bridge_at(above.path) is not None:
            return way[::-1]
        way.append(above)
    return ()


def _function(bus: Bus, way: Sequence[DtNode]) -> Function | None:
    """The function at the end of nodes that each name a device and function (bits 15:8 of `reg`)."""
    function: Function | None = None
    at: Bus | None = bus
    for node in way:
        reg = node.cells("reg")
        function = at.at(reg[0] >> 8 & 0xFF) if at is not None and reg else None
        if function is None:
            return None
        at = next((below for below in at.children if below.bridge is function), None) if at else None
    return function
