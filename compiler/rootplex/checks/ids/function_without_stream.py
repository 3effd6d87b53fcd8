"""function-without-stream

What it finds: a present function with a requester id (its own or a bridge's alias) that its bridge's map does
not cover.
Why it matters: it has no IOMMU: no group, no passthrough, DMA past the protection; Xen refuses the device.
Example: an `iommu-map` of bus 0 alone, and a disk on bus 1.
What to do: let the map cover the id.
Source: Linux drivers/iommu/of_iommu.c, of_pci_iommu_init, and drivers/acpi/arm64/iort.c, iort_pci_iommu_init;
Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.facts import Facts
from rootplex.checks.ids._maps import (
    acpi_claims,
    units_own,
)
from rootplex.checks.rule import Rule
from rootplex.checks.subjects import map_above
from rootplex.readers.ridmap import map_rid
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0402",
    name="function-without-stream",
    level=Level.ERROR,
    requires=(*WRONG_MAP, "RPX0404", "RPX0611", "RPX0731", "RPX0806"),
    covers=(
        "LNX-20",
        "LNX-44",
        "XP-30",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each function left out by a map that there is."""
    outcome = facts.outcome
    if outcome is None or not outcome.settings.iommu:
        return
    by_iort = outcome.settings.firmware == "acpi"
    claimed = frozenset(each.bridge for each in acpi_claims(facts, "iommu")) if by_iort else frozenset()
    for function, streams in outcome.streams.items():
        route = next((each for each in streams.routes if each.unit is None), None)
        if route is None or not _is_hole(facts, function, route.rid, claimed):
            continue
        name = facts.device_name(function)
        alias = "" if route.rid == function.rid else f", the alias of {facts.device_name(route.owner)},"
        yield RULE.finding(
            route.place or map_place(facts, function),
            f"no map covers requester {route.rid:#06x}{alias} of '{name}'",
            notes=(f"it is {function.sbdf}", *([route.reason] if route.reason else [])),
            help="let the map cover this id",
            subject=name,
            rests_on=(name, map_above(facts, function, "iommu-map")),
        )


def map_place(facts: Facts, function: Function) -> Place:
    """Where the bridge of a function is."""
    assert facts.outcome is not None
    return facts.outcome.dom0.root_bridges[function.root].places["node"]


def _is_hole(facts: Facts, function: Function, rid: int, claimed: frozenset[str]) -> bool:
    """Whether the bridge has a map, and it just does not cover the id."""
    assert facts.outcome is not None
    root = facts.outcome.dom0.root_bridges[function.root]
    joined = facts.joined(root.path)
    if facts.outcome.settings.firmware == "dt":
        bridge = None if joined is None else joined.dt
        if bridge is None or bridge.iommu_map is None or rid in units_own(bridge, bridge.iommu_map):
            return False
        found = map_rid(bridge.iommu_map, rid)
        return found.entry is None and found.error is None
    return joined is not None and joined.name in claimed
