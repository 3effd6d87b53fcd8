"""area-over-controller

What it finds: configuration space or a window of an enabled host bridge that covers registers of an
interrupt controller, an MSI controller or an IOMMU: GIC, ITS, SMMU, I/O APIC, local APIC. A `_CRS` window
over one is a warning: x86 firmware often lists all that is decoded, and the kernel then drops that window.
Why it matters: configuration accesses, or accesses to a BAR, end up in the interrupt controller; and what
is claimed first makes the other's driver fail.
Example: an MCFG entry at 0xf8000000 for buses 0-0xff, whose last buses lie on I/O APIC, local APIC and
flash.
What to do: cut the bus range to what fits below, or move the area.
Source: linux-pci LNX-17, xen-pci XP-19.
Sources that prove it: device tree; MCFG with MADT; `_CRS` with MADT where it does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import (
    acpi_controllers,
    acpi_window_areas,
    dt_config_areas,
    dt_controllers,
    dt_window_areas,
    mcfg_areas,
    once,
    overlapping,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0106",
    name="area-over-controller",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-17", "XP-19"),
)

GIB_4 = 1 << 32


def check(facts: Facts) -> Iterator[Finding]:
    """Each area with a controller in it; one finding for an area, whatever it covers."""
    yield from once(_found(facts))


def _found(facts: Facts) -> Iterator[Finding]:
    by_tree, by_table = tuple(dt_controllers(facts)), tuple(acpi_controllers(facts))
    pairs = (
        *((*pair, Level.ERROR) for pair in overlapping(dt_config_areas(facts), by_tree)),
        *((*pair, Level.ERROR) for pair in overlapping(dt_window_areas(facts), by_tree)),
        *((*pair, Level.ERROR) for pair in overlapping(mcfg_areas(facts), by_table)),
        *((*pair, Level.WARNING) for pair in overlapping(acpi_window_areas(facts), by_table)),
    )
    for area, controller, level in pairs:
        crosses = area.base < GIB_4 <= area.last
        yield RULE.finding(
            facts.source(area.at),
            f"{area} covers {controller}",
            level=level,
            related=[(facts.source(controller.at), "the controller's address is here")],
            notes=["it runs past 4 GiB, over what every machine has below"] if crosses else (),
            help="move it, or cut it where the controller begins",
            subject=area.owner,
        )
