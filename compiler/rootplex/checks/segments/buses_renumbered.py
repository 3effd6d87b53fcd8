"""buses-renumbered

What it finds: ports for which firmware left bus numbers that Dom0 replaces by others, on a device tree boot
(Linux 6.1, 7.2, and 6.12 from 6.12.96 on; 6.12 before that keeps them).
Why it matters: what was written down by the firmware's numbers (Xen's command line, an ACPI boot of the same
board, tables with RIDs) means other devices afterwards.
Example: `bus: [8, 8]` on the only root port: a device tree kernel makes it bus 1, an ACPI kernel keeps 8.
What to do: `preserve_boot_config: true` on every bridge (linux,pci-probe-only), or leave the numbers to the
kernel.
Source: Linux drivers/pci/controller/pci-host-common.c, pci_host_common_probe (PCI_REASSIGN_ALL_BUS), and
drivers/pci/probe.c, pci_scan_bridge_extend.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import device_of, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0213",
    name="buses-renumbered",
    level=Level.WARNING,
    needs="simulation",
    covers=("LNX-58",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a host bridge, at the first port with another number."""
    assert facts.outcome is not None
    if facts.outcome.settings.firmware != "dt":
        return
    told: set[int] = set()
    for function in facts.outcome.dom0.functions:
        device = device_of(facts, function)
        if device is None or device.bus in (None, (0, 0)) or function.root in told:
            continue
        assert device.bus is not None
        if function.secondary is None or function.secondary == device.bus[0]:
            continue
        told.add(function.root)
        root = facts.outcome.dom0.root_bridges[function.root]
        yield RULE.finding(
            device.at("bus"),
            f"{device.name} leads to bus {function.secondary:#x} in {facts.host}, "
            f"firmware had left {device.bus[0]:#x}",
            notes=[f"a device tree kernel numbers the buses of '{name_of(facts, root.path)}' anew"],
            help="keep the firmware's numbers with preserve_boot_config on every bridge, or drop 'bus'",
            subject=device.name,
        )
