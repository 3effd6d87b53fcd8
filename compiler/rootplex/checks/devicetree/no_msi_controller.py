"""no-msi-controller

What it finds: an enabled bridge of the generic host driver with neither `msi-map` nor `msi-parent`. Of a
description, only a bridge that has a device with MSI or MSI-X; of a given tree, only where it has an MSI
controller to name, or nothing routes INTx either.
Why it matters: the kernel flags the bus "no MSI", and every device falls back to INTx, which a passthrough
guest cannot have on today's Arm port of Xen; PCI Express devices need not even have INTx.
Example: a bridge without `msi` and a device with `msix: 8`.
What to do: name an MSI controller: `msi: {controller: its}`.
Source: Linux drivers/pci/probe.c, pci_register_host_bridge (PCI_BUS_FLAGS_NO_MSI), and drivers/pci/of.c,
pci_host_bridge_of_msi_domain.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0614",
    name="no-msi-controller",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0625",),
    covers=("LNX-25",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges whose MSIs nobody takes."""
    wanting = None
    if facts.described is not None:
        wanting = {
            bridge.name
            for bridge in facts.described.host_bridges
            if any(device.msi or device.msix for device in bridge.walk())
        }
    nodes = () if facts.dt is None else facts.dt.tree.walk()
    has_controller = any("msi-controller" in node.properties for node in nodes)
    for bridge in enabled_bridges(facts):
        if bridge.controller is None or bridge.controller.driver != "pci-host-generic":
            continue
        name = name_of(facts, bridge.path)
        if bridge.msi_map is not None or bridge.has_msi_parent:
            continue
        if name in wanting if wanting is not None else has_controller or bridge.interrupt_map is None:
            yield RULE.finding(
                bridge.place(),
                f"'{name}' has neither msi-map nor msi-parent",
                notes=["every device behind it falls back to INTx"],
                help="name an MSI controller",
                subject=name,
                about=(name, map_of(name, "msi-map")),
                rests_on=(map_of(name, "msi-map"), property_of(name, "msi-parent")),
            )
