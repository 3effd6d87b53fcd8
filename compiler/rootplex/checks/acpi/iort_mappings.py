"""Requester ids that the mappings of IORT leave out or have twice."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, bridges_of, takes_iort
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.acpi import IORT_MAPPING
from rootplex.formats.idruns import holes
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.iort_facts import IdMapping, RootComplex, Smmu, SmmuV3
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, root_complex, special_index
from rootplex.readers.idruns import iort_runs
from rootplex.source.finding import Finding, Level


@check("RPX0744", Level.ERROR, requires=("RPX0202", "RPX0733", "RPX0743", "RPX0751"), covers=("LNX-42",))
def iort_mappings_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two mappings of one IORT node that share input ids.
    Why it matters: Linux takes the first and complains; others may take the last: one requester has two ids.
    Example: ids 0-0x1ff and 0x100-0x2ff in one node.
    What to do: let every id have one mapping.
    Source: Linux drivers/acpi/arm64/iort.c, iort_id_map and iort_node_map_id.
    Sources that prove it: IORT.
    """
    # A shared last id alone is the off-by-one that Linux forgives.
    iort = facts.tables.iort
    for node in () if iort is None else iort.nodes:
        skip = special_index(node)
        ranges = sorted(
            (each.input_base, each.input_base + each.id_count, each.index, each)
            for each in node.mappings
            if not each.single and each.index != skip
        )
        widest: tuple[int, int, int, IdMapping] | None = None
        for this in ranges:
            if widest is not None and this[0] <= widest[1] and not _is_seam(widest, this):
                later, first = sorted((this[3], widest[3]), key=lambda each: -each.index)
                yield iort_mappings_overlap.rule.finding(
                    later.place,
                    f"ids {this[0]:#x}-{min(this[1], widest[1]):#x} have two mappings in one IORT node",
                    related=[(first.place, "the first, which Linux takes")],
                    help="let every id have one mapping",
                    about=with_maps(*bridges_of(facts, node)),
                )
            if widest is None or this[1] > widest[1]:
                widest = this


def _is_seam(before: tuple[int, int, int, IdMapping], after: tuple[int, int, int, IdMapping]) -> bool:
    return before[1] == after[0] and before[3].id_count > 0


@check("RPX0743", Level.WARNING, requires=("RPX0745", "RPX0751"), covers=("LNX-42", "LNX-44"))
def iort_count_off_by_one(facts: Facts) -> Iterator[Finding]:
    """What it finds: an IORT mapping with one id more, or one less, than whole buses.
    Why it matters: the field is the number of ids minus one. With the number itself the mapping takes one id
    of its neighbour, which Linux forgives only where another mapping starts there; with two less than the
    number the last id is lost.
    Example: an id count of 0x100 for the 0x100 ids of one bus.
    What to do: write the number of ids minus one.
    Source: Arm DEN0049 E.f table 4; Linux drivers/acpi/arm64/iort.c, iort_id_map and iort_node_map_id.
    Sources that prove it: IORT.
    """
    iort = facts.tables.iort
    if iort is None:
        return
    for node in iort.nodes:
        if not isinstance(node.data, RootComplex | Smmu | SmmuV3):
            continue
        for mapping in node.mappings:
            count = mapping.id_count
            if mapping.single or mapping.input_base & 0xFF or count < 0xFE or (count + 2) & 0xFF > 2:
                continue
            if count & 0xFF == 0xFF:
                continue
            more = count & 0xFF == 0
            whole = count if more else count + 2
            yield iort_count_off_by_one.rule.finding(
                place_of(iort.table, mapping.offset, IORT_MAPPING, "id_count"),
                f"an IORT mapping has {count + 1:#x} ids, one {'more' if more else 'less'} than {whole:#x}",
                notes=("the field is the number of ids minus one",),
                help=f"write {whole - 1:#x}",
                about=with_maps(*bridges_of(facts, node)),
            )


@check("RPX0747", Level.WARNING, requires=("RPX0401", "RPX0743", "RPX0745", "RPX0751"), covers=("LNX-44",))
def iort_requesters_left_out(facts: Facts) -> Iterator[Finding]:
    """What it finds: requester ids of a host bridge's buses that its IORT root complex does not map.
    Why it matters: a device that gets such an id has no IOMMU group and no MSI.
    Example: a mapping of 0x100 ids for a bridge with two buses.
    What to do: map all ids of the bus range, ports included.
    Source: Linux drivers/acpi/arm64/iort.c, iort_node_map_id.
    Sources that prove it: IORT with AML.
    """
    # Not where nothing of it is mapped at all.
    iort = facts.tables.iort
    if iort is None or not takes_iort(facts):
        return
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        node = None if segment is None else root_complex(iort, segment)
        if node is None or buses is None or not node.mappings:
            continue
        runs = iort_runs(iort, node, buses, (*SMMU_TYPES, *ITS_TYPES))
        left = holes(runs or ())
        if not left or sum(run.count for run in left) == buses.count << 8:
            continue
        name = facts.name_of(bridge.path)
        shown = ", ".join(f"{run.first:#06x}-{run.last:#06x}" for run in left[:3])
        yield iort_requesters_left_out.rule.finding(
            node.place,
            f"IORT maps no id for requesters {shown}{', …' if len(left) > 3 else ''} of {name}",
            related=[(bridge.buses_at, f"its buses are {buses}")],
            help="map all ids of the bus range, ports included",
            subject=name,
            about=with_maps(name),
        )
