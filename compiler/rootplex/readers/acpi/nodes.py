"""A table that is a list of nodes, as many as its head says: VIOT (ACPI 6.5 §5.2.31) and RIMT."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rootplex.formats.acpi import HEADER, Layout, size_of
from rootplex.readers.acpi.fields import place_of, read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class ListedNode(Struct, frozen=True):
    """A node at an offset of the table; its `fields` are empty where the type is not known."""

    offset: int
    length: int
    type: int
    fields: dict[str, int]
    place: TablePlace


def listed_nodes(
    table: Table, head: Layout, node: Layout, layouts: Mapping[int, Layout]
) -> tuple[list[ListedNode], list[Problem]]:
    """All nodes, as many as the head says; one that does not fit ends the reading with a problem. `head` has
    `node_count` and `node_offset`, `node` is what all have in common: `type` and `length`."""
    found: list[ListedNode] = []
    start = size_of(HEADER, head)
    if table.length < start:
        text = f"{table.length} bytes, {start} precede the nodes"
        return found, [Problem("size", table.place(4, 4), text)]
    own = read_fields(head, table.data, size_of(HEADER))
    at = own["node_offset"]
    if own["node_count"] and at < start:
        place = place_of(table, size_of(HEADER), head, "node_offset")
        return found, [
            Problem("length", place, f"the nodes are to begin at {at:#x}, within the table's head")
        ]
    for _ in range(own["node_count"]):
        left = table.length - at
        common = read_fields(node, table.data, at) if left >= size_of(node) else {"type": 0, "length": 0}
        layout, length = layouts.get(common["type"]), common["length"]
        if not size_of(layout or node) <= length <= left:
            text = f"node of {length} bytes, {max(left, 0)} are left"
            return found, [Problem("length", table.place(at), text)]
        fields = {} if layout is None else read_fields(layout, table.data, at)
        found.append(ListedNode(at, length, common["type"], fields, table.place(at, length)))
        at += length
    return found, []
