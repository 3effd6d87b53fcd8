"""group-over-two-iommus

What it finds: functions that must share a group, because nothing isolates them from each other, and that go
to two SMMUs.
Why it matters: a group has one set of translations, and an SMMU's driver shares none with another SMMU. Linux
7.2 gives up the SMMU that comes later, with all that is behind it; 6.1 and 6.12 leave out the function that
would join.
Example: a map that sends bus 0 to one SMMU and bus 1 to another, and a root port without ACS on bus 0 with a
device on bus 1.
What to do: map both to one SMMU; or let the port between them isolate.
Source: Linux drivers/iommu/iommu.c, iommu_device_register and __iommu_probe_device;
drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_attach_dev.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted
from rootplex.simulator.firmware.routing.routes import FirmwareUnit
from rootplex.simulator.function import Function
from rootplex.simulator.groups.iommu_probe import Refusal
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(code="RPX0409", name="group-over-two-iommus", level=Level.ERROR, needs="simulation")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a unit that is given up, or a function that is left out."""
    outcome = booted(facts)
    for refusal in outcome.linux.refusals:
        first, first_unit = refusal.other, refusal.other_unit
        if first is None or first_unit is None:
            continue
        function = refusal.function
        own_unit = outcome.streams[function].own.unit or refusal.unit
        name, other = facts.device_name(function), facts.device_name(first)
        units = {each: _called(facts, each) for each in (own_unit, first_unit, refusal.unit)}
        yield RULE.finding(
            _hop(facts, function, own_unit),
            f"'{name}' behind {units[own_unit]} has to share a group with "
            f"'{other}' behind {units[first_unit]}",
            related=[(_hop(facts, first, first_unit), f"'{other}' goes to {units[first_unit]} here")],
            notes=[
                f"they are {function.sbdf} and {first.sbdf}: nothing isolates them from each other",
                _consequence(facts, refusal, units[refusal.unit]),
            ],
            help="map both to one SMMU, or let the port between them isolate (acs)",
            subject=name,
            about=(name, *_lost(facts, refusal)),
        )


def _lost(facts: Facts, refusal: Refusal) -> Iterator[str]:
    """Who is in no group because the unit is given up."""
    for each in booted(facts).linux.ungrouped if refusal.unit_lost else ():
        if each.kind == "unit-lost":
            yield facts.device_name(each.function)


def _hop(facts: Facts, function: Function, unit: FirmwareUnit) -> Place:
    """The entry that takes a function to its unit."""
    return booted(facts).streams[function].own.place or unit.place


def _consequence(facts: Facts, refusal: Refusal, unit: str) -> str:
    outcome = booted(facts)
    kernel = outcome.settings.kernel
    if not refusal.unit_lost:
        return f"{kernel} leaves {refusal.function.sbdf} without a group ({refusal.errno})"
    left = sum(reason.kind == "unit-lost" for reason in outcome.linux.ungrouped)
    return f"{kernel} gives up {unit} with all behind it ({refusal.errno}): {left} functions are in no group"


def _called(facts: Facts, unit: FirmwareUnit) -> str:
    """The description's name of a unit, else its path or what ACPI calls it."""
    described = facts.described
    for each in () if described is None or unit.base is None else described.iommus:
        if each.base == unit.base:
            return each.name
    return unit.name
