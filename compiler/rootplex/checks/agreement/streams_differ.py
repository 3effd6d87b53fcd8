"""streams-differ

What it finds: requester ids with another StreamID, or another SMMU, by `iommu-map` than by IORT.
Why it matters: one of the two programs an id that the hardware does not send: faults, or messages that go
astray. Both are compared as functions over the bus range, after masks and through both steps of IORT.
Example: `iommu-map` adds 0x10000, the IORT mapping does not.
What to do: write the same map.
Source: Linux drivers/of/base.c, of_map_id, and drivers/acpi/arm64/iort.c, iort_node_map_id.
Sources that prove it: device tree and ACPI of one board. A map that a boot loader fills in is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import takes_iort
from rootplex.checks.agreement._id_maps import IdMap, map_differences
from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.facts import Facts
from rootplex.checks.ids._maps import has_placeholders
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_ids import SMMU_TYPES
from rootplex.readers.buses import Buses
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.idruns import Way, dt_runs, identity
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0806",
    name="streams-differ",
    level=Level.ERROR,
    requires=(*WRONG_MAP, "RPX0801", "RPX0803"),
    covers=("LNX-47",),
)


def _tree_runs(bridge: DtHostBridge, buses: Buses) -> tuple[Way, ...] | None:
    if bridge.iommu_map is None:
        return (identity(buses, None, bridge.place()),)
    return dt_runs(bridge.iommu_map, buses)


MAP = IdMap(
    key="iommu",
    id_name="StreamID",
    tree_kinds=("smmu-v2", "smmu-v3"),
    iort_types=SMMU_TYPES,
    ways=("iommu",),
    tree_runs=_tree_runs,
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose maps differ; the first stretch, and how many there are."""
    if takes_iort(facts) and not has_placeholders(facts):
        yield from map_differences(facts, RULE, MAP)
