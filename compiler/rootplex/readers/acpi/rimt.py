"""RIMT: which of RISC-V's IOMMUs translates which functions (RISC-V IO Mapping Table 1.0; layouts as ACPICA's
actbl2.h has them)."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import (
    RIMT_ATS,
    RIMT_HEAD,
    RIMT_IOMMU,
    RIMT_IS_FUNCTION,
    RIMT_LAYOUTS,
    RIMT_MAPPING,
    RIMT_NODE,
    RIMT_PRI,
    RIMT_ROOT,
    RIMT_WIRE,
    Layout,
    RimtType,
    size_of,
)
from rootplex.readers.acpi.fields import read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.structures import Structure, Unit, listed_nodes
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class RimtMapping(Struct, frozen=True):
    """Requester ids from `first` on, `count` of them, to device ids from `id` on of the IOMMU at `unit`."""

    first: int
    count: int
    id: int
    unit: int
    place: TablePlace


class RimtRoot(Struct, frozen=True):
    """The root complex of a segment."""

    segment: int
    ats: bool
    pri: bool
    mappings: tuple[RimtMapping, ...]
    place: TablePlace


class Rimt(Struct, frozen=True):
    """The whole table; platform devices are left out."""

    table: Table
    units: tuple[Unit, ...]
    roots: tuple[RimtRoot, ...]
    wires: dict[int, tuple[int, ...]] = {}
    """Offset of a unit → its interrupt lines, as global system interrupts."""
    problems: tuple[Problem, ...] = ()

    def root_of(self, segment: int) -> RimtRoot | None:
        """The first of a segment is Linux's (drivers/acpi/riscv/rimt.c: rimt_scan_node)."""
        return next((root for root in self.roots if root.segment == segment), None)

    def mapping_of(self, segment: int, rid: int) -> RimtMapping | None:
        """The first mapping that has a requester id, as Linux looks it up: it takes the id behind the last
        one too (`rimt_id_map`)."""
        root = self.root_of(segment)
        mappings = () if root is None else root.mappings
        return next((each for each in mappings if each.first <= rid <= each.first + each.count), None)

    def behind_itself(self, unit: Unit) -> RimtMapping | None:
        """The mapping that gives a unit that is a function to itself: its driver waits for the IOMMU that it
        is to make (`rimt_iommu_xlate`). None where there is no such."""
        if unit.segment is None or unit.rid is None:
            return None
        found = self.mapping_of(unit.segment, unit.rid)
        return found if found is not None and found.unit == unit.offset else None


def read_rimt(table: Table) -> Rimt:
    """All nodes, as many as the head says; one that does not fit ends the reading with a problem."""
    nodes, found = listed_nodes(table, RIMT_HEAD, RIMT_NODE, RIMT_LAYOUTS)
    problems = list(table.problems)
    units: list[Unit] = []
    roots: list[RimtRoot] = []
    wires: dict[int, tuple[int, ...]] = {}
    for node in nodes:
        if node.type == RimtType.IOMMU:
            units.append(_unit(node))
            lines = _listed(table, node, "wire", RIMT_IOMMU, RIMT_WIRE, problems)
            wires[node.offset] = tuple(fields["irq"] for fields, _ in lines or ())
        elif node.type == RimtType.ROOT_COMPLEX:
            mappings = _listed(table, node, "mapping", RIMT_ROOT, RIMT_MAPPING, problems)
            if mappings is not None:
                roots.append(_root(node, mappings))
    problems += found
    known = {unit.offset for unit in units}
    for root in roots:
        for each in root.mappings:
            if each.unit not in known:
                text = f"the mapping leads to offset {each.unit:#x}, where no IOMMU is"
                problems.append(Problem("reference", each.place, text))
    return Rimt(table, tuple(units), tuple(roots), wires, tuple(problems))


def _listed(
    table: Table, node: Structure, what: str, head: Layout, layout: Layout, problems: list[Problem]
) -> list[tuple[dict[str, int], TablePlace]] | None:
    """The parts that stand behind a node's own fields, with their places; None, and a problem, where they do
    not fit."""
    count, offset, size = node.fields[f"{what}_count"], node.fields[f"{what}_offset"], size_of(layout)
    if count and not size_of(head) <= offset <= offset + count * size <= node.length:
        text = f"{count} {what}s at {offset:#x} do not fit its {node.length} bytes"
        problems.append(Problem("length", node.place, text))
        return None
    starts = (node.offset + offset + number * size for number in range(count))
    return [(read_fields(layout, table.data, start), table.place(start, size)) for start in starts]


def _unit(node: Structure) -> Unit:
    it = node.fields
    if it["flags"] & RIMT_IS_FUNCTION:
        return Unit(node.offset, node.place, segment=it["segment"], rid=it["rid"])
    return Unit(node.offset, node.place, base=it["base"])


def _root(node: Structure, mappings: list[tuple[dict[str, int], TablePlace]]) -> RimtRoot:
    flags = node.fields["flags"]
    return RimtRoot(
        node.fields["segment"],
        bool(flags & RIMT_ATS),
        bool(flags & RIMT_PRI),
        tuple(
            RimtMapping(own["first"], own["count"], own["id"], own["output"], place)
            for own, place in mappings
        ),
        node.place,
    )
