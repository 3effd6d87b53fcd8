"""interrupt-map-buses

What it finds: an `interrupt-map-mask` that looks at bus numbers.
Why it matters: the kernel numbers the buses itself, so an entry matches the bus that has the number by then;
a note, since on the first bus it does no harm.
Example: `dt: {properties: {interrupt-map-mask: [0xfff800, 0, 0, 7]}}`.
What to do: leave bits 23 to 16 of the first cell out of the mask.
Source: Linux drivers/pci/of.c, of_irq_parse_pci.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0617",
    name="interrupt-map-buses",
    level=Level.NOTE,
    needs="artifacts",
    covers=("LNX-27",),
)

BUS_BITS = 0xFF0000


def check(facts: Facts) -> Iterator[Finding]:
    """Masks with bus bits, of enabled bridges; without a mask property every bit counts."""
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or not map.mask or not map.mask[0] & BUS_BITS:
            continue
        name = name_of(facts, bridge.path)
        at = DtPlace(map.place.file, map.node, "interrupt-map-mask" if map.mask_present else "interrupt-map")
        yield RULE.finding(
            at,
            f"interrupt-map of '{name}' looks at bus numbers, which the kernel gives",
            notes=[f"the first cell of the mask is {map.mask[0]:#x}"]
            if map.mask_present
            else ["there is no interrupt-map-mask: all bits count"],
            help="leave bits 23 to 16 of the first cell out of the mask",
            subject=name,
        )
