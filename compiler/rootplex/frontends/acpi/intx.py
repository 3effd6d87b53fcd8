"""`_PRT` to the language's `intx`."""

from __future__ import annotations

from rootplex.frontends.acpi.controllers import AcpiControllers
from rootplex.frontends.document import Missing, flag, leaf, listing, record, tree
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.source.node import Node
from rootplex.source.place import TablePlace

_ALL_FUNCTIONS = 0xFFFF
_DEVICES = 32


def intx_of(bridge: AcpiHostBridge, controllers: AcpiControllers, name: str) -> Node | None:
    """The `intx` key; None without a `_PRT`, or where the language cannot say it (listed)."""
    prt = bridge.prt
    if prt.state == "absent":
        return None
    wires: dict[tuple[int, int], int] = {}
    names = set()
    why = prt.reason if prt.known is None else None
    for entry in prt.known or ():
        found = controllers.controller_of(entry.index) if entry.source is None else None
        if found is None:
            why = "it names link devices, which the operating system sets" if entry.source else None
            why = why or f"no known controller has interrupt {entry.index}"
            break
        names.add(found[0])
        if entry.device < _DEVICES and entry.pin < 4:
            wires.setdefault((entry.device, entry.pin), found[1])
    if why is None and len(names) > 1:
        why = "it leads to several controllers, and the language has one a bridge"
    if why is None and not wires:
        why = "it has no entry"
    if why is not None:
        controllers.missing.append(Missing(f"{name}: intx", why, prt.place))
        return None
    controller = {"controller": leaf(names.pop(), prt.place)}
    return record(prt.place, {**controller, **_lines(wires, prt.place)}, "_PRT")


def _lines(wires: dict[tuple[int, int], int], place: TablePlace) -> dict[str, Node | None]:
    """`irqs` where all 32 devices share four lines or rotate them, else `map`."""
    irqs = [wires.get((0, pin), -1) for pin in range(4)]
    if min(irqs) >= 0:
        same = {(dev, pin): irqs[pin] for dev in range(_DEVICES) for pin in range(4)}
        rotated = {(dev, pin): irqs[(pin + dev) % 4] for dev in range(_DEVICES) for pin in range(4)}
        if wires == rotated:
            return {"irqs": tree(irqs, place)}
        if wires == same:
            return {"irqs": tree(irqs, place), "swizzle": flag(False, place)}
    items = (
        record(place, {"dev": leaf(dev, place), "pin": leaf("ABCD"[pin], place), "irq": leaf(irq, place)})
        for (dev, pin), irq in sorted(wires.items())
    )
    return {"map": listing(items, place)}
