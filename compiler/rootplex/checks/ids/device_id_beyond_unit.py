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
from rootplex.checks.subjects import map_above
from rootplex.model.controllers import Its
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0408",
    name="device-id-beyond-unit",
    level=Level.ERROR,
    covers=("LNX-23",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each function beyond the device table."""
    outcome = facts.outcome
    if outcome is None or facts.described is None:
        return
    units = {each.base: each for each in facts.described.msi_controllers if isinstance(each, Its)}
    for function, route in outcome.messages.items():
        base = None if route.controller is None else route.controller.base
        unit = None if base is None else units.get(base)
        if unit is None or not (function.msi or function.msix) or route.id < 1 << unit.device_id_bits:
            continue
        name = facts.device_name(function)
        yield RULE.finding(
            route.place or unit.at(),
            f"DeviceID {route.id:#x} of '{name}' has more bits than {unit.name}",
            related=[(unit.at("device_id_bits"), f"it has {unit.device_id_bits}")],
            help="map to lower DeviceIDs, or correct 'device_id_bits'",
            subject=name,
            rests_on=(name, map_above(facts, function, "msi-map")),
        )
