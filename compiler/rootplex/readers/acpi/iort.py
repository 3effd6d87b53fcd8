"""IORT: from requester ids to stream ids and device ids (Arm DEN0049 E.f; linux.md §3).

The facts are in `iort_facts`, the translation of ids in `iort_ids`; both are offered here too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.iort_facts import (
    IdMapping,
    IdResult,
    IdStep,
    Iort,
    IortNode,
    ItsGroup,
    Iwb,
    NamedComponent,
    NodeData,
    NodeType,
    Pmcg,
    Rmr,
    RmrDescriptor,
    RootComplex,
    Smmu,
    SmmuV3,
    Unknown,
)
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, map_id, root_complex, special_index
from rootplex.readers.problem import Problem

__all__ = [
    "ITS_TYPES",
    "SMMU_TYPES",
    "IdMapping",
    "IdResult",
    "IdStep",
    "Iort",
    "IortNode",
    "ItsGroup",
    "Iwb",
    "NamedComponent",
    "NodeData",
    "NodeType",
    "Pmcg",
    "Rmr",
    "RmrDescriptor",
    "RootComplex",
    "Smmu",
    "SmmuV3",
    "Unknown",
    "map_id",
    "read_iort",
    "root_complex",
    "special_index",
]

NODES_AT = 36
_NODE = struct.Struct("<BHBIII")
_MAPPING = struct.Struct("<5I")

# Every field by its offset in the node, from which it is read and in which places point: name,
# offset, format. A field that does not fit into the node is left out (None in the facts).
_HEADER_FIELDS = (
    ("type", 0, "<B"),
    ("length", 1, "<H"),
    ("revision", 3, "<B"),
    ("identifier", 4, "<I"),
    ("mapping_count", 8, "<I"),
    ("mapping_offset", 12, "<I"),
)
_MEMORY_FIELDS = (("cache_coherency", 0, "<I"), ("allocation_hints", 4, "<B"), ("memory_flags", 7, "<B"))


def _shifted(fields: tuple[tuple[str, int, str], ...], by: int) -> tuple[tuple[str, int, str], ...]:
    return tuple((name, offset + by, format) for name, offset, format in fields)


# Type to its fields, and how many bytes a node of it has at least.
_FIELDS: dict[int, tuple[int, tuple[tuple[str, int, str], ...]]] = {
    NodeType.ITS_GROUP: (20, (("count", 16, "<I"),)),
    NodeType.NAMED_COMPONENT: (
        29,
        (("flags", 16, "<I"), *_shifted(_MEMORY_FIELDS, 20), ("address_size_limit", 28, "<B")),
    ),
    NodeType.ROOT_COMPLEX: (
        32,
        (
            *_shifted(_MEMORY_FIELDS, 16),
            ("ats_attribute", 24, "<I"),
            ("segment", 28, "<I"),
            ("address_size_limit", 32, "<B"),
            ("pasid_capabilities", 33, "<H"),
        ),
    ),
    NodeType.SMMU: (40, (("base", 16, "<Q"), ("span", 24, "<Q"), ("model", 32, "<I"), ("flags", 36, "<I"))),
    NodeType.SMMU_V3: (
        60,
        (
            ("base", 16, "<Q"),
            ("flags", 24, "<I"),
            ("vatos", 32, "<Q"),
            ("model", 40, "<I"),
            ("event_gsiv", 44, "<I"),
            ("pri_gsiv", 48, "<I"),
            ("gerr_gsiv", 52, "<I"),
            ("sync_gsiv", 56, "<I"),
            ("proximity_domain", 60, "<I"),
            ("device_id_mapping_index", 64, "<I"),
        ),
    ),
    NodeType.PMCG: (
        32,
        (
            ("base", 16, "<Q"),
            ("overflow_gsiv", 24, "<I"),
            ("node_reference", 28, "<I"),
            ("base_page1", 32, "<Q"),
        ),
    ),
    NodeType.RMR: (28, (("flags", 16, "<I"), ("count", 20, "<I"), ("descriptors_offset", 24, "<I"))),
    NodeType.IWB: (26, (("base", 16, "<Q"), ("index", 24, "<H"))),
}
_RMR_DESCRIPTOR = struct.Struct("<QQI")


def read_iort(table: Table) -> Iort:
    """All nodes, in table order. Reading ends where a node cannot be one, with a problem."""
    problems = list(table.problems)
    data = table.data
    if table.length < NODES_AT + 12:
        text = f"{table.length} bytes, the header of IORT has {NODES_AT + 12}"
        return Iort(table, 0, 0, (), (*problems, Problem("size", table.place(4, 4), text)))
    node_count, node_offset = struct.unpack_from("<II", data, NODES_AT)
    nodes: list[IortNode] = []
    at = node_offset
    for index in range(node_count):
        if at + _NODE.size > table.length:
            text = f"node {index} of {node_count} at {at:#x} lies beyond the table's {table.length:#x} bytes"
            problems.append(Problem("count", table.place(NODES_AT, 4), text))
            break
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        if length < _NODE.size or at + length > table.length:
            text = f"node {index} has a length of {length}, {table.length - at} bytes are left"
            problems.append(Problem("length", table.place(at + 1, 2), text))
            break
        nodes.append(_node(table, at, length, problems))
        at += length
    starts = {node.offset for node in nodes}
    for node in nodes:
        for mapping in node.mappings:
            if mapping.output_reference not in starts:
                text = f"output reference {mapping.output_reference:#x} is not the start of a node"
                problems.append(Problem("reference", table.place(mapping.offset + 12, 4), text))
    return Iort(table, node_count, node_offset, tuple(nodes), tuple(problems))


def _node(table: Table, at: int, length: int, problems: list[Problem]) -> IortNode:
    body = table.data[at : at + length]
    type, _, revision, identifier, mapping_count, mapping_offset = _NODE.unpack_from(body)
    minimum, specific = _FIELDS.get(type, (0, ()))
    # What older revisions lack is where their mappings begin.
    end = mapping_offset if mapping_count and minimum <= mapping_offset <= length else length
    values: dict[str, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, offset, format in (*_HEADER_FIELDS, *specific):
        size = struct.calcsize(format)
        if offset + size <= end:
            (values[name],) = struct.unpack_from(format, body, offset)
            places[name] = (at + offset, size)
    data: NodeData = Unknown(body[_NODE.size :])
    if type in _FIELDS and length >= minimum:
        data = _data(type, values, body, at)
        problems.extend(_excess(type, values, table, at, length))
    elif type in _FIELDS:
        text = f"{NodeType(type).name} node of {length} bytes, it has at least {minimum}"
        problems.append(Problem("length", table.place(at + 1, 2), text))
    else:
        problems.append(Problem("type", table.place(at, 1), f"unknown node type {type}"))
    return IortNode(
        offset=at,
        type=type,
        length=length,
        revision=revision,
        identifier=identifier,
        mapping_count=mapping_count,
        mapping_offset=mapping_offset,
        mappings=_mappings(table, at, length, mapping_count, mapping_offset, problems),
        data=data,
        fields=places,
        place=table.place(at, length),
    )


def _mappings(
    table: Table, node: int, length: int, count: int, offset: int, problems: list[Problem]
) -> tuple[IdMapping, ...]:
    if count == 0:
        return ()
    if offset == 0:
        text = f"{count} mappings, but no offset of the mapping array"
        problems.append(Problem("count", table.place(node + 12, 4), text))
        return ()
    start = node + offset
    fitting = max(0, min(count, (table.length - start) // _MAPPING.size))
    inside = max(0, (length - offset) // _MAPPING.size)
    if count > inside:
        text = f"{count} mappings at {offset:#x} of the node, but only {inside} fit into its {length} bytes"
        problems.append(Problem("count", table.place(node + 8, 4), text))
    found = []
    for index in range(fitting):
        at = start + index * _MAPPING.size
        fields = _MAPPING.unpack_from(table.data, at)
        input_base, id_count, output_base, output_reference, flags = fields
        place = table.place(at, _MAPPING.size)
        found.append(IdMapping(index, input_base, id_count, output_base, output_reference, flags, at, place))
    return tuple(found)


def _data(type: int, values: dict[str, int], body: bytes, at: int) -> NodeData:
    """The fields of a node of a known type that is long enough for it."""
    match type:
        case NodeType.ITS_GROUP:
            count = min(values["count"], (len(body) - 20) // 4)
            return ItsGroup(struct.unpack_from(f"<{count}I", body, 20))
        case NodeType.NAMED_COMPONENT:
            return NamedComponent(
                flags=values["flags"],
                cache_coherency=values["cache_coherency"],
                allocation_hints=values["allocation_hints"],
                memory_flags=values["memory_flags"],
                address_size_limit=values["address_size_limit"],
                device_name=_text(body[29:]),
            )
        case NodeType.ROOT_COMPLEX:
            return RootComplex(
                cache_coherency=values["cache_coherency"],
                allocation_hints=values["allocation_hints"],
                memory_flags=values["memory_flags"],
                ats_attribute=values["ats_attribute"],
                segment=values["segment"],
                address_size_limit=values.get("address_size_limit"),
                pasid_capabilities=values.get("pasid_capabilities"),
            )
        case NodeType.SMMU:
            return Smmu(values["base"], values["span"], values["model"], values["flags"])
        case NodeType.SMMU_V3:
            return SmmuV3(
                base=values["base"],
                flags=values["flags"],
                vatos=values["vatos"],
                model=values["model"],
                event_gsiv=values["event_gsiv"],
                pri_gsiv=values["pri_gsiv"],
                gerr_gsiv=values["gerr_gsiv"],
                sync_gsiv=values["sync_gsiv"],
                proximity_domain=values.get("proximity_domain"),
                device_id_mapping_index=values.get("device_id_mapping_index"),
            )
        case NodeType.PMCG:
            return Pmcg(
                base=values["base"],
                overflow_gsiv=values["overflow_gsiv"],
                node_reference=values["node_reference"],
                base_page1=values.get("base_page1"),
            )
        case NodeType.RMR:
            start = values["descriptors_offset"]
            count = max(0, min(values["count"], (len(body) - start) // _RMR_DESCRIPTOR.size))
            offsets = range(start, start + count * _RMR_DESCRIPTOR.size, _RMR_DESCRIPTOR.size)
            return Rmr(
                values["flags"],
                tuple(_rmr_descriptor(body, offset, at) for offset in offsets),
            )
        case NodeType.IWB:
            return Iwb(values["base"], values["index"], _text(body[26:]))
    return Unknown(body[_NODE.size :])


def _excess(type: int, values: dict[str, int], table: Table, at: int, length: int) -> Iterator[Problem]:
    """Counts of a node that say more than its length has room for."""
    if type == NodeType.ITS_GROUP and values["count"] > (fitting := (length - 20) // 4):
        yield Problem(
            "count", table.place(at + 16, 4), f"{values['count']} ITS ids, {fitting} fit into the node"
        )
    if type == NodeType.RMR:
        room = max(0, length - values["descriptors_offset"]) // _RMR_DESCRIPTOR.size
        if values["count"] > room:
            yield Problem(
                "count", table.place(at + 20, 4), f"{values['count']} ranges, {room} fit into the node"
            )


def _rmr_descriptor(body: bytes, offset: int, node: int) -> RmrDescriptor:
    base, length, _ = _RMR_DESCRIPTOR.unpack_from(body, offset)
    return RmrDescriptor(base, length, node + offset)


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode("latin-1")
