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

from msgspec.structs import replace

from rootplex.checks.acpi._tables import (
    iort_of,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort import (
    ITS_TYPES,
    SMMU_TYPES,
    IortNode,
    NodeType,
)
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0745",
    name="iort-output-reference",
    level=Level.ERROR,
    covers=("LNX-43",),
)


_ALLOWED = {
    NodeType.ROOT_COMPLEX: (*SMMU_TYPES, *ITS_TYPES),
    NodeType.SMMU: ITS_TYPES,
    NodeType.SMMU_V3: ITS_TYPES,
}


def check(facts: Facts) -> Iterator[Finding]:
    """Each mapping that ends nowhere, or at a node of another kind."""
    iort = iort_of(facts)
    for node in () if iort is None else iort.nodes:
        for mapping in node.mappings:
            target = iort.at(mapping.output_reference) if iort is not None else None
            allowed = _ALLOWED.get(NodeType(node.type)) if node.type in _ALLOWED else None
            if target is None:
                text = f"no IORT node starts at {mapping.output_reference:#x}"
            elif allowed is not None and target.type not in allowed:
                text = f"an IORT {_kind(node)} leads to a {_kind(target)}"
            else:
                continue
            yield RULE.finding(
                replace(mapping.place, offset=mapping.offset + 12, length=4),
                text,
                notes=("a root complex leads to an SMMU or an ITS group, an SMMU to an ITS group",),
                help="write the offset of the target node from the start of the table",
            )


def _kind(node: IortNode) -> str:
    known = [each.value for each in NodeType]
    return (
        NodeType(node.type).name.lower().replace("_", " ")
        if node.type in known
        else f"node of type {node.type}"
    )
