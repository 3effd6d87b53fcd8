"""`msi-map`, `msi-parent` and `iommu-map` of a host bridge to the language's `msi` and `iommu`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rootplex.formats.idruns import RIDS
from rootplex.frontends.devicetree.controllers import DtControllers
from rootplex.frontends.document import Hex, Missing, flag, leaf, listing, record
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.ridmap import RidMap, RidMapEntry
from rootplex.source.node import Node


def msi_of(bridge: DtHostBridge, controllers: DtControllers, name: str) -> Node | None:
    """The `msi` key: the map, else the parent; None where the tree says neither, or nothing sayable."""
    if bridge.msi_map is not None:
        return _map(bridge.msi_map, "controller", controllers.msi, controllers.missing, name)
    if not bridge.msi_parent:
        return None
    first = bridge.msi_parent[0]
    where = f"{name}: msi-parent"
    if first.target is None:
        controllers.missing.append(Missing(where, "no node has its phandle", first.place))
        return None
    if first.target in controllers.bridges:
        fields: dict[str, Node | None] = {"controller": leaf(controllers.bridges[first.target], first.place)}
        return record(first.place, fields, "msi-parent")
    if len(bridge.msi_parent) > 1:
        why = "it names several controllers, and the language one"
        controllers.missing.append(Missing(where, why, first.place))
    fields = {
        "controller": leaf(controllers.msi(first.target), first.place),
        "parent": flag(True, first.place),
    }
    return record(first.place, fields, "msi-parent")


def iommu_of(bridge: DtHostBridge, controllers: DtControllers, name: str) -> Node | None:
    """The `iommu` key of the map."""
    for reference in bridge.iommus[:1]:
        why = "it is the bridge's own stream, and says nothing of the devices below"
        controllers.missing.append(Missing(f"{name}: iommus", why, reference.place))
    if bridge.iommu_map is None:
        return None
    node = _map(bridge.iommu_map, "unit", controllers.iommu, controllers.missing, name)
    if node is None or not bridge.ats_supported or not isinstance(node.value, dict):
        return node
    return record(node.place, {**node.value, "ats": flag(True, bridge.place("ats-supported"))}, node.comment)


def _map(
    map: RidMap, key: str, name_of: Callable[[str], str], missing: list[Missing], owner: str
) -> Node | None:
    """A map with its mask; entries of one target name it once, on the whole."""
    if map.invalid:
        missing.append(Missing(f"{owner}: {map.property}", map.invalid, map.place))
    entries = list(_sayable(map, missing, owner))
    if not entries:
        return None
    targets = [name_of(entry.target or "") for entry in entries]
    one = len(set(targets)) == 1
    items = [
        record(
            entry.place,
            {
                "rid": leaf(Hex(entry.rid_base), entry.place),
                "id": leaf(Hex(entry.output[0]), entry.place),
                "count": leaf(Hex(entry.length), entry.place),
                key: None if one else leaf(target, entry.place),
            },
        )
        for entry, target in zip(entries, targets, strict=True)
    ]
    mask = f"{map.property}-mask"
    place = map.place
    fields: dict[str, Node | None] = {
        key: leaf(targets[0], entries[0].place) if one else None,
        "map": listing(items, place),
        "mask": leaf(Hex(map.mask), type(place)(place.file, map.node, mask)) if map.mask_present else None,
    }
    return record(place, fields, f"{map.property} of {map.node}")


def _sayable(map: RidMap, missing: list[Missing], owner: str) -> Iterator[RidMapEntry]:
    """The entries that the language has words for."""
    for entry in map.entries:
        why = _why_not(entry)
        if why is None:
            yield entry
        else:
            missing.append(Missing(f"{owner}: {map.property}[{entry.cell}]", why, entry.place))


def _why_not(entry: RidMapEntry) -> str | None:
    if entry.target is None:
        return f"no node has phandle {entry.phandle:#x}"
    if not entry.output:
        return "its target takes no id"
    if any(entry.output[1:]):
        return f"its id has {len(entry.output)} cells, and the language's ids are one number"
    if entry.rid_base >= RIDS or not 1 <= entry.length <= RIDS:
        return "it covers no requester id that there can be"
    return None
