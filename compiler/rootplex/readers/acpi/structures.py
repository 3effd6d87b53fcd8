"""Tables of a head and structures behind it, each with its type and length: DMAR, IVRS, MADT, VIOT, RIMT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from rootplex.formats.acpi import HEADER, Layout, size_of
from rootplex.readers.acpi.fields import place_of, read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace

S = TypeVar("S", bound=Struct)


class Structure(Struct, frozen=True):
    """A structure at an offset of the table; its `fields` are empty where the type is not known."""

    offset: int
    length: int
    type: int
    fields: dict[str, Any]
    place: TablePlace

    @property
    def end(self) -> int:
        return self.offset + self.length


class Unit(Struct, frozen=True):
    """An IOMMU at an offset of the table: a function (`segment`, `rid`), or registers at `base`."""

    offset: int
    place: TablePlace
    segment: int | None = None
    rid: int | None = None
    base: int | None = None


def made(fact: type[S], structure: Structure, **more: Any) -> S:
    """What a structure says, as a class with fields of the same names, a `place`, and `more`."""
    names = [name for name in structure.fields if name in fact.__struct_fields__]
    return fact(**{name: structure.fields[name] for name in names}, place=structure.place, **more)


def read_head(table: Table, head: Layout, before: str, problems: list[Problem]) -> dict[str, Any]:
    """What is between the table's header and `before` (structures, nodes); zeros, with a problem, where the
    table ends earlier."""
    size = size_of(HEADER, head)
    if table.length < size:
        text = f"{table.length} bytes, {size} precede the {before}"
        problems.append(Problem("size", table.place(4, 4), text))
        return dict.fromkeys((name for name, _ in head), 0)
    return read_fields(head, table.data, size_of(HEADER))


def structures(
    table: Table,
    head: Layout,
    common: Layout,
    layouts: Mapping[int, Layout],
    problems: list[Problem],
    *,
    called: str,
    types: str = "d",
) -> Iterator[Structure]:
    """All structures from the head to the table's end; `common` is what all have: `type` and `length`. One
    that does not fit ends the reading with a problem, and one that is shorter than its type's layout is one.
    Problems name it as it is `called`, its type in the format `types`."""
    at = size_of(HEADER, head)
    while at < table.length:
        type, length = _type_and_length(table, at, common)
        left = table.length - at
        if not size_of(common) <= length <= left:
            text = f"{called} of {length} bytes, {left} are left"
            problems.append(Problem("length", table.place(at), text))
            return
        place, layout = table.place(at, length), layouts.get(type, ())
        if length < size_of(layout):
            text = f"{called} of type {type:{types}} has {length} bytes, not {size_of(layout)}"
            problems.append(Problem("length", place, text))
        else:
            yield Structure(at, length, type, read_fields(layout, table.data, at), place)
        at += length


def listed_nodes(
    table: Table, head: Layout, node: Layout, layouts: Mapping[int, Layout]
) -> tuple[list[Structure], list[Problem]]:
    """All nodes of a list, as many as the head says (VIOT, ACPI 6.5 §5.2.31; RIMT); one that does not fit
    ends the reading with a problem. `head` has `node_count` and `node_offset`, `node` is what all have in
    common: `type` and `length`."""
    found: list[Structure] = []
    problems: list[Problem] = []
    own = read_head(table, head, "nodes", problems)
    at = own["node_offset"]
    if own["node_count"] and at < size_of(HEADER, head):
        place = place_of(table, size_of(HEADER), head, "node_offset")
        text = f"the nodes are to begin at {at:#x}, within the table's head"
        return found, [Problem("length", place, text)]
    for _ in range(own["node_count"]):
        type, length = _type_and_length(table, at, node)
        layout = layouts.get(type, ())
        left = table.length - at
        if not max(size_of(layout), size_of(node)) <= length <= left:
            text = f"node of {length} bytes, {max(left, 0)} are left"
            return found, [Problem("length", table.place(at), text)]
        fields = read_fields(layout, table.data, at)
        found.append(Structure(at, length, type, fields, table.place(at, length)))
        at += length
    return found, problems


def _type_and_length(table: Table, at: int, common: Layout) -> tuple[int, int]:
    """Of the structure at an offset; zeros where the table ends before them."""
    if table.length - at < size_of(common):
        return 0, 0
    own = read_fields(common, table.data, at)
    return own["type"], own["length"]
