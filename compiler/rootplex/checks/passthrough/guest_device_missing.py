"""guest-device-missing

What it finds: a device that a guest is to have and that Dom0 does not see.
Why it matters: what Dom0 does not find it cannot report to Xen, and Xen cannot assign it.
Example: `guests: [{name: router, devices: [nic]}]` where nic has `present: false`.
What to do: follow the note to what is in the way, or take the device from the guest's list.
Source: Xen xen/drivers/passthrough/pci.c, assign_device (-ENODEV).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.absence import absence
from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import function_named, lives
from rootplex.checks.unseen import unseen_slots
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0501",
    name="guest-device-missing",
    level=Level.ERROR,
    needs="simulation",
    requires=(BYTES, "RPX0116", "RPX0117", "RPX0212", "RPX0805", "RPX0901", "RPX0902", "RPX0903", "RPX0301"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Every guest's devices that are not among Dom0's functions; hidden ones are told elsewhere."""
    described = facts.described
    if described is None or not lives(facts):
        return
    unseen = {device.name for each in unseen_slots(described) for device in each.devices}
    for guest in described.xen.guests:
        for i, name in enumerate(guest.devices):
            if name in unseen or function_named(facts, name) is not None:
                continue
            missing = absence(facts, name)
            yield RULE.finding(
                guest.at(f"devices.{i}"),
                f"guest {guest.name} is to have {name}, which {facts.host} does not see",
                related=missing.places,
                notes=[missing.reason],
                help=f"{missing.help}, or take the device from the list",
                subject=name,
                about=missing.of(name),
            )
