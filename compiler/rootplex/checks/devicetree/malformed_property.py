"""malformed-property

What it finds: a property of a host bridge, or of a bus above it, that is not a whole number of entries or has
the wrong length, and cell counts that a PCI bus cannot have (`#address-cells` must be 3, `#size-cells` 2).
Also a `reg` of any node that was written for a bus of other cell counts: by those its first address is the
one in the node's name. Nothing is read from it.
Why it matters: what cannot be cut into entries is not read: no windows, no configuration space, no number.
Of a cell count of several cells the first is taken; `dma-ranges` without a whole entry leave DMA unlimited.
Example: `dt: {properties: {ranges: [0x02000000, 0, 0x10000000]}}`.
What to do: count the cells: PCI address 3, CPU address as the parent says, size 2.
Source: Devicetree Specification 0.4 §2.3; Linux drivers/of/address.c, of_pci_range_parser_init and
of_dma_get_range; dtc's checks address_cells_is_cell, ranges_format and dma_ranges_format.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.devicetree import FIXED_CELLS, LESSER, VITAL
from rootplex.readers.address import COUNTS, bus_problems, is_pci_bus
from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0601",
    name="malformed-property",
    level=Level.ERROR,
    needs="artifacts",
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
    """What the reader could not cut, of enabled bridges and of the buses above them."""
    told: set[DtNode] = set()
    alike = _cut_alike(facts)
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        has_cells = bridge.ranges != "entries" or bridge.node.size_cells == SIZE_CELLS
        for problem in bridge.problems:
            place = problem.place
            if not isinstance(place, DtPlace) or place.node != bridge.path:
                continue
            if place.property in WINDOWS and not has_cells:
                continue
            if place.property == "reg" and (
                _is_in_doubt(facts, bridge.node.parent) or bridge.node.parent in alike
            ):
                continue
            if place.property in VITAL or place.property in LESSER:
                yield _finding(problem, place, f"'{name}'", name, bridge.node)
        if not has_cells:
            yield RULE.finding(
                bridge.place("#size-cells"),
                f"#size-cells of '{name}' is {bridge.node.size_cells}, a PCI bus has {SIZE_CELLS}",
                help=f"write #size-cells = <{SIZE_CELLS}>",
                subject=name,
                about=_unread(name, "#size-cells"),
            )
        for bus in bridge.node.ancestors():
            if bus not in told and facts.dt is not None:
                told.add(bus)
                for problem in bus_problems(facts.dt.tree, bus):
                    assert isinstance(problem.place, DtPlace)
                    whose = f"{bus.path}, the bus above '{name}',"
                    yield _finding(problem, problem.place, whose, name, bus)
    for bus, problems in alike.items():
        yield _bus_cut_otherwise(facts, bus, problems)
    yield from _cut_otherwise(facts, alike)


FEW = 3
"""From so many nodes on a bus on, all that have an address in their name, it is the bus that is wrong."""


def _cut_alike(facts: Facts) -> dict[DtNode, list[Problem]]:
    """The buses on which every such `reg` is written for the same other counts."""
    found: dict[DtNode, list[Problem]] = {}
    for problem in () if facts.dt is None else facts.dt.platform.cut_otherwise:
        assert facts.dt is not None
        assert isinstance(problem.place, DtPlace)
        bus = facts.dt.tree.by_path[problem.place.node].parent
        if bus is not None:
            found.setdefault(bus, []).append(problem)
    return {
        bus: problems
        for bus, problems in found.items()
        if len(problems) >= FEW
        and len({each.text for each in problems}) == 1
        and len(problems) == sum("reg" in child.properties and "@" in child.name for child in bus.children)
    }


def _bus_cut_otherwise(facts: Facts, bus: DtNode, problems: Sequence[Problem]) -> Finding:
    assert facts.dt is not None
    nodes = [each.place.node for each in problems if isinstance(each.place, DtPlace)]
    at = next((name for name in ("#size-cells", "#address-cells") if name in bus.properties), None)
    return RULE.finding(
        facts.dt.tree.place(bus, at),
        f"the cell counts of {bus.path} fit no reg on it",
        notes=[f"{nodes[0]}: {problems[0].text}", f"so it is with {len(nodes) - 1} more"],
        help="write #address-cells and #size-cells as the regs have them",
        about=[part for node in nodes for part in (name_of(facts, node), property_of(node, "reg"))],
    )


def _is_in_doubt(facts: Facts, bus: DtNode | None) -> bool:
    """Whether the cell counts of a bus do not fit its own `ranges`, and so may not fit what is on it."""
    return facts.dt is not None and bus is not None and any(bus_problems(facts.dt.tree, bus))


def _cut_otherwise(facts: Facts, alike: Container[DtNode]) -> Iterator[Finding]:
    """Registers of what is no host bridge: all places that are compared with theirs come out wrong."""
    if facts.dt is None:
        return
    bridges = {bridge.path for bridge in facts.dt.bridges}
    known = {each.path for each in facts.dt.platform.controllers}
    for problem in facts.dt.platform.cut_otherwise:
        place = problem.place
        assert isinstance(place, DtPlace)
        node = facts.dt.tree.by_path[place.node]
        if place.node in bridges or node.parent in alike or not (node.is_enabled and node.ancestors_enabled):
            continue
        matters = place.node in known or node.string("device_type") == "memory"
        yield RULE.finding(
            place,
            f"reg of {place.node} is malformed",
            level=Level.ERROR if matters else Level.WARNING,
            notes=[problem.text, "cut as its bus says, its first address is not the one in its name"],
            help="write every number in as many cells as the bus above says",
            about=(property_of(place.node, "reg"),),
        )


def _finding(problem: Problem, place: DtPlace, whose: str, name: str, node: DtNode) -> Finding:
    property = place.property or ""
    is_read = problem.kind == "size" and property in COUNTS
    return RULE.finding(
        place,
        f"{property} of {whose} is malformed",
        level=Level.WARNING if is_read or property in LESSER else Level.ERROR,
        notes=[problem.text],
        help=_form(property, node),
        subject=name,
        about=() if is_read else _unread(name, property),
    )


def _form(property: str, node: DtNode) -> str | None:
    """What a property of a node looks like."""
    above = node.parent
    if property in FIXED_CELLS:
        cells = FIXED_CELLS[property]
        return f"write {cells} {'cell' if cells == 1 else 'cells'}"
    if property == "#address-cells" and is_pci_bus(node):
        return "write #address-cells = <3>"
    if above is None or property not in (*WINDOWS, "reg"):
        return None
    size = f"{node.size_cells} of size"
    if property == "reg":
        return f"an entry is {above.address_cells} cells of address, {above.size_cells} of size"
    if is_pci_bus(node):
        return f"an entry is 3 cells of PCI address, {above.address_cells} of CPU address, {size}"
    return f"an entry is {node.address_cells} cells of address here, {above.address_cells} above, {size}"


def _unread(name: str, property: str) -> tuple[str, ...]:
    """What is lost with a property: the bridge itself with one that it cannot do without."""
    lost = tuple(property_of(name, each) for each in NEEDS_CELLS.get(property, (property,)))
    return (name, *lost) if property in VITAL or property in NEEDS_CELLS else lost
