"""Registers that drivers do not find: their own, or their controllers'."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.checks.bridges import config_layout, enabled_bridges, xen_bridges
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.readers.address import DtReg
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.problem import Problem
from rootplex.readers.reach import untranslated
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, Place


@check("RPX0604", Level.ERROR, requires=("RPX0601",), covers=("XP-24", "XP-25"))
def registers_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge whose configuration space cannot be found: no `reg`, no block of
    the name that its driver looks for (`config` of a DesignWare bridge; that the first entry of `ranges` is
    configuration space, as in old trees, is of no use), an address that does not come through the `ranges` of
    the buses above, or, for a bridge that today's Arm port of Xen drives, a `reg-names` entry that its driver
    needs.
    Why it matters: the bridge fails in Linux (-EINVAL). Xen ends its whole scan at the first such bridge,
    without a word: all later ones are lost. A missing `atu` of an R-Car bridge is a data abort inside Xen.
    Example: `dt: {properties: {reg: false}}`.
    What to do: write `reg`, and the names that the binding asks for.
    Source: Linux drivers/pci/controller/pci-host-common.c, gen_pci_init (pci_host_common_ecam_create in 7.2),
    and drivers/pci/controller/dwc/pcie-designware-host.c, dw_pcie_host_get_resources; Xen
    xen/arch/arm/pci/pci.c, dt_pci_init, and pci-host-common.c, pci_host_common_probe.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        reg = bridge.config_reg
        if bridge.missing_block is not None:
            yield _unnamed(bridge, name, bridge.missing_block)
        elif reg is None and config_layout(bridge) is not None:
            yield registers_missing.rule.finding(
                bridge.place("reg" if "reg" in bridge.node.properties else None),
                f"'{name}' has no reg, and its configuration space cannot be found",
                help="write the address and size of the configuration space",
                subject=name,
            )
        elif reg is not None and reg.translation == "none":
            yield _untranslated(facts, bridge, name, reg)
    if xen_probes(facts):
        yield from _named(facts)


def _untranslated(facts: Facts, bridge: DtHostBridge, name: str, reg: DtReg) -> Finding:
    """At the bus that blocks the registers; one without `ranges` blocks the windows too."""
    assert facts.dt is not None
    problem = untranslated(facts.dt.tree, bridge.node, reg)
    assert isinstance(problem.place, DtPlace)
    of_bus = problem.place.node != bridge.path
    return registers_missing.rule.finding(
        problem.place,
        f"the registers of '{name}' at {reg.address:#x} are at no address of the CPU",
        related=[(reg.place, "the registers are here")] if of_bus else (),
        notes=[problem.text] if of_bus else ["the ranges of the buses above do not reach them"],
        help=_help_for(problem),
        subject=name,
        about=(name, property_of(name, "ranges")) if of_bus else (),
    )


def _unnamed(bridge: DtHostBridge, name: str, block: str) -> Finding:
    """The driver ends (-ENODEV, "missing config reg space")."""
    old = next((window for window in bridge.windows if window.space == "config"), None)
    driver = "" if bridge.controller is None else bridge.controller.driver
    notes = [f"its driver {driver} looks for it by name, and ends without it"]
    if old is not None:
        notes.append("its first kernels read it from ranges, and none does any more")
    property = next((each for each in ("reg-names", "reg") if each in bridge.node.properties), None)
    return registers_missing.rule.finding(
        bridge.place(property) if old is None else old.place,
        f"'{name}' has no register block named {block} for its configuration space",
        notes=notes,
        help=f"write configuration space into reg, and {block} at its place in reg-names",
        subject=name,
    )


def _named(facts: Facts) -> Iterator[Finding]:
    for bridge, driver in xen_bridges(facts):
        needed = [each for each in (driver.window, driver.child, *driver.needs) if each is not None]
        missing = [each for each in needed if bridge.reg_named(each) is None]
        if missing:
            name = facts.name_of(bridge.path)
            yield registers_missing.rule.finding(
                bridge.place("reg-names" if bridge.node.strings("reg-names") else None),
                f"'{name}' has no register block named {' or '.join(missing)}, which Xen's driver needs",
                notes=[f"{driver.name} needs {', '.join(needed)}"],
                help="add it to config.registers",
                subject=name,
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


@check("RPX0619", Level.ERROR, requires=("RPX0601",), covers=("LNX-25", "LNX-61"))
def controller_lost(facts: Facts) -> Iterator[Finding]:
    """What it finds: an ITS, a GICv2m frame, an SMMU or an interrupt controller to which `msi-map`,
    `msi-parent`, `iommu-map` or `interrupt-map` of an enabled bridge leads, and for which no driver comes up:
    a GIC without the property `interrupt-controller`, an SMMU below a bus without `compatible`, or registers
    that no driver finds: no `reg`, one that is too short for an entry, or an address that does not come
    through the buses above (a bus without `ranges`, a size or an address of no cells). Also an SMMUv3 with
    fewer registers than its driver maps, and a GICv2m frame whose node names interrupts that it cannot have
    (32 to 1018).
    Why it matters: the driver ends with an error, and what leads there is lost: no MSIs ("No ITS available"),
    no IOMMU and no groups for any function, no INTx. Nothing in the bridge's node shows it.
    Example: an ITS as a child of a GIC node without `ranges`.
    What to do: write `ranges;` into the bus, or the registers as its parent counts cells. A bus whose
    addresses are those of the bus above has an empty `ranges`; one without it is no part of the CPU's
    addresses.
    Source: Devicetree Specification 0.4 §2.3.6 and §2.3.8; Linux drivers/of/address.c,
    of_address_to_resource; drivers/irqchip/irq-gic-v3-its.c, its_of_probe; drivers/irqchip/irq-gic-v2m.c,
    gicv2m_of_init; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_device_probe.
    Sources that prove it: device tree.
    """
    # One finding for each place where a register block, or the way to it, is broken.
    lost = {path: each for path, each in facts.dt_controllers.items() if each.unreachable is not None}
    met: dict[Place, list[Use]] = {}
    for bridge in enabled_bridges(facts):
        for use in _uses(facts.name_of(bridge.path), bridge):
            controller = lost.get(use.target)
            if controller is not None and controller.enabled and controller.unreachable is not None:
                met.setdefault(controller.unreachable.place, []).append(use)
    for place, uses in met.items():
        problem = lost[uses[0].target].unreachable
        assert problem is not None
        targets = list(dict.fromkeys(use.target for use in uses))
        yield controller_lost.rule.finding(
            place,
            f"{problem.text}, and no driver comes up for {_listed(targets, problem.text)}",
            related=[(use.at, f"{use.property} of '{use.bridge}' leads to it") for use in uses],
            notes=list(dict.fromkeys(f"'{use.bridge}': {LOST[use.property]}" for use in uses)),
            help=_help_for(problem),
            about=[each for use in uses for each in (use.bridge, _bears_on(use))],
            rests_on=[property_of(target, "reg") for target in targets],
        )


def _uses(name: str, bridge: DtHostBridge) -> Iterator[Use]:
    """The controllers that a bridge's properties lead to, each once a property."""
    found: dict[tuple[str, str], DtPlace] = {}
    for map in bridge.maps:
        for entry in map.entries:
            if entry.target is not None:
                found.setdefault((map.property, entry.target), entry.place)
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


def _help_for(problem: Problem) -> str:
    """The way out of what `readers/reach.py` says of a controller or a host bridge."""
    place = problem.place
    if isinstance(place, DtPlace) and place.property is None and problem.text.endswith("has no ranges"):
        return f"write 'ranges;' into {place.node}"
    if problem.text.endswith("has no 'interrupt-controller'"):
        return "write the property 'interrupt-controller;'"
    if problem.text.endswith("has no compatible"):
        return 'write its compatible; a plain bus has "simple-bus"'
    if problem.text.endswith("ranges of the buses above"):
        return "widen the ranges of the bus above, or correct the address"
    if problem.kind == "count":
        return "name interrupts that a frame can have: their ids, which are 32 more than the SPIs' numbers"
    return "write its registers in cells as the bus above counts them"
