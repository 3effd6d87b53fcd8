"""registers-over-memory

What it finds: configuration space or a register block of an enabled host bridge that lies in RAM, or in
reserved memory (then a warning: nothing shows who has it).
Why it matters: the kernel claims RAM first, so the bridge fails with -EBUSY and its devices are gone; Xen
maps the configuration space uncached over memory that is in use, without a check.
Example: `memory: [{base: 0x40000000, size: 4GiB}]` beside `config: {base: 0x8000_0000}`.
What to do: correct the base of one of the two, or cut the hole out of the memory.
Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c, gen_pci_init (no
check).
Sources that prove it: device tree; a memory node that the boot loader rewrites proves it only as shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rootplex.checks.areas import (
    dt_config_areas,
    dt_register_areas,
    dt_reserved,
    mcfg_areas,
    memory_areas,
    overlapping,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0101",
    name="registers-over-memory",
    level=Level.ERROR,
    requires=("RPX0802",),
    covers=("LNX-11", "XP-18"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a bridge, at the first of its areas in RAM."""
    memory = tuple(memory_areas(facts))
    areas = dt_register_areas(facts) if facts.dt is not None else mcfg_areas(facts)
    pairs = overlapping(areas, memory)
    for owner, group in groupby(pairs, key=lambda pair: pair[0].owner):
        (area, other), *more = group
        yield RULE.finding(
            area.at,
            f"{area} lies in {other}",
            related=[(other.at, "the memory is here")],
            notes=[f"so does {each}" for each, _ in more],
            help="correct the base of one of the two, or leave the hole out of the memory",
            subject=owner,
            about=(owner, area.part),
        )
    outside = (area for area in dt_reserved(facts) if not any(area.overlaps(ram) for ram in memory))
    for area, other in overlapping(dt_config_areas(facts), tuple(outside)):
        yield RULE.finding(
            area.at,
            f"{area} lies in {other}",
            level=Level.WARNING,
            related=[(other.at, "it is reserved here")],
            subject=area.owner,
            about=(area.owner, area.part),
        )
