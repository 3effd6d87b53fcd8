"""interrupt-map-pins

What it finds: a pin of a device on the first bus for which the bridge's `interrupt-map` has no entry. The
devices are those of the description that have a pin; of a given tree device 0, which is all that most PCIe
root buses have, with those pins that the map does not name anywhere.
Why it matters: that pin has no interrupt, nor has any pin of a device behind a port that is swizzled to it.
Example: `intx: {controller: gic, map: [{dev: 1, pin: A, irq: 3}]}` with a device at 2.
What to do: add the entry, or match pins only (mask 0 0 0 7).
Source: Linux drivers/pci/of.c, of_irq_parse_pci, and drivers/of/irq.c, of_irq_parse_raw.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.intx import Hop, InterruptMap, InterruptMaps, route_intx
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0616",
    name="interrupt-map-pins",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0615",),
    covers=("LNX-26",),
)

PINS = "ABCD"


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a bridge, at the first pin without an entry."""
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or map.problems or facts.dt is None:
            continue
        if facts.described is None:
            yield from _given(facts, bridge, map)
        else:
            yield from _described(facts, bridge, map)


def _given(facts: Facts, bridge: DtHostBridge, map: InterruptMap) -> Iterator[Finding]:
    if bridge.controller is None or bridge.controller.first_bus_devices != (0,) or len(map.mask) < 4:
        return
    mask = map.mask[3]
    named = {entry.key[3] & mask for entry in map.entries if entry.key[0] & map.mask[0] & 0xF800 == 0}
    missing = "".join(pin for number, pin in enumerate(PINS, 1) if number & mask not in named)
    if not missing:
        return
    name = name_of(facts, bridge.path)
    yield RULE.finding(
        map.place,
        f"interrupt-map of '{name}' has no entry for INT{' and INT'.join(missing)} of device 0",
        subject=name,
    )


def _described(facts: Facts, bridge: DtHostBridge, map: InterruptMap) -> Iterator[Finding]:
    assert facts.dt is not None
    name = name_of(facts, bridge.path)
    maps = InterruptMaps(facts.dt.tree)
    described = next((each for each in facts.platform.host_bridges if each.name == name), None)
    for device in () if described is None else described.devices:
        if device.pin is None or not device.present:
            continue
        pin = PINS.index(device.pin) + 1
        hop = Hop((bridge.buses or ALL_BUSES).first, device.dev << 3 | device.fn)
        route = route_intx(maps, bridge.node, [hop], pin)
        if route.reason is not None:
            yield RULE.finding(
                map.place,
                f"interrupt-map of '{name}' has no entry for INT{device.pin} of {device.label}",
                related=[(device.at("pin"), "the pin is here")],
                notes=[route.reason],
                help="add the entry, or match pins only",
                subject=device.name or name,
            )
            return
