"""device-behind-port

What it finds: a device number other than 0 below a root port, a downstream port or a PCI-to-PCIe bridge.
Why it matters: a link has one device, and kernels ask for device 0 alone. A warning, or an error where that
hides the boot device or a guest's device.
Example: `{type: root-port, devices: [{name: disk, dev: 1}]}`.
What to do: set `dev: 0`; or boot with `pci=pcie_scan_all`, which makes Linux ask for all of them.
Source: PCI Express Base 6.0 §7.3.1; Linux drivers/pci/probe.c, only_one_child.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.unseen import counted_on, unseen_slots
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0305", name="device-behind-port", level=Level.WARNING, needs="description")


def check(facts: Facts) -> Iterator[Finding]:
    """Devices beside device 0 on a link."""
    for each in unseen_slots(facts.platform):
        if each.why != "device-number" or each.port is None:
            continue
        first = each.functions[0]
        hurt = counted_on(facts.platform, each)
        yield RULE.finding(
            first.at("dev"),
            f"{first.label} is device {first.dev} below {each.port.label}, "
            "where kernels look for device 0 alone",
            level=Level.ERROR if hurt else None,
            related=[(each.port.at("type"), f"{each.port.label} is a {each.port.type}")],
            notes=[f"it hides {one}" for one in hurt],
            help="set 'dev: 0'",
            rewrite=first.written("dev", "0"),
            subject=first.name,
        )
