"""interrupt-not-spi

What it finds: an `interrupt-map` entry of a GIC interrupt that is no SPI, with today's Arm port of Xen.
Why it matters: Xen routes every interrupt of the map to Dom0, and refuses numbers below 32: it panics while
it builds Dom0 (-EINVAL).
Example: `interrupt-map` cells `1 9 4` (a PPI) for `0 9 4`.
What to do: name an SPI: first cell 0, second its number.
Source: Xen xen/arch/arm/device.c, map_dt_irq_to_domain.
Sources that prove it: device tree; only where the description asks for `discovery: xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import dt_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0618",
    name="interrupt-not-spi",
    level=Level.ERROR,
    needs="artifacts",
    only="xen-probes",
    covers=("XP-37",),
)

GIC_CELLS = (3, 4)
SPI = 0


def check(facts: Facts) -> Iterator[Finding]:
    """The first such entry of each bridge of device_type "pci"."""
    if facts.dt is None:
        return
    gics = {each.path for each in facts.dt.platform.controllers if each.kind == "gic"}
    for bridge in dt_bridges(facts):
        entries = () if bridge.interrupt_map is None else bridge.interrupt_map.entries
        for entry in entries:
            if entry.parent in gics and len(entry.specifier) in GIC_CELLS and entry.specifier[0] != SPI:
                name = name_of(facts, bridge.path)
                yield RULE.finding(
                    entry.place,
                    f"interrupt-map of '{name}' names an interrupt that is no SPI",
                    notes=[f"its cells are {' '.join(map(str, entry.specifier))}; 0 would be an SPI"],
                    help="name an SPI",
                    subject=name,
                )
                break
