"""The facts of an IORT: nodes, their data and mappings (Arm DEN0049 E.f)."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

from msgspec import Struct

from rootplex.formats.acpi import IORT_SINGLE_MAPPING
from rootplex.readers.acpi.header import Table
from rootplex.readers.first import First
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class IdMapping(Struct, frozen=True):
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
        """The mapping takes any input id to `output_base`."""
        return bool(self.flags & IORT_SINGLE_MAPPING)

    @property
    def last(self) -> int:
        """The last input id, which may wrap round."""
        return self.input_base + self.id_count & 0xFFFFFFFF

    @property
    def length(self) -> int:
        """How many input ids there are; none where the last one wraps round."""
        return max(0, self.last - self.input_base + 1)


class ItsGroup(Struct, frozen=True):
    """The ITSs (GIC ITS ids of MADT) that a group stands for."""

    ids: tuple[int, ...]


class NamedComponent(Struct, frozen=True):
    """A device of the namespace."""

    flags: int
    cache_coherency: int
    allocation_hints: int
    memory_flags: int
    address_size_limit: int
    device_name: str


class RootComplex(Struct, frozen=True):
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


class Smmu(Struct, frozen=True):
    """An SMMUv1 or v2."""

    base: int
    span: int
    model: int
    flags: int


class SmmuV3(Struct, frozen=True):
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


class Pmcg(Struct, frozen=True):
    """A performance monitor counter group."""

    base: int
    overflow_gsiv: int
    node_reference: int
    base_page1: int | None


class RmrDescriptor(Struct, frozen=True):
    """One reserved memory range; `offset` from the table's start."""

    base: int
    size: int
    offset: int


class Rmr(Struct, frozen=True):
    """Reserved memory ranges for the stream ids that the node's mappings name."""

    flags: int
    descriptors: tuple[RmrDescriptor, ...]


class Iwb(Struct, frozen=True):
    """A GICv5 interrupt wire bridge."""

    base: int
    index: int
    device_name: str


class Unknown(Struct, frozen=True):
    """A node of a type this reader does not know, or too short for its type."""

    data: bytes


NodeData: TypeAlias = ItsGroup | NamedComponent | RootComplex | Smmu | SmmuV3 | Pmcg | Rmr | Iwb | Unknown


class IortNode(Struct, frozen=True, dict=True):
    """One node, at `offset` from the table's start. `mappings` are those that lie inside the table
    (Linux reads on beyond the node, which is a problem here); `mapping_count` is as
    stored. `fields` gives each field of `data` and of
    the node's header its (offset from the table's start, length)."""

    offset: int
    type: int
    length: int
    revision: int
    mapping_count: int
    mappings: tuple[IdMapping, ...]
    data: NodeData
    fields: dict[str, tuple[int, int]]
    place: TablePlace

    @cached_property
    def first(self) -> First:
        """Which of the mappings that are not single covers an id first."""
        return First([(each.input_base, 0 if each.single else each.length) for each in self.mappings])

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """The input ids at which another mapping may begin to hold; the last id of one stands alone."""
        found: set[int] = set()
        for each in self.mappings:
            last = each.input_base + each.id_count
            found |= {each.input_base, last, last + 1}
        return tuple(sorted(found))

    @cached_property
    def singles(self) -> tuple[IdMapping, ...]:
        """The mappings that take any id."""
        return tuple(each for each in self.mappings if each.single)


class Iort(Struct, frozen=True, dict=True):
    """The whole table. `node_count` is as stored."""

    table: Table
    node_count: int
    nodes: tuple[IortNode, ...]
    problems: tuple[Problem, ...] = ()

    def at(self, offset: int) -> IortNode | None:
        """The node that starts at an offset from the table's start."""
        return self._by_offset.get(offset)

    @cached_property
    def _by_offset(self) -> dict[int, IortNode]:
        return {node.offset: node for node in self.nodes}

    @cached_property
    def root_complexes(self) -> dict[int, IortNode]:
        """By its segment the first of each."""
        found: dict[int, IortNode] = {}
        for node in self.nodes:
            if isinstance(node.data, RootComplex):
                found.setdefault(node.data.segment, node)
        return found

    def place(self, node: IortNode, field: str | None = None) -> TablePlace:
        """The place of a node, or of one field of it (a name in `node.fields`)."""
        if field is None:
            return node.place
        offset, length = node.fields[field]
        return self.table.place(offset, length)


class IdStep(Struct, frozen=True):
    """One node passed: the id that came in, the mapping taken (its place) and the id that went
    out. `provisional` tells that the mapping's last id was taken because no other range starts there."""

    node: int
    mapping: IdMapping
    id_in: int
    id_out: int
    provisional: bool


class IdResult(Struct, frozen=True):
    """Where an id ends. `node` is the first node of a wanted type and `id` the id there; on failure
    `node` is None, `id` the input id and `reason` says why."""

    node: IortNode | None
    id: int
    steps: tuple[IdStep, ...]
    reason: str | None
