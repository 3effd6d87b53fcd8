"""area-over-controller

What it finds: configuration space or a window of an enabled host bridge that covers registers of an interrupt
controller, an MSI controller or an IOMMU: GIC, ITS, SMMU, I/O APIC, local APIC. A `_CRS` window over one is a
warning: x86 firmware often lists all that is decoded, and the kernel then drops that window.
Why it matters: configuration accesses, or accesses to a BAR, end up in the interrupt controller; and what is
claimed first makes the other's driver fail.
Example: an MCFG entry at 0xf8000000 for buses 0-0xff, whose last buses lie on I/O APIC, local APIC and flash.
What to do: cut the bus range to what fits below, or move the area.
Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources, and drivers/acpi/pci_root.c,
pci_acpi_root_add_resources; Xen does not look.
Sources that prove it: device tree; MCFG with MADT; `_CRS` with MADT where it does not depend on memory. For a
description its own I/O APICs and VT-d units stand for MADT.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.checks.areas import (
    Area,
    acpi_controllers,
    acpi_window_areas,
    dt_config_areas,
    dt_controllers,
    dt_window_areas,
    mcfg_areas,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0106",
    name="area-over-controller",
    level=Level.ERROR,
    requires=(
        "RPX0802",
        "RPX0804",
    ),
    covers=("LNX-17", "XP-19"),
)

GIB_4 = 1 << 32


def check(facts: Facts) -> Iterator[Finding]:
    """Each area with a controller in it; one finding for an area, whatever it covers."""
    by_tree, by_table = tuple(dt_controllers(facts)), tuple(acpi_controllers(facts))
    sides = (
        (dt_config_areas(facts), by_tree, Level.ERROR),
        (dt_window_areas(facts), by_tree, Level.ERROR),
        (mcfg_areas(facts), by_table, Level.ERROR),
        (acpi_window_areas(facts), by_table, Level.WARNING),
    )
    for areas, controllers, level in sides:
        for area in areas:
            covered = [each for each in controllers if area.overlaps(each)]
            if covered:
                yield _finding(facts, area, covered, level)


def _finding(facts: Facts, area: Area, covered: Sequence[Area], level: Level) -> Finding:
    return RULE.finding(
        area.at,
        f"{area} covers {covered[0]}",
        level=level,
        related=[(each.at, f"{each} is here") for each in covered],
        notes=_notes(area, facts),
        help="move it, or cut it where the controller begins",
        subject=area.owner,
        about=(area.owner, area.part),
    )


def _notes(area: Area, facts: Facts) -> Iterator[str]:
    if area.base < GIB_4 <= area.last:
        pc = "I/O APIC, local APIC and firmware flash"
        yield f"it runs past 4 GiB, over {pc if facts.arch == 'x86_64' else 'what every machine has'} below"
