"""Functions that a map of requester ids leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.ids._claims import Kind, acpi_claims, units_own
from rootplex.checks.simulated import map_above, root_of
from rootplex.readers.ridmap import map_rid
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level


@check(
    "RPX0402",
    Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0404", "RPX0611", "RPX0731", "RPX0806"),
    covers=("LNX-20", "LNX-44", "XP-30"),
)
def function_without_stream(facts: Facts) -> Iterator[Finding]:
    """What it finds: a present function with a requester id (its own or a bridge's alias) that its bridge's
    map does not cover.
    Why it matters: it has no IOMMU: no group, no passthrough, DMA past the protection; Xen refuses the
    device.
    Example: an `iommu-map` of bus 0 alone, and a disk on bus 1.
    What to do: let the map cover the id.
    Source: Linux drivers/iommu/of_iommu.c, of_pci_iommu_init, and drivers/acpi/arm64/iort.c,
    iort_pci_iommu_init; Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
    """
    outcome = facts.outcome
    if outcome is None or not outcome.settings.iommu:
        return
    claimed = _claimed(facts, "iommu")
    for function, streams in outcome.streams.items():
        route = next((each for each in streams.routes if each.unit is None), None)
        if route is None or not _is_hole(facts, function, route.rid, "iommu", claimed):
            continue
        name = facts.device_name(function)
        alias = "" if route.rid == function.rid else f", the alias of {facts.device_name(route.owner)},"
        yield function_without_stream.rule.finding(
            route.place or root_of(facts, function).places["node"],
            f"no map covers requester {route.rid:#06x}{alias} of '{name}'",
            notes=(f"it is {function.sbdf}", *([route.reason] if route.reason else [])),
            help="let the map cover this id",
            subject=name,
            rests_on=(name, map_above(facts, function, "iommu-map")),
        )


@check(
    "RPX0403", Level.ERROR, needs="simulation", requires=(*WRONG_MAP, "RPX0807"), covers=("LNX-44", "XP-36")
)
def function_without_messages(facts: Facts) -> Iterator[Finding]:
    """What it finds: a present function with MSI or MSI-X whose requester id its bridge's `msi-map`, or IORT,
    does not cover.
    Why it matters: its messages reach no interrupt controller: the driver falls back to INTx, or fails.
    Example: an `msi-map` of bus 0 alone, and a disk on bus 1.
    What to do: let the map cover the id.
    Source: Linux drivers/pci/msi/irqdomain.c, pci_msi_domain_get_msi_rid; drivers/of/base.c, of_map_id;
    drivers/acpi/arm64/iort.c, iort_msi_map_id.
    """
    outcome = facts.outcome
    if outcome is None:
        return
    claimed = _claimed(facts, "msi")
    for function, route in outcome.messages.items():
        if route.controller is not None or not (function.msi or function.msix):
            continue
        if not _is_hole(facts, function, route.rid, "msi", claimed):
            continue
        name = facts.device_name(function)
        yield function_without_messages.rule.finding(
            route.place or root_of(facts, function).places["node"],
            f"no map gives the messages of '{name}', requester {route.rid:#06x}, a controller",
            notes=(f"it is {function.sbdf}", *([route.reason] if route.reason else [])),
            help="let the map cover this id",
            subject=name,
            rests_on=(name, map_above(facts, function, "msi-map")),
        )


def _claimed(facts: Facts, kind: Kind) -> frozenset[str]:
    """The bridges for which IORT maps something, where that decides."""
    by_iort = facts.outcome is not None and facts.outcome.settings.firmware == "acpi"
    return frozenset(each.bridge for each in acpi_claims(facts, kind)) if by_iort else frozenset()


def _is_hole(facts: Facts, function: Function, rid: int, kind: Kind, claimed: frozenset[str]) -> bool:
    """Whether the bridge has a map, and it just does not cover the id."""
    assert facts.outcome is not None
    joined = facts.joined(root_of(facts, function).path)
    if facts.outcome.settings.firmware == "acpi":
        return joined is not None and joined.name in claimed
    bridge = None if joined is None else joined.dt
    map = None if bridge is None else bridge.iommu_map if kind == "iommu" else bridge.msi_map
    if bridge is None or map is None or (kind == "iommu" and rid in units_own(bridge, map)):
        return False
    found = map_rid(map, rid)
    return found.entry is None and found.error is None
