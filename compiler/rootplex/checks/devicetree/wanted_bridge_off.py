"""wanted-bridge-off

What it finds: a guest's device behind a host bridge that is disabled in the device tree, or that
`xen,passthrough` takes away from Dom0.
Why it matters: nobody scans the bridge, so nobody reports the device to Xen, and it cannot be assigned.
Example: `enabled: false` on the bridge of a guest's network card.
What to do: enable the bridge, or drop the device from the guest.
Source: Xen xen/arch/arm/pci/pci.c, dt_pci_init, and xen/arch/arm/domain_build.c, write_properties; Linux
drivers/of/base.c, of_device_is_available.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0606",
    name="wanted-bridge-off",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0626",),
    covers=("XP-27",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Guests' devices on bridges that are off."""
    if facts.described is None:
        return
    bridge_of = {device.name: bridge for bridge, device in facts.described.walk()}
    nodes = {each.name: each.dt for each in facts.bridges}
    for guest in facts.described.xen.guests:
        for index, wanted in enumerate(guest.devices):
            bridge = bridge_of.get(wanted)
            node = None if bridge is None else nodes.get(bridge.name)
            if bridge is None or node is None:
                continue
            off = not node.is_on
            if not off and (facts.hypervisor is None or not node.xen_passthrough):
                continue
            at: Place = node.place("status" if off else "xen,passthrough")
            why = "is disabled" if off else "is taken from Dom0 by xen,passthrough"
            yield RULE.finding(
                guest.at(f"devices.{index}"),
                f"'{wanted}' of guest '{guest.name}' is behind '{bridge.name}', which {why}",
                related=[(at, "it is said here")],
                help="enable the bridge, or drop the device from the guest",
                subject=wanted,
                about=(wanted, bridge.name),
            )
