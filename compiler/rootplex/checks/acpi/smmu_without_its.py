"""smmu-without-its

What it finds: an SMMU that root complexes lead to and that has no mapping to an ITS, where IORT has ITS
groups.
Why it matters: the way to the ITS goes through the SMMU's own mappings: devices behind it have no MSI.
Example: an SMMUv3 node with no mapping.
What to do: give the SMMU node mappings to the ITS group.
Source: Arm DEN0049 E.f §3.1.1.1; Linux drivers/acpi/arm64/iort.c, iort_node_map_id and iort_dev_find_its_id.
Sources that prove it: IORT. Where a description says what is meant, the two firmwares are compared instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges_of, root_complexes
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import ItsGroup, Smmu, SmmuV3
from rootplex.readers.acpi.iort_ids import special_index
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0746",
    name="smmu-without-its",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0745", "RPX0751"),
    covers=("LNX-43",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each SMMU on which the way to the ITS ends."""
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
            yield RULE.finding(
                node.place,
                f"the SMMU at {node.data.base:#x} has no mapping to an ITS group",
                notes=("devices behind it have no MSI",),
                help="give the SMMU node mappings to the ITS group",
                about=with_maps(*bridges_of(facts, node)),
            )
