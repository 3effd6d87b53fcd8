"""window-over-memory

What it finds: a window of an enabled host bridge that lies in RAM, as the CPU sees it.
Why it matters: the kernel claims every window, and where RAM is in the way the whole bridge fails (-EBUSY);
if it did not fail, BARs would be placed on memory.
Example: a `mem32` window with `cpu: 0x40000000` on a machine whose RAM starts there.
What to do: move the window to addresses that the machine decodes to PCI, or correct the memory.
Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources.
Sources that prove it: device tree; a memory node that the boot loader rewrites proves it only as shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rootplex.checks.areas import acpi_window_areas, dt_window_areas, memory_areas, overlapping
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0102", name="window-over-memory", level=Level.ERROR, requires=("RPX0804",), covers=("LNX-17",)
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a bridge, at the first of its windows in RAM."""
    areas = dt_window_areas(facts) if facts.dt is not None else acpi_window_areas(facts)
    pairs = overlapping(areas, tuple(memory_areas(facts)))
    for owner, group in groupby(pairs, key=lambda pair: pair[0].owner):
        (area, other), *more = group
        yield RULE.finding(
            area.at,
            f"{area} lies in {other}",
            related=[(other.at, "the memory is here")],
            notes=[f"so does {each}" for each, _ in more],
            help="move the window, or correct the memory",
            subject=owner,
            about=(owner, area.part),
            rests_on=(area.part,),
        )
