"""IORT: from requester ids to stream ids and device ids (Arm DEN0049 E.f; linux.md §3).

The facts are in `iort_facts`, the translation of ids in `iort_ids`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rootplex.formats.acpi import (
    HEADER,
    IORT_HEAD,
    IORT_ITS,
    IORT_ITS_GROUP,
    IORT_IWB,
    IORT_MAPPING,
    IORT_NAMED_COMPONENT,
    IORT_NODE,
    IORT_PMCG,
    IORT_RMR,
    IORT_RMR_DESCRIPTOR,
    IORT_ROOT_COMPLEX,
    IORT_SMMU,
    IORT_SMMU_V3,
    IortType,
    Layout,
    offset_of,
    size_of,
)
from rootplex.readers.acpi.fields import fitting, place_of, read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.iort_facts import (
    IdMapping,
    Iort,
    IortNode,
    ItsGroup,
    Iwb,
    NamedComponent,
    NodeData,
    Pmcg,
    Rmr,
    RmrDescriptor,
    RootComplex,
    Smmu,
    SmmuV3,
    Unknown,
)
from rootplex.readers.problem import Problem

NODES_AT = size_of(HEADER)
_LEAST = size_of(HEADER, IORT_HEAD)
_NODE_SIZE, _MAPPING_SIZE = size_of(IORT_NODE), size_of(IORT_MAPPING)
_RMR_SIZE, _ITS_SIZE = size_of(IORT_RMR_DESCRIPTOR), size_of(IORT_ITS)

# Type to its facts, its layout, and how many bytes a node of it has at least: later fields are of later
# revisions.
_KINDS: dict[int, tuple[type[NodeData], Layout, int]] = {
    IortType.ITS_GROUP: (ItsGroup, IORT_ITS_GROUP, size_of(IORT_ITS_GROUP)),
    IortType.NAMED_COMPONENT: (NamedComponent, IORT_NAMED_COMPONENT, size_of(IORT_NAMED_COMPONENT)),
    IortType.ROOT_COMPLEX: (
        RootComplex,
        IORT_ROOT_COMPLEX,
        offset_of(IORT_ROOT_COMPLEX, "address_size_limit"),
    ),
    IortType.SMMU: (Smmu, IORT_SMMU, offset_of(IORT_SMMU, "global_interrupt_offset")),
    IortType.SMMU_V3: (SmmuV3, IORT_SMMU_V3, offset_of(IORT_SMMU_V3, "proximity_domain")),
    IortType.PMCG: (Pmcg, IORT_PMCG, offset_of(IORT_PMCG, "base_page1")),
    IortType.RMR: (Rmr, IORT_RMR, size_of(IORT_RMR)),
    IortType.IWB: (Iwb, IORT_IWB, size_of(IORT_IWB)),
}
NODES_LIMIT = 4096
MAPPINGS_LIMIT = 4096
"""Of a table; real ones have a tenth of them."""


def read_iort(table: Table) -> Iort:
    """All nodes, in table order. Reading ends where a node cannot be one, with a problem."""
    problems = list(table.problems)
    data = table.data
    if table.length < _LEAST:
        text = f"{table.length} bytes, the header of IORT has {_LEAST}"
        return Iort(table, 0, (), (*problems, Problem("size", table.place(4, 4), text)))
    head = read_fields(IORT_HEAD, data, NODES_AT)
    node_count, at = head["node_count"], head["node_offset"]
    nodes: list[IortNode] = []
    room = MAPPINGS_LIMIT
    for index in range(node_count):
        if index == NODES_LIMIT:
            text = f"{node_count} nodes, of which {NODES_LIMIT} are read"
            problems.append(Problem("count", place_of(table, NODES_AT, IORT_HEAD, "node_count"), text))
            break
        if at + _NODE_SIZE > table.length:
            text = f"node {index} of {node_count} at {at:#x} lies beyond the table's {table.length:#x} bytes"
            problems.append(Problem("count", place_of(table, NODES_AT, IORT_HEAD, "node_count"), text))
            break
        length = read_fields(IORT_NODE, data, at)["length"]
        if length < _NODE_SIZE or at + length > table.length:
            text = f"node {index} has a length of {length}, {table.length - at} bytes are left"
            problems.append(Problem("length", place_of(table, at, IORT_NODE, "length"), text))
            break
        nodes.append(_node(table, at, length, room, problems))
        room -= len(nodes[-1].mappings)
        at += length
    starts = {node.offset for node in nodes}
    for node in nodes:
        for mapping in node.mappings:
            if mapping.output_reference not in starts:
                text = f"output reference {mapping.output_reference:#x} is not the start of a node"
                problems.append(
                    Problem(
                        "reference", place_of(table, mapping.offset, IORT_MAPPING, "output_reference"), text
                    )
                )
    return Iort(table, node_count, tuple(nodes), tuple(problems))


def _node(table: Table, at: int, length: int, room: int, problems: list[Problem]) -> IortNode:
    body = table.data[at : at + length]
    values = read_fields(IORT_NODE, body)
    type, mapping_count, mapping_offset = values["type"], values["mapping_count"], values["mapping_offset"]
    _, layout, minimum = _KINDS.get(type, (Unknown, IORT_NODE, _NODE_SIZE))
    # What older revisions lack is where their mappings begin.
    end = mapping_offset if mapping_count and minimum <= mapping_offset <= length else length
    layout = fitting(layout, end)
    values = read_fields(layout, body)
    data: NodeData = Unknown(body[_NODE_SIZE:])
    if type in _KINDS and length >= minimum:
        data = _data(type, values, body, at)
        problems.extend(_excess(type, values, table, at, length))
    elif type in _KINDS:
        text = f"{IortType(type).name} node of {length} bytes, it has at least {minimum}"
        problems.append(Problem("length", place_of(table, at, IORT_NODE, "length"), text))
    else:
        problems.append(Problem("type", place_of(table, at, IORT_NODE, "type"), f"unknown node type {type}"))
    return IortNode(
        offset=at,
        type=type,
        length=length,
        revision=values["revision"],
        mapping_count=mapping_count,
        mappings=_mappings(table, at, length, mapping_count, mapping_offset, room, problems),
        data=data,
        fields={name: (at + offset_of(layout, name), size) for name, size in layout},
        place=table.place(at, length),
    )


def _mappings(
    table: Table, node: int, length: int, count: int, offset: int, room: int, problems: list[Problem]
) -> tuple[IdMapping, ...]:
    if count == 0:
        return ()
    if offset == 0:
        text = f"{count} mappings, but no offset of the mapping array"
        problems.append(Problem("count", place_of(table, node, IORT_NODE, "mapping_offset"), text))
        return ()
    start = node + offset
    fitting = max(0, min(count, (table.length - start) // _MAPPING_SIZE))
    inside = max(0, (length - offset) // _MAPPING_SIZE)
    if count > inside:
        text = f"{count} mappings at {offset:#x} of the node, but only {inside} fit into its {length} bytes"
        problems.append(Problem("count", place_of(table, node, IORT_NODE, "mapping_count"), text))
    if fitting > room:
        text = f"{count} mappings, and {MAPPINGS_LIMIT} of all nodes together are read"
        problems.append(Problem("count", place_of(table, node, IORT_NODE, "mapping_count"), text))
    found = []
    for index in range(min(fitting, room)):
        at = start + index * _MAPPING_SIZE
        fields = read_fields(IORT_MAPPING, table.data, at)
        found.append(IdMapping(index=index, **fields, offset=at, place=table.place(at, _MAPPING_SIZE)))
    return tuple(found)


def _data(type: int, values: dict[str, Any], body: bytes, at: int) -> NodeData:
    """The facts of a node of a known type that is long enough for it; None for fields that it lacks."""
    facts, layout, _ = _KINDS[type]
    end = size_of(layout)
    match type:
        case IortType.ITS_GROUP:
            count = min(values["count"], (len(body) - end) // _ITS_SIZE)
            offsets = range(end, end + count * _ITS_SIZE, _ITS_SIZE)
            values = {"ids": tuple(read_fields(IORT_ITS, body, offset)["id"] for offset in offsets)}
        case IortType.RMR:
            start = values["descriptors_offset"]
            count = max(0, min(values["count"], (len(body) - start) // _RMR_SIZE))
            offsets = range(start, start + count * _RMR_SIZE, _RMR_SIZE)
            values["descriptors"] = tuple(_rmr_descriptor(body, offset, at) for offset in offsets)
        case IortType.NAMED_COMPONENT | IortType.IWB:
            values["device_name"] = body[end:].partition(b"\0")[0].decode("latin-1")
    known: dict[str, Any] = {name: values.get(name) for name in facts.__struct_fields__}
    return facts(**known)


def _excess(type: int, values: dict[str, int], table: Table, at: int, length: int) -> Iterator[Problem]:
    """Counts of a node that say more than its length has room for."""
    if type == IortType.ITS_GROUP and values["count"] > (
        room := (length - size_of(IORT_ITS_GROUP)) // _ITS_SIZE
    ):
        place = place_of(table, at, IORT_ITS_GROUP, "count")
        yield Problem("count", place, f"{values['count']} ITS ids, {room} fit into the node")
    if type == IortType.RMR:
        room = max(0, length - values["descriptors_offset"]) // _RMR_SIZE
        if values["count"] > room:
            place = place_of(table, at, IORT_RMR, "count")
            yield Problem("count", place, f"{values['count']} ranges, {room} fit into the node")


def _rmr_descriptor(body: bytes, offset: int, node: int) -> RmrDescriptor:
    it = read_fields(IORT_RMR_DESCRIPTOR, body, offset)
    return RmrDescriptor(it["base"], it["length"], node + offset)
