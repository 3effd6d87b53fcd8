"""RIMT: which of RISC-V's IOMMUs translates which functions (RISC-V IO Mapping Table 1.0; layouts as ACPICA's
actbl2.h has them)."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import (
    RIMT_ATS,
    RIMT_HEAD,
    RIMT_IS_FUNCTION,
    RIMT_LAYOUTS,
    RIMT_MAPPING,
    RIMT_NODE,
    RIMT_ROOT,
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
    mappings: tuple[RimtMapping, ...]
    place: TablePlace


class Rimt(Struct, frozen=True):
    """The whole table; platform devices are left out."""

    table: Table
    units: tuple[Unit, ...]
    roots: tuple[RimtRoot, ...]
    problems: tuple[Problem, ...] = ()

    def root_of(self, segment: int) -> RimtRoot | None:
        """The first of a segment is Linux's (drivers/acpi/riscv/rimt.c: rimt_scan_node)."""
        return next((root for root in self.roots if root.segment == segment), None)


def read_rimt(table: Table) -> Rimt:
    """All nodes, as many as the head says; one that does not fit ends the reading with a problem."""
    nodes, found = listed_nodes(table, RIMT_HEAD, RIMT_NODE, RIMT_LAYOUTS)
    problems = list(table.problems)
    units: list[Unit] = []
    roots: list[RimtRoot] = []
    for node in nodes:
        it = node.fields
        if node.type == RimtType.IOMMU:
            units.append(_unit(node))
        elif node.type == RimtType.ROOT_COMPLEX:
            count, offset = it["mapping_count"], it["mapping_offset"]
            end = offset + count * size_of(RIMT_MAPPING)
            if count and not size_of(RIMT_ROOT) <= offset <= end <= node.length:
                text = f"{count} mappings at {offset:#x} do not fit its {node.length} bytes"
                problems.append(Problem("length", node.place, text))
            else:
                roots.append(_root(table, node))
    problems += found
    known = {unit.offset for unit in units}
    for root in roots:
        for each in root.mappings:
            if each.unit not in known:
                text = f"the mapping leads to offset {each.unit:#x}, where no IOMMU is"
                problems.append(Problem("reference", each.place, text))
    return Rimt(table, tuple(units), tuple(roots), tuple(problems))


def _unit(node: Structure) -> Unit:
    it = node.fields
    if it["flags"] & RIMT_IS_FUNCTION:
        return Unit(node.offset, node.place, segment=it["segment"], rid=it["rid"])
    return Unit(node.offset, node.place, base=it["base"])


def _root(table: Table, node: Structure) -> RimtRoot:
    it, size = node.fields, size_of(RIMT_MAPPING)
    mappings = []
    for number in range(it["mapping_count"]):
        start = node.offset + it["mapping_offset"] + number * size
        own = read_fields(RIMT_MAPPING, table.data, start)
        place = table.place(start, size)
        mappings.append(RimtMapping(own["first"], own["count"], own["id"], own["output"], place))
    return RimtRoot(it["segment"], bool(it["flags"] & RIMT_ATS), tuple(mappings), node.place)
