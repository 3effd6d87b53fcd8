"""device-type-missing

What it finds: an enabled host bridge without `device_type = "pci"`.
Why it matters: unless the node is called `pcie`, Linux does not read its `ranges` as PCI windows (an error);
its `linux,pci-domain` is not reserved in any case, so that another bridge can be given the same number.
Today's port of Xen gives Dom0 neither its windows nor its interrupts (an error).
Example: `dt: {properties: {device_type: false}}`.
What to do: write `device_type = "pci"`.
Source: Linux drivers/of/address.c, of_bus_pci_match, and drivers/pci/pci.c, of_pci_reserve_static_domain_nr;
Xen xen/arch/arm/device.c, map_device_children.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.readers.address import is_pci_bus
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0602",
    name="device-type-missing",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-04", "XP-28"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges of another device type, or of none."""
    for bridge in enabled_bridges(facts):
        if bridge.device_type == "pci":
            continue
        name = name_of(facts, bridge.path)
        readable = is_pci_bus(bridge.node)
        notes = ["its linux,pci-domain is not reserved"] if bridge.domain is not None else []
        if not readable:
            notes.append("its ranges are not read as PCI windows")
        yield RULE.finding(
            bridge.place("device_type" if bridge.device_type else None),
            f"'{name}' lacks device_type = \"pci\"",
            level=Level.WARNING if readable and not xen_probes(facts) else Level.ERROR,
            notes=notes,
            help='write device_type = "pci"',
            subject=name,
        )
