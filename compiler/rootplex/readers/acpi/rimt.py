"""RIMT: which of RISC-V's IOMMUs translates which functions (RISC-V IO Mapping Table 1.0; layouts as ACPICA's
actbl2.h has them)."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import (
    HEADER,
    RIMT_ATS,
    RIMT_HEAD,
    RIMT_IS_FUNCTION,
    RIMT_LAYOUTS,
    RIMT_MAPPING,
    RIMT_NODE,
    RimtType,
    size_of,
)
from rootplex.readers.acpi.fields import place_of, read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class RimtUnit(Struct, frozen=True):
    """An IOMMU at an offset of the table: a function (`segment`, `rid`), or registers at `base`."""

    offset: int
    place: TablePlace
    segment: int | None = None
    rid: int | None = None
    base: int | None = None


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
    units: tuple[RimtUnit, ...]
    roots: tuple[RimtRoot, ...]
    problems: tuple[Problem, ...] = ()

    def root_of(self, segment: int) -> RimtRoot | None:
        """The first of a segment is Linux's (drivers/acpi/riscv/rimt.c: rimt_scan_node)."""
        return next((root for root in self.roots if root.segment == segment), None)


def read_rimt(table: Table) -> Rimt:
    """All nodes, as many as the head says; one that does not fit ends the reading with a problem."""
    problems = list(table.problems)
    units: list[RimtUnit] = []
    roots: list[RimtRoot] = []
    start = size_of(HEADER, RIMT_HEAD)
    if table.length < start:
        text = f"{table.length} bytes, {start} precede the nodes"
        problems.append(Problem("size", table.place(4, 4), text))
        return Rimt(table, (), (), tuple(problems))
    head = read_fields(RIMT_HEAD, table.data, size_of(HEADER))
    at = head["node_offset"]
    if head["node_count"] and at < start:
        place = place_of(table, size_of(HEADER), RIMT_HEAD, "node_offset")
        text = f"the nodes are to begin at {at:#x}, within the table's head"
        problems.append(Problem("length", place, text))
        return Rimt(table, (), (), tuple(problems))
    for _ in range(head["node_count"]):
        left = table.length - at
        whole = left >= size_of(RIMT_NODE)
        own = read_fields(RIMT_NODE, table.data, at) if whole else {"type": 0, "length": 0}
        layout = RIMT_LAYOUTS.get(own["type"])
        length = own["length"]
        if not size_of(layout or RIMT_NODE) <= length <= left:
            text = f"node of {length} bytes, {max(left, 0)} are left"
            problems.append(Problem("length", table.place(at), text))
            break
        it = {} if layout is None else read_fields(layout, table.data, at)
        if own["type"] == RimtType.IOMMU:
            units.append(_unit(table, at, length, it))
        elif own["type"] == RimtType.ROOT_COMPLEX:
            end = it["mapping_offset"] + it["mapping_count"] * size_of(RIMT_MAPPING)
            if (
                it["mapping_count"]
                and not size_of(layout or RIMT_NODE) <= it["mapping_offset"] <= end <= length
            ):
                count, offset = it["mapping_count"], it["mapping_offset"]
                text = f"{count} mappings at {offset:#x} do not fit its {length} bytes"
                problems.append(Problem("length", table.place(at, length), text))
            else:
                roots.append(_root(table, at, length, it))
        at += length
    known = {unit.offset for unit in units}
    for root in roots:
        for each in root.mappings:
            if each.unit not in known:
                text = f"the mapping leads to offset {each.unit:#x}, where no IOMMU is"
                problems.append(Problem("reference", each.place, text))
    return Rimt(table, tuple(units), tuple(roots), tuple(problems))


def _unit(table: Table, at: int, length: int, it: dict[str, int]) -> RimtUnit:
    place = table.place(at, length)
    if it["flags"] & RIMT_IS_FUNCTION:
        return RimtUnit(at, place, segment=it["segment"], rid=it["rid"])
    return RimtUnit(at, place, base=it["base"])


def _root(table: Table, at: int, length: int, it: dict[str, int]) -> RimtRoot:
    size = size_of(RIMT_MAPPING)
    mappings = []
    for number in range(it["mapping_count"]):
        start = at + it["mapping_offset"] + number * size
        own = read_fields(RIMT_MAPPING, table.data, start)
        place = table.place(start, size)
        mappings.append(RimtMapping(own["first"], own["count"], own["id"], own["output"], place))
    return RimtRoot(it["segment"], bool(it["flags"] & RIMT_ATS), tuple(mappings), table.place(at, length))
