"""boot-device-missing

What it finds: a boot device that Dom0 does not see.
Why it matters: the platform does not boot.
Example: `boot: {device: disk}` with the disk's host bridge disabled.
What to do: follow the note: it tells what is in the way, a bridge that does not come up, an empty slot, or a
bus number that nobody answers to.
Source: Linux drivers/pci/probe.c, pci_scan_slot: what a scan does not find is not there.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.absence import absence
from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import function_named, lives
from rootplex.checks.unseen import unseen_slots
from rootplex.model.virtual import device_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0301",
    name="boot-device-missing",
    level=Level.ERROR,
    needs="simulation",
    requires=(BYTES, "RPX0116", "RPX0117", "RPX0212", "RPX0805", "RPX0901", "RPX0902", "RPX0903"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """The boot device, if it is not among Dom0's functions; what hides it by its number is told by
    `function-zero-missing` and `device-behind-port`."""
    described = facts.described
    if described is None or described.boot is None or not lives(facts):
        return
    name = described.boot.device
    if function_named(facts, name) is not None:
        return
    if any(device.name == device_of(name) for each in unseen_slots(described) for device in each.devices):
        return
    missing = absence(facts, name)
    yield RULE.finding(
        described.boot.at("device"),
        f"{facts.host} does not see the boot device {name}",
        related=missing.places,
        notes=[missing.reason],
        help="take away what is in the way, or boot from another device",
        subject=name,
        about=missing.of(name),
    )
