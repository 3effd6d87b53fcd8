"""device-id-beyond-unit

What it finds: a present function with MSI whose DeviceID has more bits than the ITS.
Why it matters: the ITS drops its messages.
Example: `device_id_bits: 8` and a device on bus 1.
What to do: map to lower DeviceIDs, or correct `device_id_bits`.
Source: Arm IHI0069 §5.2; Linux drivers/irqchip/irq-gic-v3-its.c, its_alloc_device_table.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import map_above
from rootplex.model.controllers import Its
from rootplex.model.platform import Platform
from rootplex.readers.acpi.iort_facts import ItsGroup
from rootplex.simulator.firmware.routing.routes import FirmwareUnit, MsiRoute
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0408",
    name="device-id-beyond-unit",
    level=Level.ERROR,
    needs="simulation",
    covers=("LNX-23",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for each entry of a map that leads beyond the device table, at the first function."""
    outcome = facts.outcome
    if outcome is None or facts.described is None:
        return
    beyond: dict[tuple[Place, Its], list[MsiRoute]] = {}
    for function, route in outcome.messages.items():
        unit = None if route.controller is None else _described(facts, facts.described, route.controller)
        if unit is None or not (function.msi or function.msix) or route.id < 1 << unit.device_id_bits:
            continue
        beyond.setdefault((route.place or unit.at(), unit), []).append(route)
    for (at, unit), (first, *more) in beyond.items():
        name = facts.device_name(first.function)
        others = ", ".join(facts.device_name(each.function) for each in more)
        yield RULE.finding(
            at,
            f"DeviceID {first.id:#x} of '{name}' has more bits than {unit.name}",
            related=[(unit.at("device_id_bits"), f"it has {unit.device_id_bits}")],
            notes=[f"so have those of {others}"] if others else (),
            help="map to lower DeviceIDs, or correct 'device_id_bits'",
            subject=name,
            about=(facts.device_name(each.function) for each in (first, *more)),
            rests_on=(map_above(facts, first.function, "msi-map"),),
        )


def _described(facts: Facts, platform: Platform, unit: FirmwareUnit) -> Its | None:
    """The description's ITS: by its address, or where no MADT tells that by the id that IORT names."""
    described = [each for each in platform.msi_controllers if isinstance(each, Its)]
    if unit.base is not None:
        return next((each for each in described if each.base == unit.base), None)
    iort = facts.tables.iort
    node = next((each for each in (iort.nodes if iort else ()) if each.place == unit.place), None)
    ids = node.data.ids if node is not None and isinstance(node.data, ItsGroup) else ()
    return next((each for each in described if each.id in ids[:1]), None)
