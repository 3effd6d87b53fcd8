"""Child nodes: for functions that need one, and for the bridges above those.

A function needs a node where the device tree has to say something about it: that its port faces
outside, or a property of its own. Linux finds a function's node by its devfn (pci/of.c) and does not
look at the bus number; `dtc` wants the first bus of the host bridge, and 0 below other bridges,
whose buses have no number yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.backends.devicetree.controllers import Controllers
from rootplex.backends.devicetree.interrupts import PINS, Wires, bridge_map, host_wires, wires_below
from rootplex.backends.devicetree.tree import Node, Property, Word, cells, flag, rows, text
from rootplex.backends.devicetree.vendor import with_vendor
from rootplex.model.bridge import HostBridge, Intx
from rootplex.model.device import PORT_TYPES, Device

PCI_BUS = (cells("#address-cells", 3), cells("#size-cells", 2))
"""A PCI bus's cells (IEEE 1275 PCI binding, §2.2)."""

_CONVENTIONAL = frozenset({"pci-bridge", "pcie-to-pci-bridge"})
_LINK_BELOW = PORT_TYPES | {"pci-to-pcie-bridge"}


class _Bus(Struct, frozen=True):
    """What a child node takes from the bus it sits on: its number, and its wires if it has any."""

    number: int
    intx: Intx | None
    wires: Wires | None


def child_nodes(bridge: HostBridge, known: Controllers) -> tuple[Node, ...]:
    """The nodes below the host bridge's, in the order of the file."""
    intx = bridge.intx if bridge.intx is not None and bridge.intx.controller in known else None
    bus = _Bus(bridge.bus_range.first, intx, host_wires(intx) if intx else None)
    return tuple(_nodes(bridge.devices, bus, known))


def _nodes(devices: tuple[Device, ...], bus: _Bus, known: Controllers) -> Iterator[Node]:
    for device in devices:
        if not device.present:
            continue
        below = _Bus(0, bus.intx, wires_below(bus.wires, device) if bus.wires else None)
        children = tuple(_nodes(device.devices, below, known))
        if children or device.external_facing or device.properties:
            yield _node(device, bus, below, children, known)


def _node(device: Device, bus: _Bus, below: _Bus, children: tuple[Node, ...], known: Controllers) -> Node:
    dev, fn = device.devfn >> 3, device.devfn & 7
    own = [
        rows(
            "reg",
            tuple(
                Word(cell, device.at("dev")) for cell in (bus.number << 16 | device.devfn << 8, 0, 0, 0, 0)
            ),
        )
    ]
    if device.is_bridge:
        own = [text("device_type", "pci"), *own, *PCI_BUS, flag("ranges"), *_own_map(device, below, known)]
    if device.pin is not None and bus.wires is not None:
        # Linux takes it before anything else; it would look its own pin up in its own map
        own.append(cells("interrupts", PINS.index(device.pin) + 1, source=device.at("pin")))
    if device.external_facing:
        own.append(flag("external-facing", source=device.at("external_facing")))
    return Node(
        name=f"{_name(device)}@{dev:x}" + (f",{fn:x}" if fn else ""),
        properties=with_vendor(own, device.properties, device, "properties"),
        children=children,
        key=device.name,
        comment=None,
        source=device.at(),
    )


def _own_map(device: Device, below: _Bus, known: Controllers) -> tuple[Property, ...]:
    if below.intx is None or below.wires is None:
        return ()
    return bridge_map(below.intx, known, below.wires, one_device=device.type in _LINK_BELOW)


def _name(device: Device) -> str:
    """The generic name; a bridge's is the one of the bus below it."""
    if not device.is_bridge:
        return "device"
    return "pci" if device.type in _CONVENTIONAL else "pcie"
