"""smmu-shares-device-id

What it finds: an SMMUv3 whose own messages have the DeviceID of a function with MSI at the same ITS.
Why it matters: to the ITS the two are one device. Its table of interrupts is made for whoever comes
first, and the other one gets what is left of it.
Example: `msi_controller: its` without `device_id`, which is 0, and a function with MSI at 0000:00:00.0.
What to do: give the SMMU the DeviceID that it is wired to, or map the function elsewhere.
Source: Arm IHI0069 §5.2; Linux drivers/irqchip/irq-gic-v3-its.c, its_msi_prepare (a DeviceID that is there is
shared).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.ids._own_messages import by_device_tree, by_iort
from rootplex.checks.rule import Rule
from rootplex.simulator.firmware.facts import DtFirmware
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0519", name="smmu-shares-device-id", level=Level.WARNING, needs="simulation")


def check(facts: Facts) -> Iterator[Finding]:
    """The first function that shares a DeviceID with an SMMU, by the firmware that is booted."""
    outcome = facts.outcome
    if outcome is None:
        return
    tree = isinstance(outcome.firmware, DtFirmware)
    taken: dict[tuple[str, int], Function] = {}
    for function, route in outcome.messages.items():
        unit = route.controller
        if unit is not None and unit.kind == "its" and (function.msi or function.msix):
            taken.setdefault((unit.name, route.id), function)
    for own in by_device_tree(facts) if tree else by_iort(facts):
        sharing = taken.get((own.its if isinstance(own.its, str) else f"ITS {own.its}", own.id))
        if sharing is not None:
            name = facts.device_name(sharing)
            yield RULE.finding(
                own.at,
                f"messages of the SMMU at {own.unit:#x} have the DeviceID of '{name}', {own.id:#x}",
                notes=("to the ITS both are one device, whose interrupts are those of whoever comes first",),
                help="write the unit's DeviceID as it is wired ('device_id'), or map the function elsewhere",
                subject=name,
            )
