"""bridge-assigned

What it finds: a host bridge's function, a port or a bridge in a guest's list.
Why it matters: VFIO takes no bridges, and Xen on Arm checks nothing: the guest would control the port through
which other owners' devices are reached.
Example: `guests: [{name: router, devices: [rp1, nic]}]` where rp1 is a root port.
What to do: give the guest what is behind the port; the port stays in Dom0.
Source: Linux drivers/vfio/pci/vfio_pci_core.c, vfio_pci_core_register_device; Xen
xen/drivers/passthrough/pci.c, assign_device (no check on Arm), and xen/drivers/passthrough/vtd/iommu.c,
domain_context_mapping (-EPERM for a host bridge).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import device_place, wish_place, wishes
from rootplex.report.reasons import type_name
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0502", name="bridge-assigned", level=Level.ERROR, needs="simulation", covers=("XP-59",))


def check(facts: Facts) -> Iterator[Finding]:
    """What a guest is to have that is no endpoint."""
    for guest, view in wishes(facts):
        for function in view.functions:
            if not (function.is_bridge or is_host_bridge(function)):
                continue
            kind = "a host bridge's function" if is_host_bridge(function) else type_name(function)
            name = facts.device_name(function)
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"guest {guest.name} is to have {name}, {kind}",
                related=[(device_place(facts, function, "type"), f"{function.sbdf} is {kind}")],
                help="take it from the list; "
                f"it stays in {facts.host} when what is behind it goes to a guest",
                subject=name,
            )


def is_host_bridge(function: Function) -> bool:
    """Class 0600: the function that stands for the host bridge itself."""
    return function.class_code >> 8 == 0x0600
