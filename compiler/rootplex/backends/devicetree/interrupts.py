"""Legacy interrupts: `interrupt-map` of a host bridge, and of the bridges below it that have a node.

A map's key is <unit address, pin>: the device number of the unit in bits 15:11 of the first cell
(IEEE 1275 PCI binding, §2.2.1.1; Devicetree Specification 0.4, §2.4.3). Linux rotates a pin by the
device number at each bridge without a node and stops at the first one with a node, where it looks
up the function then reached (pci/of.c:of_irq_parse_pci).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from rootplex.backends.devicetree.controllers import Controllers
from rootplex.backends.devicetree.tree import Property, Ref, Row, Word, cells, rows, word
from rootplex.model.bridge import Intx
from rootplex.model.device import Device
from rootplex.source.place import Place

PINS = ("A", "B", "C", "D")
_ANY_DEVICE = 0
_BY_FOUR = 0x1800
_BY_DEVICE = 0xF800


class Wire(Struct, frozen=True):
    """An interrupt number at the bridge's controller, and where it is described."""

    irq: int
    source: Place


Wires: TypeAlias = Callable[[int, int], Wire | None]
"""(device number on a bus, pin 0-3) → the wire it ends at; None where it is not connected."""


def host_wires(intx: Intx) -> Wires:
    """The wires of the first bus."""

    def rotated(dev: int, pin: int) -> Wire | None:
        line = (pin + (dev if intx.swizzle else 0)) % 4
        return Wire(intx.irqs[line], intx.at(f"irqs.{line}"))

    def mapped(dev: int, pin: int) -> Wire | None:
        for entry in intx.map:
            if entry.dev in (None, dev) and entry.pin == PINS[pin]:
                return Wire(entry.irq, entry.at("irq"))
        return None

    return mapped if intx.map else rotated


def wires_below(wires: Wires, bridge: Device) -> Wires:
    """The wires of a bridge's secondary bus, from those of the bus that it sits on: one rotation on
    (PCI-to-PCI Bridge Architecture 1.2, §9.1)."""
    return lambda dev, pin: wires(bridge.dev, (pin + dev) % 4)


def host_map(intx: Intx, known: Controllers) -> tuple[Property, ...]:
    """The map of a host bridge; four entries for each device number that makes a difference."""
    if intx.map:
        mask = _BY_DEVICE if any(entry.dev is not None for entry in intx.map) else _ANY_DEVICE
    else:
        mask = _BY_FOUR if intx.swizzle else _ANY_DEVICE
    return _map(intx, known, host_wires(intx), mask)


def bridge_map(intx: Intx, known: Controllers, wires: Wires, *, one_device: bool) -> tuple[Property, ...]:
    """The map of a bridge whose secondary bus has these wires; below a link there is device 0 alone."""
    return _map(intx, known, wires, _ANY_DEVICE if one_device else _BY_FOUR)


def _map(intx: Intx, known: Controllers, wires: Wires, mask: int) -> tuple[Property, ...]:
    source = intx.at()
    devices = range((mask >> 11) + 1)
    entries = [
        _entry(intx, known, dev, pin, wire)
        for dev in devices
        for pin in range(4)
        if (wire := wires(dev, pin)) is not None
    ]
    return (
        cells("#interrupt-cells", 1, source=source),
        rows("interrupt-map", *entries, source=source),
        cells("interrupt-map-mask", mask, 0, 0, 7, source=source),
    )


def _entry(intx: Intx, known: Controllers, dev: int, pin: int, wire: Wire) -> Row:
    key: tuple[Word, ...] = tuple(Word(value, wire.source) for value in (dev << 11, 0, 0, pin + 1))
    parent = word(Ref(intx.controller), intx.at("controller"))
    address = (0,) * known.address_cells(intx.controller)
    line = known.interrupt(intx.controller, wire.irq, intx.trigger)
    return (*key, parent, *(Word(value, wire.source) for value in (*address, *line)))
