"""Where interrupt pins go, and who shares a line (linux.md §1.12, §6.1, §6.2)."""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.readers.acpi.aml import PrtEntry
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.intx import Hop, InterruptMaps, child_at, route_intx, swizzle
from rootplex.readers.intx import IntxRoute as DtRoute
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, Firmware
from rootplex.simulator.firmware.routing.routes import Cause, IntxLine, IntxRoute, Step
from rootplex.simulator.function import Function, Root, Scan
from rootplex.source.place import Place

FIRST_SPI = 32


class IntxRouter:
    """Where the pin of every function goes by one firmware."""

    def __init__(self, scan: Scan, firmware: Firmware) -> None:
        self._roots = scan.root_bridges
        self._pins = _DtPins(firmware) if isinstance(firmware, DtFirmware) else _AcpiPins(firmware)

    def route(self, function: Function) -> IntxRoute | None:
        """The way of a function's pin; None where it has no pin (register 0). A pin above 4 is
        taken for 1, as Linux does."""
        if function.pin == 0:
            return None
        root = self._roots[function.root]
        hops = way_down(function)
        pin = function.pin if function.pin <= 4 else 1
        return self._pins.route(function, root, hops, pin)


def way_down(function: Function) -> list[Hop]:
    """The hops from the root bus to a function. ARI makes all functions of a bus device 0."""
    hops = []
    at: Function | None = function.physfn or function
    while at is not None:
        bridge = at.bus.bridge
        hops.append(Hop(at.bus.number, at.devfn, ari=bridge is not None and bridge.ari_forwarding))
        at = at.parent
    return hops[::-1]


def shared_lines(routes: Iterable[IntxRoute | None]) -> tuple[IntxLine, ...]:
    """The lines, in the order in which functions reach them, each with all pins that end there."""
    found: dict[tuple[str | None, object], list[IntxRoute]] = {}
    for route in routes:
        if route is not None and route.line is not None:
            # The trigger is not the line: two that differ in it are still one wire.
            key = route.controller, route.line if route.irq is None else route.irq
            found.setdefault(key, []).append(route)
    return tuple(
        IntxLine(first.controller, first.line or (), first.irq, tuple(members))
        for members in found.values()
        for first in members[:1]
    )


def can_do_without(function: Function) -> bool:
    """Whether a function on a shared line need not disturb the others: it has messages instead, or
    can mask its pin (§6.1)."""
    return function.msi > 0 or function.msix > 0 or function.disintx


class _DtPins:
    """Through `interrupt-map`. What is below the last node on the way is swizzled up here, so that
    the tree is asked once for each key."""

    facts: DtFirmware
    _maps: InterruptMaps
    _found: dict[tuple[object, ...], DtRoute]

    def __init__(self, facts: DtFirmware) -> None:
        self.facts = facts
        self._maps = InterruptMaps(facts.tree)
        self._found = {}

    def route(self, function: Function, root: Root, hops: list[Hop], pin: int) -> IntxRoute:
        bridge = self.facts.bridge_of(root)
        if bridge is None:
            return _unrouted(function, pin, Cause("no-node"))
        depth = _nodes_down(bridge, hops)
        if depth < len(hops):
            for hop in hops[:depth:-1]:
                pin = swizzle(pin, hop)
            hops = hops[: depth + 1]
        found = self._ask(bridge, hops, pin, at_bridge=depth == 0)
        steps = tuple(
            Step("interrupt-map", pin, None, entry.place, name=str(entry.parent)) for entry in found.entries
        )
        if found.specifier is None:
            cause = Cause("pin-not-mapped", told=str(found.reason))
            return _unrouted(function, found.pin, cause, found.place, steps)
        lost = None if found.controller is None else self.facts.lost(found.controller)
        if lost is not None:
            return _unrouted(function, found.pin, Cause("pin-without-driver", told=lost), found.place, steps)
        irq = self._number(found.controller, found.specifier)
        return IntxRoute(
            function, function.pin, pin, found.controller, found.specifier, irq, steps, None, found.place
        )

    def _ask(self, bridge: DtHostBridge, hops: list[Hop], pin: int, *, at_bridge: bool) -> DtRoute:
        """The tree's answer; where only the bridge's own map decides, one for all keys that are
        equal under its mask."""
        map = bridge.interrupt_map
        key: tuple[object, ...] = (bridge.path, *hops, pin)
        if at_bridge and map is not None and map.address_cells == 3 and len(map.mask) == 4:
            unit = hops[0].bus << 16 | hops[0].devfn << 8
            masked = (bridge.path, unit & map.mask[0], pin & map.mask[3])
            if masked in self._found:
                return self._found[masked]
            answer = self._found.get(key)
            if answer is None:
                answer = route_intx(self._maps, bridge.node, hops, pin)
                # A failure names its key, so it holds for that key alone.
                self._found[key if answer.specifier is None else masked] = answer
            return answer
        if key not in self._found:
            self._found[key] = route_intx(self._maps, bridge.node, hops, pin)
        return self._found[key]

    def _number(self, controller: str | None, specifier: tuple[int, ...]) -> int | None:
        """The interrupt's number as people write it: the SPI on a GIC, else the first cell."""
        known = None if controller is None else self.facts.controller(controller)
        if known is not None and known.kind == "gic" and len(specifier) >= 3:
            return specifier[1] if specifier[0] == 0 else None
        return specifier[0] if specifier else None


def _nodes_down(bridge: DtHostBridge, hops: list[Hop]) -> int:
    """How many of the hops, from the root bus down, have nodes of their own."""
    if not bridge.children:
        return 0
    node = bridge.node
    for depth, hop in enumerate(hops):
        child = child_at(node, hop.devfn)
        if child is None:
            return depth
        node = child
    return len(hops)


class _AcpiPins:
    """Through the `_PRT` of the host bridge."""

    def __init__(self, facts: AcpiFirmware) -> None:
        self.facts = facts
        self._tables: dict[str, dict[tuple[int, int], PrtEntry]] = {}

    def route(self, function: Function, root: Root, hops: list[Hop], pin: int) -> IntxRoute:
        bridge = self.facts.bridge_of(root)
        if bridge is None:
            return _unrouted(function, pin, Cause("no-device"))
        for hop in hops[:0:-1]:
            pin = swizzle(pin, hop)
        place = bridge.prt.place
        if bridge.prt.known is None:
            return _unrouted(function, pin, Cause("no-prt", name=bridge.path), place)
        table = self._tables.get(bridge.path)
        if table is None:
            table = {}
            for row in bridge.prt.known:
                table.setdefault((row.device, row.pin), row)
            self._tables[bridge.path] = table
        device = 0 if hops[0].ari else hops[0].devfn >> 3
        entry = table.get((device, pin - 1))
        if entry is None:
            return _unrouted(function, pin, Cause("no-prt-entry", id=device, name="ABCD"[pin - 1]), place)
        target = f"GSI {entry.index}" if entry.source is None else f"{entry.source} index {entry.index}"
        steps = (Step("prt-entry", pin, entry.index, place, number=device, name=target),)
        irq = self._number(entry)
        return IntxRoute(function, function.pin, pin, entry.source, (entry.index,), irq, steps, None, place)

    def _number(self, entry: PrtEntry) -> int | None:
        """The SPI where there is a GIC, else the GSI; a link device's is not known."""
        if entry.source is not None:
            return None
        madt = self.facts.madt
        is_gic = self.facts.iort is not None if madt is None else bool(madt.distributors)
        return entry.index - FIRST_SPI if is_gic and entry.index >= FIRST_SPI else entry.index


def _unrouted(
    function: Function, root_pin: int, cause: Cause, place: Place | None = None, steps: tuple[Step, ...] = ()
) -> IntxRoute:
    return IntxRoute(function, function.pin, root_pin, None, None, None, steps, cause, place)
