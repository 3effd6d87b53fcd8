"""iort-requesters-left-out

What it finds: requester ids of a host bridge's buses that its IORT root complex does not map.
Why it matters: a device that gets such an id has no IOMMU group and no MSI.
Example: a mapping of 0x100 ids for a bridge with two buses.
What to do: map all ids of the bus range, ports included.
Source: Linux drivers/acpi/arm64/iort.c, iort_node_map_id.
Sources that prove it: IORT with AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, takes_iort
from rootplex.checks.bridges import name_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.idruns import holes
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, root_complex
from rootplex.readers.idruns import iort_runs
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0747",
    name="iort-requesters-left-out",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0401", "RPX0743", "RPX0745", "RPX0751"),
    covers=("LNX-44",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge with ids left out; not where nothing of it is mapped at all."""
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
        name = name_of(facts, bridge.path)
        shown = ", ".join(f"{run.first:#06x}-{run.last:#06x}" for run in left[:3])
        yield RULE.finding(
            node.place,
            f"IORT maps no id for requesters {shown}{', …' if len(left) > 3 else ''} of {name}",
            related=[(bridge.buses_at, f"its buses are {buses}")],
            help="map all ids of the bus range, ports included",
            subject=name,
            about=with_maps(name),
        )
