"""The way of an id through an IORT, as Linux goes it (`drivers/acpi/arm64/iort.c`; linux.md §3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rootplex.formats.acpi import IORT_V3_DEVICE_ID_VALID, IortType
from rootplex.readers.acpi.iort_facts import (
    IdMapping,
    IdResult,
    IdStep,
    Iort,
    IortNode,
    ItsGroup,
    Pmcg,
    SmmuV3,
)

SMMU_TYPES = (IortType.SMMU, IortType.SMMU_V3)
ITS_TYPES = (IortType.ITS_GROUP,)
_SINGLE_TYPES = (IortType.NAMED_COMPONENT, IortType.ROOT_COMPLEX, IortType.IWB)
_U32 = 0xFFFFFFFF
_DEPTH = 64
"""Nodes that an id may pass; a real one passes three."""


def root_complex(iort: Iort, segment: int) -> IortNode | None:
    """The node that Linux takes for a segment: the first root complex of that number."""
    return iort.root_complexes.get(segment)


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
        elif not data.flags & IORT_V3_DEVICE_ID_VALID:
            return None
        index = data.device_id_mapping_index
        return index if index is not None and index < node.mapping_count else None
    if isinstance(data, Pmcg):
        return 0 if not data.overflow_gsiv and node.mapping_count else None
    return None


class OwnMessages(Struct, frozen=True):
    """Where a node's own messages go: the first ITS of the group, and the DeviceID."""

    its: int
    id: int
    mapping: IdMapping


def own_messages(iort: Iort, node: IortNode) -> OwnMessages | None:
    """Of an SMMUv3 or a counter group, by its special mapping (Linux `iort_get_platform_device_domain`); None
    where it has none, or that leads to no ITS."""
    index = special_index(node)
    mapping = None if index is None else next((each for each in node.mappings if each.index == index), None)
    target = None if mapping is None else iort.at(mapping.output_reference)
    if mapping is None or target is None or not isinstance(target.data, ItsGroup) or not target.data.ids:
        return None
    return OwnMessages(target.data.ids[0], mapping.output_base, mapping)


def map_id(iort: Iort, node: IortNode, id: int, wanted: Sequence[int]) -> IdResult:
    """Follow an id from a node to the first node of a wanted type, as Linux `iort_node_map_id`.

    The last id of a range is provisional: a later range that starts at exactly that id replaces
    it, which forgives tables that store the count where count minus one belongs. Single mappings
    hold only in named components, root complexes and wire bridges.
    """
    original = id
    steps: list[IdStep] = []

    def failed(reason: str) -> IdResult:
        return IdResult(None, original, tuple(steps), reason)

    at = node
    for _ in range(_DEPTH):
        if at.type in wanted:
            return IdResult(at, id, tuple(steps), None)
        if not at.mappings:
            return failed(f"node at {at.offset:#x} has no mapping")
        if at.mappings[0].output_reference == 0:
            return failed(f"the first mapping of the node at {at.offset:#x} has no output reference")
        step = _step(at, id)
        if step is None:
            return failed(f"no mapping of the node at {at.offset:#x} covers {id:#x}")
        steps.append(step)
        id = step.id_out
        following = iort.at(step.mapping.output_reference)
        if following is None:
            return failed(f"no node starts at {step.mapping.output_reference:#x}")
        at = following
    return failed("the mappings form a loop")


def _step(node: IortNode, id: int) -> IdStep | None:
    """The mapping of one node that an id takes; None where there is none."""
    skip = special_index(node)
    singles = node.singles if node.type in _SINGLE_TYPES else ()
    single = next((each for each in singles if each.index != skip), None)
    provisional: IdMapping | None = None
    at = node.first.of(id)
    for mapping in node.mappings[len(node.mappings) if at is None else at :]:
        if single is not None and single.index < mapping.index:
            break
        if mapping.index == skip or mapping.single or not mapping.input_base <= id <= mapping.last:
            continue
        if provisional is not None and id != mapping.input_base:
            continue
        if mapping.id_count > 0 and id == mapping.last:
            provisional = mapping
            continue
        return IdStep(node.offset, mapping, id, _output(mapping, id), provisional=False)
    if single is not None:
        return IdStep(node.offset, single, id, single.output_base, provisional=False)
    if provisional is None or provisional.output_reference == 0:
        return None
    return IdStep(node.offset, provisional, id, _output(provisional, id), provisional=True)


def _output(mapping: IdMapping, id: int) -> int:
    return mapping.output_base + id - mapping.input_base & _U32
