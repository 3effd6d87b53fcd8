"""windows-overlap

What it finds: two windows that share CPU addresses, of two enabled host bridges or of one. In ACPI only
windows of two bridges are compared, and only those whose descriptors do not depend on memory that a dump
lacks.
Why it matters: the kernel claims every window; the second claim is refused, and with a device tree the whole
bridge fails. BARs of two bridges would answer at one address.
Example: `mem32` windows of two bridges that both start at 0x1000_0000.
What to do: give each window addresses of its own.
Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources; Xen xen/arch/arm/device.c,
map_range_to_domain (no check).
Sources that prove it: device tree, DSDT and SSDT where `_CRS` does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import Area, acpi_window_areas, colliding, dt_window_areas
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0104",
    name="windows-overlap",
    level=Level.ERROR,
    requires=(
        "RPX0102",
        "RPX0113",
        "RPX0804",
    ),
    covers=("LNX-17", "XP-21"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each window that lies on an earlier one."""
    for area, others in colliding(dt_window_areas(facts)):
        yield _finding(area, others)
    for area, others in colliding(acpi_window_areas(facts), of_one=False):
        yield _finding(area, others)


def _finding(area: Area, others: list[Area]) -> Finding:
    return RULE.finding(
        area.at,
        f"{area} overlaps {others[0]}",
        related=[(each.at, "the other window is here") for each in others],
        notes=[f"it also overlaps {each}" for each in others[1:]],
        help="give each window addresses of its own",
        subject=area.owner,
        about=(area.owner, area.part, *(each.owner for each in others)),
        rests_on=(area.part, *(each.part for each in others)),
    )
