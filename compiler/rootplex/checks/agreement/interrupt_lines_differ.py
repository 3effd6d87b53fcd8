"""The INTx lines by `interrupt-map` and by `_PRT`."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.check import check
from rootplex.checks.facts import Facts, Joined
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.intx import Hop, InterruptMap, InterruptMaps, IntxRoute, route_intx
from rootplex.source.finding import Finding, Level

PINS = "ABCD"


@check("RPX0810", Level.ERROR, requires=("RPX0637",))
def interrupt_lines_differ(facts: Facts) -> Iterator[Finding]:
    """What it finds: an INTx pin with another line by `interrupt-map` than by `_PRT`, or with none by one of
    them.
    Why it matters: under one of the firmwares the driver listens on a line that never rises. On a GIC the GSI
    of SPI n is 32 + n.
    Example: SPI 3 in the tree and GSI 36 in `_PRT`.
    What to do: write the same lines.
    Source: Linux drivers/of/irq.c, of_irq_parse_raw, and drivers/acpi/pci_irq.c, acpi_pci_irq_lookup; ACPI
    6.5 §6.2.13.
    Sources that prove it: device tree and ACPI of one board. Link devices, and controllers other than a GIC,
    are not compared.
    """
    # The first pin of a bridge that differs, and how many do.
    if facts.dt is None:
        return
    maps = InterruptMaps(facts.dt.tree)
    for joined, dt, acpi in both(facts):
        prt = acpi.prt.known
        map = dt.interrupt_map
        if prt is None or map is None or map.problems or any(entry.source for entry in prt):
            at_gic = map is None or any(entry.parent in _gics(facts) for entry in map.entries)
            if (prt is None) != (map is None) and acpi.prt.state in ("absent", "known") and at_gic:
                yield _one_sided(joined, dt, acpi)
            continue
        gsis: dict[tuple[int, int], int] = {}
        for entry in prt:
            gsis.setdefault((entry.device, entry.pin), entry.index)
        lines = _lines(maps, dt, map, _gics(facts))
        odd = [wire for wire in sorted(lines.keys() | gsis.keys()) if lines.get(wire) != gsis.get(wire)]
        if None in lines.values() or not odd:
            continue
        device, pin = odd[0]
        at, related = blamed_side(
            facts,
            joined,
            "intx",
            (map.place, f"interrupt-map: {_said(lines.get(odd[0]))}"),
            (acpi.prt.place, f"_PRT: {_said(gsis.get(odd[0]))}"),
        )
        yield interrupt_lines_differ.rule.finding(
            at,
            f"pin {_pin(pin)} of device {device:#04x} on {joined.name} has {_said(lines.get(odd[0]))} "
            f"by device tree and {_said(gsis.get(odd[0]))} by _PRT",
            related=related,
            notes=(f"{len(odd)} pins differ",) if len(odd) > 1 else (),
            help="write the same lines",
            subject=joined.name,
        )


def _pin(pin: int) -> str:
    """Its letter; a `_PRT` may name pins that there are not."""
    return PINS[pin] if pin < len(PINS) else f"{pin:#x}"


def _said(gsi: int | None) -> str:
    return "no line" if gsi is None else f"GSI {gsi}"


def _one_sided(joined: Joined, dt: DtHostBridge, acpi: AcpiHostBridge) -> Finding:
    has_map = dt.interrupt_map is not None
    return interrupt_lines_differ.rule.finding(
        acpi.prt.place if has_map else dt.place(),
        f"{joined.name} has INTx lines by {'device tree' if has_map else '_PRT'} only",
        level=Level.WARNING,
        related=[(dt.place("interrupt-map") if has_map else acpi.prt.place, "the lines")],
        help="write the same lines",
        subject=joined.name,
    )


def _gics(facts: Facts) -> frozenset[str]:
    return frozenset(path for path, each in facts.dt_controllers.items() if each.kind == "gic")


def _lines(
    maps: InterruptMaps, bridge: DtHostBridge, map: InterruptMap, gics: frozenset[str]
) -> dict[tuple[int, int], int | None]:
    """(device, pin) → GSI, for all devices of the first bus; None: a line that is no SPI."""
    bus = (bridge.bus_range or (0,))[0]
    # A key of fewer cells than address and pin have does not tell by the rest.
    unit_mask, _, _, pin_mask = (*map.mask, 0, 0, 0, 0)[:4]
    known: dict[tuple[int, int], IntxRoute] = {}
    found: dict[tuple[int, int], int | None] = {}
    for device in range(32):
        for pin in range(4):
            key = (bus << 16 | device << 11) & unit_mask, pin + 1 & pin_mask
            route = known.get(key)
            if route is None:
                route = known[key] = route_intx(maps, bridge.node, [Hop(bus, device << 3)], pin + 1)
            if route.specifier is not None:
                spi = route.controller in gics and len(route.specifier) >= 2 and route.specifier[0] == 0
                found[device, pin] = 32 + route.specifier[1] if spi else None
    return found
