"""registers-missing

What it finds: an enabled host bridge whose configuration space cannot be found: no `reg`, no block of the
name that its driver looks for (`config` of a DesignWare bridge; that the first entry of `ranges` is
configuration space, as in old trees, is of no use), an address that does not come through the `ranges` of the
buses above, or, for a bridge that today's Arm port of Xen drives, a `reg-names` entry that its driver needs.
Why it matters: the bridge fails in Linux (-EINVAL). Xen ends its whole scan at the first such bridge, without
a word: all later ones are lost. A missing `atu` of an R-Car bridge is a data abort inside Xen.
Example: `dt: {properties: {reg: false}}`.
What to do: write `reg`, and the names that the binding asks for.
Source: Linux drivers/pci/controller/pci-host-common.c, gen_pci_init (pci_host_common_ecam_create in 7.2), and
drivers/pci/controller/dwc/pcie-designware-host.c, dw_pcie_host_get_resources; Xen
xen/arch/arm/pci/pci.c, dt_pci_init, and pci-host-common.c, pci_host_common_probe.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import config_layout, enabled_bridges, name_of, xen_bridges
from rootplex.checks.causes import property_of
from rootplex.checks.devicetree._ways import help_for
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.readers.address import DtReg
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.reach import untranslated
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0604",
    name="registers-missing",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601",),
    covers=("XP-24", "XP-25"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges whose driver finds no configuration space, or not all that it needs."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        reg = bridge.config_reg
        if bridge.missing_block is not None:
            yield _unnamed(bridge, name, bridge.missing_block)
        elif reg is None and config_layout(bridge) is not None:
            yield RULE.finding(
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
    return RULE.finding(
        problem.place,
        f"the registers of '{name}' at {reg.address:#x} are at no address of the CPU",
        related=[(reg.place, "the registers are here")] if of_bus else (),
        notes=[problem.text] if of_bus else ["the ranges of the buses above do not reach them"],
        help=help_for(problem),
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
    return RULE.finding(
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
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.place("reg-names" if bridge.node.strings("reg-names") else None),
                f"'{name}' has no register block named {' or '.join(missing)}, which Xen's driver needs",
                notes=[f"{driver.name} needs {', '.join(needed)}"],
                help="add it to config.registers",
                subject=name,
            )
