"""iort-output-reference

What it finds: an IORT mapping that does not lead to a node it may lead to.
Why it matters: a root complex leads to an SMMU or an ITS group, an SMMU to an ITS group. Anything else ends
the search: no IOMMU, no MSI.
Example: an output reference into the middle of a node.
What to do: write the offset of the target node from the start of the table.
Source: Arm DEN0049 E.f §3.1.1.5; Linux drivers/acpi/arm64/iort.c, iort_node_map_id.
Sources that prove it: IORT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.acpi import IORT_MAPPING, IortType
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.iort_facts import IdMapping, Iort, IortNode
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0745",
    name="iort-output-reference",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0751",),
    covers=("LNX-43",),
)


_ALLOWED = {
    IortType.ROOT_COMPLEX: (*SMMU_TYPES, *ITS_TYPES),
    IortType.SMMU: ITS_TYPES,
    IortType.SMMU_V3: ITS_TYPES,
}


def check(facts: Facts) -> Iterator[Finding]:
    """The first mapping of each node that ends nowhere, or at a node of another kind, and how many do."""
    iort = facts.tables.iort
    if iort is None:
        return
    for node in iort.nodes:
        wrong = [(each, text) for each in node.mappings if (text := _fault(iort, node, each))]
        if not wrong:
            continue
        mapping, text = wrong[0]
        more = len(wrong) - 1
        yield RULE.finding(
            place_of(iort.table, mapping.offset, IORT_MAPPING, "output_reference"),
            text,
            notes=(
                "a root complex leads to an SMMU or an ITS group, an SMMU to an ITS group",
                *((f"{more} more mapping{'s' if more > 1 else ''} of this node go astray",) if more else ()),
            ),
            help="write the offset of the target node from the start of the table",
            about=with_maps(*bridges_of(facts, node)),
        )


def _fault(iort: Iort | None, node: IortNode, mapping: IdMapping) -> str | None:
    """What is wrong with where a mapping leads, in words."""
    target = None if iort is None else iort.at(mapping.output_reference)
    if target is None:
        return f"no IORT node starts at {mapping.output_reference:#x}"
    if node.type in _ALLOWED and target.type not in _ALLOWED[IortType(node.type)]:
        return f"an IORT {_kind(node)} leads to a {_kind(target)}"
    return None


def _kind(node: IortNode) -> str:
    known = [each.value for each in IortType]
    return (
        IortType(node.type).name.lower().replace("_", " ")
        if node.type in known
        else f"node of type {node.type}"
    )
