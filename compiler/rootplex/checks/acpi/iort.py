"""What is wrong with the nodes of IORT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.acpi_tables import bridges, bridges_of, root_complexes
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.acpi import IORT_ITS, IORT_ITS_GROUP, IORT_MAPPING, IortType, size_of
from rootplex.model.controllers import Its
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.iort_facts import IdMapping, Iort, IortNode, ItsGroup, Rmr, Smmu, SmmuV3
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, special_index
from rootplex.readers.acpi.madt import Madt
from rootplex.readers.problem import Problem
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place, TablePlace


@check("RPX0751", Level.ERROR, covers=("LNX-43",))
def iort_malformed(facts: Facts) -> Iterator[Finding]:
    """What it finds: an IORT whose counts, lengths and offsets do not fit each other.
    Why it matters: Linux stops at the first node that does not fit; what follows is not read, and a mapping
    count that is too large reads the next node as mappings.
    Example: a node count of 5 in a table with 4 nodes.
    What to do: correct the field; `iasl -d` shows what it makes of the table.
    Source: Arm DEN0049 E.f §3.1; Linux drivers/acpi/arm64/iort.c, iort_scan_node;
    https://github.com/ARM-software/bsa-acs/issues/118.
    Sources that prove it: IORT.
    """
    # Output references have a check of their own. A wrong length moves all that is behind it: there it ends.
    iort = facts.tables.iort
    if iort is None:
        return
    end = None if not iort.nodes else iort.nodes[-1].place
    told: Problem | None = None
    for problem in iort.problems:
        if problem.kind == "length" and told is not None and _is_in(told.place, end):
            return  # the node before is too long or too short for what it holds
        if problem.kind not in ("checksum", "reference"):
            told = problem
            yield iort_malformed.rule.finding(
                problem.place,
                f"IORT: {problem.text}",
                help="correct the field",
                about=with_maps(*_misread(facts, iort, problem)),
            )
        if problem.kind == "length":
            return


def _is_in(place: Place, node: TablePlace | None) -> bool:
    at = place.offset if isinstance(place, TablePlace) else None
    if node is None or at is None or node.offset is None:
        return False
    return node.offset <= at < node.offset + (node.length or 0)


def _misread(facts: Facts, iort: Iort, problem: Problem) -> Iterable[str]:
    """The names of the bridges of the node with the problem; where what is behind it cannot be read, and
    without a node, all of them."""
    at = problem.place
    offset = at.offset if isinstance(at, TablePlace) and at.offset else None
    if iort.node_count != len(iort.nodes):
        offset = None
    inside = [each for each in iort.nodes if offset and each.offset <= offset < each.offset + each.length]
    found = [name for node in inside for name in bridges_of(facts, node)]
    return found or [facts.name_of(each.path) for each in bridges(facts)]


_ALLOWED = {
    IortType.ROOT_COMPLEX: (*SMMU_TYPES, *ITS_TYPES),
    IortType.SMMU: ITS_TYPES,
    IortType.SMMU_V3: ITS_TYPES,
}


@check("RPX0745", Level.ERROR, requires=("RPX0751",), covers=("LNX-43",))
def iort_output_reference(facts: Facts) -> Iterator[Finding]:
    """What it finds: an IORT mapping that does not lead to a node it may lead to.
    Why it matters: a root complex leads to an SMMU or an ITS group, an SMMU to an ITS group. Anything else
    ends the search: no IOMMU, no MSI.
    Example: an output reference into the middle of a node.
    What to do: write the offset of the target node from the start of the table.
    Source: Arm DEN0049 E.f §3.1.1.5; Linux drivers/acpi/arm64/iort.c, iort_node_map_id.
    Sources that prove it: IORT.
    """
    # The first such mapping of each node, and how many there are.
    iort = facts.tables.iort
    if iort is None:
        return
    for node in iort.nodes:
        wrong = [(each, text) for each in node.mappings if (text := _wrong_output(iort, node, each))]
        if not wrong:
            continue
        mapping, text = wrong[0]
        more = len(wrong) - 1
        yield iort_output_reference.rule.finding(
            place_of(iort.table, mapping.offset, IORT_MAPPING, "output_reference"),
            text,
            notes=(
                "a root complex leads to an SMMU or an ITS group, an SMMU to an ITS group",
                *((f"{more} more mapping{'s' if more > 1 else ''} of this node go astray",) if more else ()),
            ),
            help="write the offset of the target node from the start of the table",
            about=with_maps(*bridges_of(facts, node)),
        )


def _wrong_output(iort: Iort | None, node: IortNode, mapping: IdMapping) -> str | None:
    """What is wrong with where a mapping leads, in words."""
    target = None if iort is None else iort.at(mapping.output_reference)
    if target is None:
        return f"no IORT node starts at {mapping.output_reference:#x}"
    if node.type in _ALLOWED and target.type not in _ALLOWED[IortType(node.type)]:
        return f"an IORT {_called(node)} leads to a {_called(target)}"
    return None


def _called(node: IortNode) -> str:
    known = [each.value for each in IortType]
    return (
        IortType(node.type).name.lower().replace("_", " ")
        if node.type in known
        else f"node of type {node.type}"
    )


@check("RPX0748", Level.ERROR, requires=("RPX0751",))
def iort_its_unknown(facts: Facts) -> Iterator[Finding]:
    """What it finds: an ITS group of IORT that names an ITS which MADT does not have, or no ITS at all.
    Why it matters: no MSI reaches the devices mapped to it. A machine with a GICv2m frame and no ITS at all
    (as QEMU's with a GICv2) uses that, and the mapping says too much.
    Example: ITS 3 in IORT, ITS 0 and 1 in MADT.
    What to do: name an ITS by its id in MADT.
    Source: Arm DEN0049 E.f §3.1.1.3; Linux drivers/acpi/arm64/iort.c, iort_dev_find_its_id and
    iort_get_device_domain.
    Sources that prove it: IORT with MADT; for a description its `msi_controllers` stand for MADT, which stays
    the firmware's.
    """
    iort = facts.tables.iort
    for node in () if iort is None or iort.problems else iort.nodes:
        if isinstance(node.data, ItsGroup) and not node.data.ids and iort is not None:
            yield iort_its_unknown.rule.finding(
                iort.place(node, "count"),
                "IORT has an ITS group without an ITS",
                notes=("no message finds its way through it",),
                help="name the ITSs of the group by their ids in MADT",
                about=with_maps(*bridges_of(facts, node)),
            )
    madt = facts.tables.madt
    known = _its_ids(facts, madt)
    frames = madt is not None and not madt.its and bool(madt.msi_frames)
    if iort is None or known is None:
        return
    for node in iort.nodes:
        for index, id in enumerate(node.data.ids if isinstance(node.data, ItsGroup) else ()):
            if id not in known:
                at = node.offset + size_of(IORT_ITS_GROUP, *(IORT_ITS,) * index)
                yield iort_its_unknown.rule.finding(
                    place_of(iort.table, at, IORT_ITS, "id"),
                    f"IORT names ITS {id}, which is not there",
                    level=Level.WARNING if frames else Level.ERROR,
                    notes=("the messages go to the GICv2m frame of MADT",) if frames else (_there(known),),
                    help="name an ITS by its id in MADT",
                    about=with_maps(*bridges_of(facts, node)),
                )


def _its_ids(facts: Facts, madt: Madt | None) -> frozenset[int] | None:
    """The ids of all ITSs; None where they cannot be known."""
    if madt is not None:
        return frozenset(its.id for its in madt.its)
    if facts.described is not None:
        return frozenset(each.id for each in facts.described.msi_controllers if isinstance(each, Its))
    return None


def _there(known: frozenset[int]) -> str:
    return f"there are: {', '.join(map(str, sorted(known)))}" if known else "there is none"


FEWEST_BITS = 12
"""Of a page."""


@check("RPX0750", Level.WARNING, covers=("LNX-46",))
def iort_address_limit(facts: Facts) -> Iterator[Finding]:
    """What it finds: a root complex node of revision 1 or later with an address size limit of 0, or of less
    than a page's bits.
    Why it matters: 0 bits of addresses would be no DMA at all; Linux reports a firmware bug and goes on as if
    there were no limit. With another number DMA ends there.
    Example: an address size limit byte that nobody filled in.
    What to do: write the number of address bits, 64 for all.
    Source: Arm DEN0049 E.f §3.1.1.2; Linux drivers/acpi/arm64/iort.c, rc_dma_get_range and
    acpi_iort_dma_get_max_cpu_address.
    Sources that prove it: IORT.
    """
    iort = facts.tables.iort
    for node, data in root_complexes(iort):
        bits = data.address_size_limit
        if node.revision >= 1 and bits is not None and bits < FEWEST_BITS and iort is not None:
            yield iort_address_limit.rule.finding(
                iort.place(node, "address_size_limit"),
                f"the root complex of segment {data.segment} has an address size limit of {bits} bits",
                notes=(f"DMA ends at {1 << bits:#x}" if bits else "Linux goes on as if there were no limit",),
                help="write the number of address bits, 64 for all",
            )


@check("RPX0746", Level.WARNING, requires=("RPX0745", "RPX0751"), covers=("LNX-43",))
def smmu_without_its(facts: Facts) -> Iterator[Finding]:
    """What it finds: an SMMU that root complexes lead to and that has no mapping to an ITS, where IORT has
    ITS groups.
    Why it matters: the way to the ITS goes through the SMMU's own mappings: devices behind it have no MSI.
    Example: an SMMUv3 node with no mapping.
    What to do: give the SMMU node mappings to the ITS group.
    Source: Arm DEN0049 E.f §3.1.1.1; Linux drivers/acpi/arm64/iort.c, iort_node_map_id and
    iort_dev_find_its_id.
    Sources that prove it: IORT. Where a description says what is meant, the two firmwares are compared
    instead.
    """
    iort = facts.tables.iort
    if iort is None or facts.described is not None:
        return
    if not any(isinstance(node.data, ItsGroup) for node in iort.nodes):
        return
    used = {mapping.output_reference for node, _ in root_complexes(iort) for mapping in node.mappings}
    for node in iort.nodes:
        if node.offset not in used or not isinstance(node.data, Smmu | SmmuV3):
            continue
        skip = special_index(node)
        if all(mapping.index == skip for mapping in node.mappings):
            yield smmu_without_its.rule.finding(
                node.place,
                f"the SMMU at {node.data.base:#x} has no mapping to an ITS group",
                notes=("devices behind it have no MSI",),
                help="give the SMMU node mappings to the ITS group",
                about=with_maps(*bridges_of(facts, node)),
            )


@check("RPX0749", Level.WARNING, covers=("LNX-45",))
def rmr_ignored(facts: Facts) -> Iterator[Finding]:
    """What it finds: reserved memory (RMR) in IORT for a root complex whose bridges do not say `_DSM` 5 = 0.
    Why it matters: Linux heeds it only where the firmware's configuration of the bridge is kept: else the
    device's DMA faults.
    Example: an RMR node for a stream of segment 0, and no `_DSM`.
    What to do: let `_DSM` function 5 of the bridge return 0.
    Source: Linux drivers/acpi/arm64/iort.c, iort_rmr_has_dev and iort_find_rmrs.
    Sources that prove it: IORT with AML.
    """
    iort = facts.tables.iort
    if iort is None:
        return
    keeping = {bridge.segment for bridge in bridges(facts) if bridge.preserve.known == 0}
    for node in iort.nodes:
        if not isinstance(node.data, Rmr):
            continue
        for owner, data in root_complexes(iort):
            if data.segment not in keeping and any(
                _have_common_ids(mine, theirs) for mine in node.mappings for theirs in owner.mappings
            ):
                yield rmr_ignored.rule.finding(
                    node.place,
                    f"reserved memory for a stream of segment {data.segment} is ignored",
                    related=[(owner.place, "the root complex of the stream")],
                    notes=("no bridge of the segment returns 0 for _DSM function 5",),
                    help="let _DSM function 5 of the bridge return 0",
                )


def _have_common_ids(mine: IdMapping, theirs: IdMapping) -> bool:
    """Whether two mappings have a stream of one SMMU in common."""
    one, other = (0 if each.single else each.id_count for each in (mine, theirs))
    meet = mine.output_base <= theirs.output_base + other and theirs.output_base <= mine.output_base + one
    return mine.output_reference == theirs.output_reference and meet


PAGE = 1 << 12


@check("RPX0638", Level.ERROR, requires=("RPX0751",))
def iort_unit_nowhere(facts: Facts) -> Iterator[Finding]:
    """What it finds: an SMMU of IORT whose registers begin at 0 or within a page.
    Why it matters: the driver finds no SMMU there and fails: what is behind it has no group.
    Example: an SMMUv3 node whose base firmware was to fill in.
    What to do: write the address of its registers.
    Source: Arm IHI 0070 §6.2 (register pages of 64 KiB); Arm DEN0049 E.f §3.1.1.1; Linux
    drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_device_probe.
    Sources that prove it: IORT.
    """
    iort = facts.tables.iort
    for node in () if iort is None else iort.nodes:
        if isinstance(node.data, Smmu | SmmuV3) and (node.data.base % PAGE or not node.data.base):
            base = node.data.base
            assert iort is not None
            yield iort_unit_nowhere.rule.finding(
                iort.place(node, "base"),
                f"an SMMU of IORT begins {base % PAGE:#x} bytes into a page, at {base:#x}"
                if base
                else "an SMMU of IORT has its registers at 0",
                notes=("its driver fails: what is behind it has no group",),
                help="write the address of its registers",
                about=with_maps(*bridges_of(facts, node)),
            )


@check("RPX0639", Level.WARNING, requires=("RPX0745", "RPX0751"))
def iort_single_mapping(facts: Facts) -> Iterator[Finding]:
    """What it finds: a mapping of a root complex in IORT that is marked as single.
    Why it matters: a single mapping has no input: every requester of the root complex gets the one id. All
    functions are one stream, or one device to the ITS.
    Example: flag 1 at a mapping of 0x10000 ids.
    What to do: clear the flag; it is for devices without requester ids.
    Source: Arm DEN0049 E.f §3.1.1 (ID mapping flags); Linux drivers/acpi/arm64/iort.c, iort_id_map.
    Sources that prove it: IORT, where no description asks for one id (a mask of 0).
    """
    for node, data in root_complexes(facts.tables.iort if facts.described is None else None):
        for mapping in node.singles[:1]:
            yield iort_single_mapping.rule.finding(
                mapping.place,
                f"a mapping of the root complex of segment {data.segment} gives every requester one id, "
                f"{mapping.output_base:#x}",
                help="clear its flag: it is for devices without requester ids",
                about=with_maps(*bridges_of(facts, node)),
            )
