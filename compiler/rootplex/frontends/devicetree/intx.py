"""`interrupt-map` of a host bridge to the language's `intx`: four lines where they are, else a map."""

from __future__ import annotations

from rootplex.frontends.devicetree.controllers import DtControllers
from rootplex.frontends.document import Missing, flag, leaf, listing, record, tree
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.intx import InterruptMap, InterruptMapEntry
from rootplex.source.node import Node

Wires = dict[tuple[int, int], tuple[int, InterruptMapEntry]]
"""(device number, pin 0-3) → interrupt number and the entry that says it."""

_DEVICES = 32
_DEVICE_BITS = 0xF800
_FUNCTION_BITS = 0x700
_BUS_BITS = 0xFF0000


def intx_of(bridge: DtHostBridge, controllers: DtControllers, name: str) -> Node | None:
    """The `intx` key; None where there is no map, or none that the language can say (listed)."""
    map = bridge.interrupt_map
    if map is None or not map.entries:
        return None
    where = f"{name}: interrupt-map"
    why = _why_not(map)
    controller = controllers.tree.by_path[map.entries[0].parent or ""]
    # only where all entries lead to one controller: each is cut by its own controller's cells
    lines = [] if why else [controllers.line(controller, entry.specifier) for entry in map.entries]
    found = [line for line in lines if line is not None]
    if len(found) < len(lines):
        why = "its interrupts are not plain lines of their controller"
    triggers = {trigger for _, trigger in found}
    if why is None and len(triggers) > 1:
        why = "its lines have several triggers, and the language has one a bridge"
    if why is not None:
        controllers.missing.append(Missing(where, why, map.place))
        return None
    if map.mask[0] & _FUNCTION_BITS:
        why = "it holds for function 0 only; the description says it for the whole device"
        controllers.missing.append(Missing(where, why, map.place))
    wires = _wires(map, [number for number, _ in found])
    trigger = next(iter(triggers))
    place = map.place
    fields: dict[str, Node | None] = {
        "controller": leaf(controllers.interrupt(controller.path), map.entries[0].place),
        **_lines(map, wires),
        "trigger": leaf(trigger, place) if trigger not in (None, "level-high") else None,
    }
    return record(place, fields, "interrupt-map")


def _why_not(map: InterruptMap) -> str | None:
    """What of the map's form the language has no words for."""
    if len({entry.parent for entry in map.entries}) > 1:
        return "it leads to several controllers, and the language has one a bridge"
    if map.address_cells != 3 or map.interrupt_cells != 1:
        return "its keys are not a PCI address and a pin"
    if map.mask[0] & _BUS_BITS:
        return "it tells buses apart, which the language cannot say"
    if not _wires(map, [0] * len(map.entries)):
        if map.mask[0] & _FUNCTION_BITS:
            return "it tells the functions of a device apart, which the language cannot say"
        return "no pin of a device ends at it"
    return None


def _wires(map: InterruptMap, numbers: list[int]) -> Wires:
    """Each device's pins, by the first entry that matches (Linux `of_irq_parse_raw`)."""
    wires: Wires = {}
    mask, pins = map.mask[0] & (_DEVICE_BITS | _FUNCTION_BITS), map.mask[3]
    for dev in range(_DEVICES):
        for pin in range(4):
            key = dev << 11
            for entry, number in zip(map.entries, numbers, strict=True):
                if not (key ^ entry.key[0]) & mask and not (pin + 1 ^ entry.key[3]) & pins:
                    wires[dev, pin] = (number, entry)
                    break
    return wires


def _lines(map: InterruptMap, wires: Wires) -> dict[str, Node | None]:
    """`irqs` where all devices share four lines or rotate them, else `map`."""
    first = [wires.get((0, pin)) for pin in range(4)]
    place = map.place
    if all(wire is not None for wire in first):
        irqs = [wire[0] for wire in first if wire is not None]
        numbers = tree(irqs, place)
        every = {(dev, pin): irqs[pin] for dev in range(_DEVICES) for pin in range(4)}
        if every == {key: number for key, (number, _) in wires.items()}:
            return {"irqs": numbers, "swizzle": flag(False, place)}
        rotated = {(dev, pin): irqs[(pin + dev) % 4] for dev in range(_DEVICES) for pin in range(4)}
        if rotated == {key: number for key, (number, _) in wires.items()}:
            return {"irqs": numbers}
    whole = not map.mask[0] & _DEVICE_BITS
    items = [
        record(
            entry.place,
            {
                "dev": None if whole else leaf(dev, entry.place),
                "pin": leaf("ABCD"[pin], entry.place),
                "irq": leaf(number, entry.place),
            },
        )
        for (dev, pin), (number, entry) in wires.items()
        if not (whole and dev)
    ]
    return {"map": listing(items, place)}
