"""interrupt-not-spi

What it finds: an entry of the `interrupt-map` of an enabled bridge that names an interrupt of a GIC that no
device of PCI can have: a processor's own one (a PPI), or a number that no GIC has. With today's Arm port of
Xen also one of the extended range, and disabled bridges too.
Why it matters: the pin has no interrupt. Today's port routes every interrupt of the map to Dom0, and panics
while it builds Dom0 where one is no SPI (-EINVAL).
Example: `interrupt-map` cells `1 9 4` (a PPI) for `0 9 4`.
What to do: name an SPI: first cell 0, second its number, which is 32 less than the interrupt ID.
Source: devicetree binding interrupt-controller/arm,gic-v3.yaml; Linux drivers/irqchip/irq-gic-v3.c,
gic_irq_domain_translate; Xen xen/arch/arm/device.c, map_dt_irq_to_domain.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0618",
    name="interrupt-not-spi",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0615",),
    covers=("XP-37",),
)

GIC_CELLS = (3, 4)
SPI, ESPI = 0, 2
LAST = {SPI: 1019 - 32, ESPI: 1023}
"""The number of the last interrupt of a kind (Arm IHI 0069 §2.2.1)."""
KINDS = {0: "SPI", 1: "PPI", 2: "extended SPI", 3: "extended PPI"}


def check(facts: Facts) -> Iterator[Finding]:
    """The first such entry of each bridge."""
    if facts.dt is None:
        return
    gics = {each.path for each in facts.dt.platform.controllers if each.kind == "gic"}
    port = xen_probes(facts)
    for bridge in facts.dt_bridges:
        if not (bridge.is_on or port):
            continue
        for entry in () if bridge.interrupt_map is None else bridge.interrupt_map.entries:
            if entry.parent not in gics or len(entry.specifier) not in GIC_CELLS:
                continue
            what = _fault(*entry.specifier[:2], only_spis=port)
            if what is None:
                continue
            name = name_of(facts, bridge.path)
            notes = [f"its cells are {' '.join(map(str, entry.specifier))}"]
            if port and entry.specifier[0] != SPI:
                notes.append("Xen panics over it while it builds Dom0")
            yield RULE.finding(
                entry.place,
                f"interrupt-map of '{name}' names {what}",
                notes=notes,
                help="name an SPI: first cell 0, then its number"
                if facts.described is None
                else "name an SPI's number, which is its interrupt ID less 32",
                subject=name,
            )
            break


def _fault(kind: int, number: int, *, only_spis: bool) -> str | None:
    """What an interrupt is that no function can have; None for one that it can."""
    if kind not in KINDS:
        return f"an interrupt of kind {kind}, which a GIC does not have"
    if kind not in LAST or (only_spis and kind != SPI):
        return f"{KINDS[kind]} {number}, which is no SPI"
    if number > LAST[kind]:
        return f"{KINDS[kind]} {number}, and the last that a GIC has is {LAST[kind]}"
    return None
