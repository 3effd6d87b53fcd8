"""malformed-property

What it finds: a property of a host bridge that is not a whole number of entries or has the wrong length, and
cell counts that a PCI bus cannot have (`#address-cells` must be 3, `#size-cells` 2).
Why it matters: what cannot be cut into entries is not read: no windows, no configuration space, no number.
Example: `dt: {properties: {ranges: [0x02000000, 0, 0x10000000]}}`.
What to do: count the cells: PCI address 3, CPU address as the parent says, size 2.
Source: Devicetree Specification 0.4 §2.3; Linux drivers/of/address.c, of_pci_range_parser_init.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import enabled_bridges, name_of
from rootplex.formats.devicetree import LESSER, VITAL
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0601",
    name="malformed-property",
    level=Level.ERROR,
    covers=("LNX-19",),
)

WINDOWS = {"ranges", "dma-ranges"}
NEEDS_CELLS = {
    "#address-cells": ("ranges", "dma-ranges", "interrupt-map"),
    "#size-cells": ("ranges", "dma-ranges"),
}
"""What cannot be read where the number of cells is wrong."""

SIZE_CELLS = 2


def check(facts: Facts) -> Iterator[Finding]:
    """What the reader could not cut, of enabled bridges."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        has_cells = bridge.ranges != "entries" or bridge.node.size_cells == SIZE_CELLS
        for problem in bridge.problems:
            place = problem.place
            if not isinstance(place, DtPlace) or place.node != bridge.path:
                continue
            if place.property in WINDOWS and not has_cells:
                continue
            if place.property in VITAL or place.property in LESSER:
                yield RULE.finding(
                    place,
                    f"{place.property} of '{name}' is malformed",
                    level=Level.ERROR if place.property in VITAL else Level.WARNING,
                    notes=[problem.text],
                    subject=name,
                    about=_unread(name, place.property),
                )
        if not has_cells:
            yield RULE.finding(
                bridge.place("#size-cells"),
                f"#size-cells of '{name}' is {bridge.node.size_cells}, a PCI bus has {SIZE_CELLS}",
                subject=name,
                about=_unread(name, "#size-cells"),
            )


def _unread(name: str, property: str) -> tuple[str, ...]:
    """What is lost with a property: the bridge itself with one that it cannot do without."""
    lost = tuple(property_of(name, each) for each in NEEDS_CELLS.get(property, (property,)))
    return (name, *lost) if property in VITAL or property in NEEDS_CELLS else lost
