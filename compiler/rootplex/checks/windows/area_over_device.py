"""area-over-device

What it finds: configuration space or a window of an enabled host bridge that covers registers of another
enabled device of the device tree. Endpoint-mode twins of a bridge do not count: they share registers on
purpose.
Why it matters: who claims first has it; the other's driver fails, and BARs may be placed on its registers.
Example: a window 0x0900_0000-0x09ff_ffff on a machine with a serial port at 0x0900_0000.
What to do: leave the device's registers out of the window.
Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources; Xen does not look.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import dt_config_areas, dt_devices, dt_window_areas, overlapping
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0107",
    name="area-over-device",
    level=Level.WARNING,
    requires=(
        "RPX0101",
        "RPX0102",
        "RPX0106",
        "RPX0111",
    ),
    covers=("LNX-17", "XP-19"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each area with a device in it."""
    devices = tuple(dt_devices(facts))
    for area, device in overlapping((*dt_config_areas(facts), *dt_window_areas(facts)), devices):
        yield RULE.finding(
            area.at,
            f"{area} covers the registers of {device}",
            related=[(device.at, "the device is here")],
            help="leave the device's registers out",
            subject=area.owner,
            about=(area.part,),
        )
