"""bus-numbers

What it finds: a range of buses whose first is behind its last: `bus_range` of a host bridge, `bus` of a port.
Why it matters: Linux refuses such a host bridge (-EINVAL), Xen never finds a device in it.
Example: `bus_range: [0x20, 0x10]`.
What to do: write the smaller number first.
Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c,
pci_generic_init_bus_range (no check: the bridge matches no bus).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.bridge import HostBridge, Override
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place, Span
from rootplex.source.rules import INVALID_VALUE

RULE = Rule(
    code="RPX0023",
    name="bus-numbers",
    level=Level.ERROR,
    needs="description",
    covers=("LNX-15", "XP-12"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bus ranges that hold no bus."""
    for bridge in facts.platform.host_bridges:
        views: tuple[HostBridge | Override, ...] = (bridge, bridge.acpi, bridge.dt)
        for view in views:
            buses = view.bus_range
            if (
                buses is not None
                and buses.first > buses.last
                and not _is_read_wrong(facts, view.at("bus_range"))
            ):
                yield RULE.finding(
                    view.at("bus_range"),
                    f"the bus range of '{bridge.name}' starts at {buses.first:#x}, "
                    f"behind its end {buses.last:#x}",
                    help="write the first bus first",
                    rewrite=view.written("bus_range", f"[{buses.last:#x}, {buses.first:#x}]"),
                    subject=bridge.name,
                )
        for device in bridge.walk():
            if device.bus in (None, (0, 0)) or _is_read_wrong(facts, device.at("bus")):
                continue
            assert device.bus is not None
            if device.bus[0] > device.bus[1]:
                yield RULE.finding(
                    device.at("bus"),
                    f"the secondary bus of {device.label} is {device.bus[0]:#x}, "
                    f"behind its subordinate {device.bus[1]:#x}",
                    help="write the secondary bus first",
                    rewrite=device.written("bus", f"[{device.bus[1]:#x}, {device.bus[0]:#x}]"),
                    subject=device.name,
                )


def _is_read_wrong(facts: Facts, at: Place) -> bool:
    """Whether one of the two numbers is no bus at all: reported already, and a default is used."""
    return isinstance(at, Span) and any(
        each.code == INVALID_VALUE.code and at.holds(each.at) for each in facts.found
    )
