"""Requester ids to StreamIDs of QEMU's SMMUv3, or of several: kept where they fit, else packed.

Ids of two units may be the same number, and a unit may have more bits than QEMU's 16. Packing keeps what
matters to groups: entries that meet in an id of one unit still meet, those that do not stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from rootplex.model.bridge import HostBridge, IdMapEntry, IommuMap
from rootplex.model.device import Device

STREAM_BITS = 16
STREAMS = 1 << STREAM_BITS


def needed_buses(bridge: HostBridge) -> int:
    """How many buses from the first one its functions can need: one a bridge, what SR-IOV reserves, and
    the numbers that firmware left."""
    devices = list(bridge.walk())
    count = 1 + sum(device.is_bridge for device in devices)
    count += sum(_virtual_buses(device) for device in devices)
    left = [device.bus[1] - bridge.bus_range.first + 1 for device in devices if device.bus is not None]
    return min(max([count, *left]), bridge.bus_range.count)


def _virtual_buses(device: Device) -> int:
    sriov = device.sriov
    return 0 if sriov is None else 1 + (sriov.offset + sriov.stride * sriov.total + device.devfn >> 8)


def translated(
    bridges: Sequence[HostBridge], units: Mapping[str, str], widths: Mapping[str, int]
) -> Mapping[str, IommuMap] | None:
    """Each bridge's map to QEMU's units, by the bridge's name; None where 16 bits are too few. `units`:
    which of QEMU's stands in for each described one. StreamIDs stay as they are where that is one for one
    and they fit, or where the described unit is as narrow (`widths`) and what does not fit is its author's
    fault."""
    maps = {bridge.name: bridge.iommu for bridge in bridges if bridge.iommu is not None}
    buses = {bridge.name: bridge.bus_range.first + needed_buses(bridge) for bridge in bridges}
    trimmed = {name: _trimmed(each.entries, buses[name] << 8) for name, each in maps.items()}
    bases: dict[Stretch, int] = {}
    for unit in dict.fromkeys(units.values()):
        own = [entry for each in maps.values() for entry in each.entries if units[entry.target] == unit]
        targets = {entry.target for entry in own}
        if len(targets) == 1 and (
            all(_end(entry) <= STREAMS for entry in own) or widths.get(own[0].target) == STREAM_BITS
        ):
            continue
        packed = _packed(entry for each in trimmed.values() for entry in each if units[entry.target] == unit)
        if packed is None:
            return None
        bases |= packed
    moved = {target for target, _, _ in bases}
    return {
        name: _to_units(
            each,
            [entry for entry in each.entries if entry.target not in moved]
            + [replace(entry, id=_moved(entry, bases)) for entry in trimmed[name] if entry.target in moved],
            units,
        )
        for name, each in maps.items()
    }


def _end(entry: IdMapEntry) -> int:
    return entry.id + entry.count


def _trimmed(entries: Iterable[IdMapEntry], end: int) -> list[IdMapEntry]:
    """The entries without requester ids from `end` on, where nothing can be."""
    return [replace(each, count=min(each.count, end - each.rid)) for each in entries if each.rid < end]


Stretch = tuple[str, int, int]
"""Ids of a unit: its name, the first, one behind the last."""


def _packed(entries: Iterable[IdMapEntry]) -> dict[Stretch, int] | None:
    """Where each stretch of ids begins now."""
    stretches: list[Stretch] = []
    for unit, first, end in sorted((each.target, each.id, _end(each)) for each in entries):
        if stretches and stretches[-1][0] == unit and first < stretches[-1][2]:
            stretches[-1] = (unit, stretches[-1][1], max(end, stretches[-1][2]))
        else:
            stretches.append((unit, first, end))
    bases: dict[Stretch, int] = {}
    at = 0
    for stretch in stretches:
        bases[stretch] = at
        at += stretch[2] - stretch[1]
    return bases if at <= STREAMS else None


def _moved(entry: IdMapEntry, bases: Mapping[Stretch, int]) -> int:
    for (unit, first, end), base in bases.items():
        if unit == entry.target and first <= entry.id < end:
            return base + entry.id - first
    raise AssertionError("an entry lies in one of the stretches made of all entries")


def _to_units(ids: IommuMap, entries: Iterable[IdMapEntry], units: Mapping[str, str]) -> IommuMap:
    there = tuple(replace(entry, target=units[entry.target]) for entry in entries)
    return replace(ids, unit=units.get(ids.unit, ids.unit), entries=there, ats=False, pri=False)
