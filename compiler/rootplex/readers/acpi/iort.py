"""IORT: from requester ids to stream ids and device ids (Arm DEN0049 E.f; linux-pci §3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class NodeType(IntEnum):
    """The node types; others are kept with their number."""

    ITS_GROUP = 0
    NAMED_COMPONENT = 1
    ROOT_COMPLEX = 2
    SMMU = 3
    SMMU_V3 = 4
    PMCG = 5
    RMR = 6
    IWB = 7


@dataclass(frozen=True, slots=True)
class IdMapping:
    """One id mapping. `id_count` is as stored: the number of ids minus one. `output_reference`
    is the target node's offset from the table's start; `offset` this mapping's."""

    index: int
    input_base: int
    id_count: int
    output_base: int
    output_reference: int
    flags: int
    offset: int
    place: TablePlace

    @property
    def single(self) -> bool:
        """Bit 0: the mapping takes any input id to `output_base`."""
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True)
class ItsGroup:
    """The ITSs (GIC ITS ids of MADT) that a group stands for."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NamedComponent:
    """A device of the namespace."""

    flags: int
    cache_coherency: int
    allocation_hints: int
    memory_flags: int
    address_size_limit: int
    device_name: str


@dataclass(frozen=True, slots=True)
class RootComplex:
    """A PCI root complex. `ats_attribute` bit 0 ATS, bit 1 PRI, bit 2 PASID forwarding;
    `memory_flags` bit 0 CPM, bit 1 DACS, bit 2 CANWBS. Fields of later revisions are None where
    the node is too short for them."""

    cache_coherency: int
    allocation_hints: int
    memory_flags: int
    ats_attribute: int
    segment: int
    address_size_limit: int | None
    pasid_capabilities: int | None


@dataclass(frozen=True, slots=True)
class Smmu:
    """An SMMUv1 or v2."""

    base: int
    span: int
    model: int
    flags: int


@dataclass(frozen=True, slots=True)
class SmmuV3:
    """An SMMUv3. `flags`: bit 0 COHACC, bit 3 proximity valid, bit 4 device id index valid.
    The last two fields are None where the node is too short for them."""

    base: int
    flags: int
    vatos: int
    model: int
    event_gsiv: int
    pri_gsiv: int
    gerr_gsiv: int
    sync_gsiv: int
    proximity_domain: int | None
    device_id_mapping_index: int | None


@dataclass(frozen=True, slots=True)
class Pmcg:
    """A performance monitor counter group."""

    base: int
    overflow_gsiv: int
    node_reference: int
    base_page1: int | None


@dataclass(frozen=True, slots=True)
class RmrDescriptor:
    """One reserved memory range; `offset` from the table's start."""

    base: int
    length: int
    offset: int


@dataclass(frozen=True, slots=True)
class Rmr:
    """Reserved memory ranges for the stream ids that the node's mappings name."""

    flags: int
    descriptors: tuple[RmrDescriptor, ...]


@dataclass(frozen=True, slots=True)
class Iwb:
    """A GICv5 interrupt wire bridge."""

    base: int
    index: int
    device_name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A node of a type this reader does not know, or too short for its type."""

    data: bytes


NodeData: TypeAlias = ItsGroup | NamedComponent | RootComplex | Smmu | SmmuV3 | Pmcg | Rmr | Iwb | Unknown


@dataclass(frozen=True, slots=True)
class IortNode:
    """One node, at `offset` from the table's start. `mappings` are those that lie inside the table
    (Linux reads on beyond the node, which is a problem here); `mapping_count` and `mapping_offset`
    are as stored. `fields` gives each field of `data` and of
    the node's header its (offset from the table's start, length)."""

    offset: int
    type: int
    length: int
    revision: int
    identifier: int
    mapping_count: int
    mapping_offset: int
    mappings: tuple[IdMapping, ...]
    data: NodeData
    fields: dict[str, tuple[int, int]] = field(repr=False)
    place: TablePlace = field(repr=False)


@dataclass(frozen=True, slots=True)
class Iort:
    """The whole table. `node_count` and `node_offset` are as stored."""

    table: Table
    node_count: int
    node_offset: int
    nodes: tuple[IortNode, ...]
    problems: tuple[Problem, ...] = ()

    def at(self, offset: int) -> IortNode | None:
        """The node that starts at an offset from the table's start."""
        return next((node for node in self.nodes if node.offset == offset), None)

    def place(self, node: IortNode, field: str | None = None) -> TablePlace:
        """The place of a node, or of one field of it (a name in `node.fields`)."""
        if field is None:
            return node.place
        offset, length = node.fields[field]
        return self.table.place(offset, length)


@dataclass(frozen=True, slots=True)
class IdStep:
    """One node passed: the id that came in, the mapping taken (its place) and the id that went
    out. `seam` tells that the mapping's last id was taken because no other range starts there."""

    node: int
    mapping: IdMapping
    id_in: int
    id_out: int
    seam: bool


@dataclass(frozen=True, slots=True)
class IdResult:
    """Where an id ends. `node` is the first node of a wanted type and `id` the id there; on failure
    `node` is None, `id` the input id and `reason` says why. `complaints` are what Linux would log."""

    node: IortNode | None
    id: int
    steps: tuple[IdStep, ...]
    reason: str | None
    complaints: tuple[Problem, ...] = ()


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
        return Iort(table, 0, 0, (), (*problems, Problem(table.place(4, 4), text)))
    node_count, node_offset = struct.unpack_from("<II", data, NODES_AT)
    nodes: list[IortNode] = []
    at = node_offset
    for index in range(node_count):
        if at + _NODE.size > table.length:
            text = f"node {index} of {node_count} at {at:#x} lies beyond the table's {table.length:#x} bytes"
            problems.append(Problem(table.place(NODES_AT, 4), text))
            break
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        if length < _NODE.size or at + length > table.length:
            text = f"node {index} has a length of {length}, {table.length - at} bytes are left"
            problems.append(Problem(table.place(at + 1, 2), text))
            break
        nodes.append(_node(table, at, length, problems))
        at += length
    starts = {node.offset for node in nodes}
    for node in nodes:
        for mapping in node.mappings:
            if mapping.output_reference not in starts:
                text = f"output reference {mapping.output_reference:#x} is not the start of a node"
                problems.append(Problem(table.place(mapping.offset + 12, 4), text))
    return Iort(table, node_count, node_offset, tuple(nodes), tuple(problems))


def _node(table: Table, at: int, length: int, problems: list[Problem]) -> IortNode:
    body = table.data[at : at + length]
    type, _, revision, identifier, mapping_count, mapping_offset = _NODE.unpack_from(body)
    minimum, specific = _FIELDS.get(type, (0, ()))
    values: dict[str, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, offset, format in (*_HEADER_FIELDS, *specific):
        size = struct.calcsize(format)
        if offset + size <= length:
            (values[name],) = struct.unpack_from(format, body, offset)
            places[name] = (at + offset, size)
    data: NodeData = Unknown(body[_NODE.size :])
    if type in _FIELDS and length >= minimum:
        data = _data(type, values, body, at)
        problems.extend(_excess(type, values, table, at, length))
    elif type in _FIELDS:
        text = f"{NodeType(type).name} node of {length} bytes, it has at least {minimum}"
        problems.append(Problem(table.place(at + 1, 2), text))
    else:
        problems.append(Problem(table.place(at, 1), f"unknown node type {type}"))
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
        problems.append(Problem(table.place(node + 12, 4), text))
        return ()
    start = node + offset
    fitting = max(0, min(count, (table.length - start) // _MAPPING.size))
    inside = max(0, (length - offset) // _MAPPING.size)
    if count > inside:
        text = f"{count} mappings at {offset:#x} of the node, but only {inside} fit into its {length} bytes"
        problems.append(Problem(table.place(node + 8, 4), text))
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
                tuple(RmrDescriptor(*_RMR_DESCRIPTOR.unpack_from(body, o)[:2], at + o) for o in offsets),
            )
        case NodeType.IWB:
            return Iwb(values["base"], values["index"], _text(body[26:]))
    return Unknown(body[_NODE.size :])


def _excess(type: int, values: dict[str, int], table: Table, at: int, length: int) -> Iterator[Problem]:
    """Counts of a node that say more than its length has room for."""
    if type == NodeType.ITS_GROUP and values["count"] > (fitting := (length - 20) // 4):
        yield Problem(table.place(at + 16, 4), f"{values['count']} ITS ids, {fitting} fit into the node")
    if type == NodeType.RMR:
        room = max(0, length - values["descriptors_offset"]) // _RMR_DESCRIPTOR.size
        if values["count"] > room:
            yield Problem(table.place(at + 20, 4), f"{values['count']} ranges, {room} fit into the node")


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode("latin-1")


SMMU_TYPES = (NodeType.SMMU, NodeType.SMMU_V3)
ITS_TYPES = (NodeType.ITS_GROUP,)
_SINGLE_TYPES = (NodeType.NAMED_COMPONENT, NodeType.ROOT_COMPLEX, NodeType.IWB)
_U32 = 0xFFFFFFFF
_DEVICE_ID_INDEX_VALID = 0x10


def root_complex(iort: Iort, segment: int) -> IortNode | None:
    """The node that Linux takes for a segment: the first root complex of that number."""
    for node in iort.nodes:
        if isinstance(node.data, RootComplex) and node.data.segment == segment:
            return node
    return None


def special_index(node: IortNode) -> int | None:
    """The index of the mapping that is for the node's own interrupts and takes no part in
    translation (Linux `iort_get_id_mapping_index`); None: no such mapping."""
    data = node.data
    if isinstance(data, SmmuV3):
        if node.revision < 1:
            return None
        if node.revision < 5:
            if data.event_gsiv and data.pri_gsiv and data.gerr_gsiv and data.sync_gsiv:
                return None
        elif not data.flags & _DEVICE_ID_INDEX_VALID:
            return None
        index = data.device_id_mapping_index
        return index if index is not None and index < node.mapping_count else None
    if isinstance(data, Pmcg):
        return 0 if not data.overflow_gsiv and node.mapping_count else None
    return None


def map_id(iort: Iort, node: IortNode, id: int, wanted: Sequence[int]) -> IdResult:
    """Follow an id from a node to the first node of a wanted type, as Linux `iort_node_map_id`.

    The last id of a range is provisional: a later range that starts at exactly that id replaces
    it, which forgives tables that store the count where count minus one belongs. Single mappings
    hold only in named components, root complexes and wire bridges.
    """
    original = id
    steps: list[IdStep] = []
    complaints: list[Problem] = []

    def failed(reason: str) -> IdResult:
        return IdResult(None, original, tuple(steps), reason, tuple(complaints))

    at = node
    for _ in range(len(iort.nodes) + 1):
        if at.type in wanted:
            return IdResult(at, id, tuple(steps), None, tuple(complaints))
        if not at.mappings:
            return failed(f"node at {at.offset:#x} has no mapping")
        if at.mappings[0].output_reference == 0:
            return failed(f"the first mapping of the node at {at.offset:#x} has no output reference")
        step = _step(at, id, complaints)
        if step is None:
            return failed(f"no mapping of the node at {at.offset:#x} covers {id:#x}")
        steps.append(step)
        id = step.id_out
        following = iort.at(step.mapping.output_reference)
        if following is None:
            return failed(f"no node starts at {step.mapping.output_reference:#x}")
        at = following
    return failed("the mappings form a loop")


def _step(node: IortNode, id: int, complaints: list[Problem]) -> IdStep | None:
    """The mapping of one node that an id takes; None where there is none."""
    skip = special_index(node)
    seam: IdMapping | None = None
    for mapping in node.mappings:
        if mapping.index == skip:
            continue
        if mapping.single:
            if node.type in _SINGLE_TYPES:
                return IdStep(node.offset, mapping, id, mapping.output_base, seam=False)
            complaints.append(Problem(mapping.place, f"single mapping in a node of type {node.type}"))
            continue
        last = mapping.input_base + mapping.id_count & _U32
        if not mapping.input_base <= id <= last:
            continue
        if seam is not None:
            text = f"{id:#x} is covered twice, by mappings {seam.index} and {mapping.index}"
            complaints.append(Problem(mapping.place, text))
            if id != mapping.input_base:
                continue
        if mapping.id_count > 0 and id == last:
            seam = mapping
            continue
        return IdStep(node.offset, mapping, id, _output(mapping, id), seam=False)
    if seam is None or seam.output_reference == 0:
        return None
    return IdStep(node.offset, seam, id, _output(seam, id), seam=True)


def _output(mapping: IdMapping, id: int) -> int:
    return mapping.output_base + id - mapping.input_base & _U32
