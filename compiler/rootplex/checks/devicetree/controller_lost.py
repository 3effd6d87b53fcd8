"""controller-lost

What it finds: an ITS, a GICv2m frame, an SMMU or an interrupt controller to which `msi-map`, `msi-parent`,
`iommu-map` or `interrupt-map` of an enabled bridge leads, and for which no driver comes up: a GIC without
the property `interrupt-controller`, an SMMU below a bus without `compatible`, or registers that no driver
finds: no `reg`, one that is too short for an entry, or an address that does not come through the buses
above (a bus without `ranges`, a size or an address of no cells). Also an SMMUv3 with fewer registers than
its driver maps, and a GICv2m frame whose node names interrupts that it cannot have (32 to 1018).
Why it matters: the driver ends with an error, and what leads there is lost: no MSIs ("No ITS available"),
no IOMMU and no groups for any function, no INTx. Nothing in the bridge's node shows it.
Example: an ITS as a child of a GIC node without `ranges`.
What to do: write `ranges;` into the bus, or the registers as its parent counts cells. A bus whose addresses
are those of the bus above has an empty `ranges`; one without it is no part of the CPU's addresses.
Source: Devicetree Specification 0.4 §2.3.6 and §2.3.8; Linux drivers/of/address.c, of_address_to_resource;
drivers/irqchip/irq-gic-v3-its.c, its_of_probe; drivers/irqchip/irq-gic-v2m.c, gicv2m_of_init;
drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_device_probe.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.devicetree._ways import help_for
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, Place

RULE = Rule(
    code="RPX0619",
    name="controller-lost",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601",),
    covers=("LNX-25", "LNX-61"),
)

LOST = {
    "msi-map": "no function behind it has MSIs",
    "msi-parent": "no function behind it has MSIs",
    "iommu-map": "no function behind it has an IOMMU, or a group",
    "interrupt-map": "its pins lead nowhere",
}


class Use(Struct, frozen=True):
    """One property of a bridge that leads to a controller."""

    bridge: str
    property: str
    target: str
    at: DtPlace


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for each place where a register block, or the way to it, is broken."""
    if facts.dt is None:
        return
    lost = {each.path: each for each in facts.dt.platform.controllers if each.unreachable is not None}
    met: dict[Place, list[Use]] = {}
    for bridge in enabled_bridges(facts):
        for use in _uses(name_of(facts, bridge.path), bridge):
            controller = lost.get(use.target)
            if controller is not None and controller.enabled and controller.unreachable is not None:
                met.setdefault(controller.unreachable.place, []).append(use)
    for place, uses in met.items():
        problem = lost[uses[0].target].unreachable
        assert problem is not None
        targets = list(dict.fromkeys(use.target for use in uses))
        yield RULE.finding(
            place,
            f"{problem.text}, and no driver comes up for {_listed(targets, problem.text)}",
            related=[(use.at, f"{use.property} of '{use.bridge}' leads to it") for use in uses],
            notes=list(dict.fromkeys(f"'{use.bridge}': {LOST[use.property]}" for use in uses)),
            help=help_for(problem),
            about=[each for use in uses for each in (use.bridge, _bears_on(use))],
            rests_on=[property_of(target, "reg") for target in targets],
        )


def _uses(name: str, bridge: DtHostBridge) -> Iterator[Use]:
    """The controllers that a bridge's properties lead to, each once a property."""
    found: dict[tuple[str, str], DtPlace] = {}
    for map in (bridge.iommu_map, bridge.msi_map):
        for entry in () if map is None else map.entries:
            if entry.target is not None:
                found.setdefault((map.property if map else "", entry.target), entry.place)
    for parent in bridge.msi_parent if bridge.msi_map is None else ():
        if parent.target is not None:
            found.setdefault(("msi-parent", parent.target), parent.place)
    for line in () if bridge.interrupt_map is None else bridge.interrupt_map.entries:
        if line.parent is not None:
            found.setdefault(("interrupt-map", line.parent), line.place)
    for (property, target), at in found.items():
        yield Use(name, property, target, at)


def _bears_on(use: Use) -> str:
    return map_of(use.bridge, "msi-map" if use.property == "msi-parent" else use.property)


def _listed(targets: list[str], text: str) -> str:
    """The controllers by their paths; `it` where the text names the only one already."""
    return "it" if len(targets) == 1 and text.split(" ")[0] == targets[0] else " and ".join(targets)
