"""config-spaces-overlap

What it finds: configuration spaces of two enabled host bridges that share addresses; in ACPI two MCFG entries
whose memory does. Two segments that share one MCFG base with disjoint buses do not: the base is bus 0's.
Why it matters: one device answers under two names. The second bridge fails in Linux (-EBUSY); Xen takes both,
and goes down at the second report of a device behind an IOMMU.
Example: two bridges with buses 0-0xff and `config: {base: 0x40_1000_0000}`.
What to do: give each bridge the address of its own first bus.
Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c, gen_pci_init (no
check).
Sources that prove it: device tree, MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import Area, colliding, dt_config_areas, mcfg_areas
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0103",
    name="config-spaces-overlap",
    level=Level.ERROR,
    requires=(
        "RPX0110",
        "RPX0802",
    ),
    covers=("LNX-11", "XP-17"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each configuration space that lies on an earlier one."""
    for area, others in (*colliding(dt_config_areas(facts)), *colliding(_entries(facts))):
        yield RULE.finding(
            area.at,
            f"{area} overlaps {others[0]}",
            related=[(each.at, "the other one is here") for each in others],
            notes=[f"it also overlaps {each}" for each in others[1:]],
            help="give each bridge the address of its own first bus",
            subject=area.owner,
            about=(area.owner, area.part, *(each.owner for each in others)),
        )


def _entries(facts: Facts) -> Iterator[Area]:
    """The entries of MCFG, without those that name buses of an earlier one: that is another fault."""
    mcfg = None if facts.acpi is None else facts.acpi.mcfg
    taken: set[tuple[int, int]] = set()
    repeated = set()
    for entry in () if mcfg is None else mcfg.entries:
        buses = {(entry.segment, bus) for bus in range(entry.start_bus, entry.end_bus + 1)}
        if taken & buses:
            repeated.add(entry.place)
        taken |= buses
    return (area for area in mcfg_areas(facts) if area.at not in repeated)
