"""Ids of one unit that the maps of two bridges give out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from rootplex.checks.causes import map_of, with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.ids._claims import Claim, acpi_claims, dt_claims, filled_by_loader, shared
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level


@check("RPX0405", Level.ERROR, requires=("RPX0110", "RPX0202", "RPX0806"), covers=("LNX-22", "XP-33"))
def stream_of_two_bridges(facts: Facts) -> Iterator[Finding]:
    """What it finds: requesters of two enabled bridges with one StreamID at one SMMUv3.
    Why it matters: Linux refuses the second device; Xen goes down when it is added.
    Example: two bridges, both mapped to streams from 0 on.
    What to do: give each bridge StreamIDs of its own.
    Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master; Xen
    xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_write_strtab_ent (the BUG).
    Sources that prove it: device tree; IORT with AML.
    """
    yield from _shared(facts, STREAMS)


@check(
    "RPX0407",
    Level.ERROR,
    requires=("RPX0110", "RPX0202", "RPX0405", "RPX0807", "RPX0806"),
    covers=("LNX-23",),
)
def device_id_of_two_bridges(facts: Facts) -> Iterator[Finding]:
    """What it finds: requesters of two enabled bridges with one DeviceID at one ITS, as far as there can be
    such requesters: on the first bus of many controllers only device 0 answers. A note where a boot loader
    is known to write the maps.
    Why it matters: both devices' messages use one interrupt translation table: they get each other's
    interrupts.
    Example: `msi-parent` on two bridges that both have bus 0, or two identity maps of the same buses.
    What to do: give each bridge DeviceIDs of its own, by `msi.map`.
    Source: Arm IHI0069 §5.2; Linux drivers/irqchip/irq-gic-v3-its.c, its_msi_prepare and its_create_device.
    Sources that prove it: device tree; IORT with AML.
    """
    yield from _shared(facts, DEVICE_IDS)


class Ids(Struct, frozen=True):
    """One kind of ids: the rule, the map that gives them, the kind of unit where they must be apart, and what
    they are called. `others_fill`: whether a boot loader may still write the map."""

    rule: Rule
    kind: Literal["iommu", "msi"]
    unit: str
    name: str
    others_fill: bool


STREAMS = Ids(stream_of_two_bridges.rule, "iommu", "smmu-v3", "StreamID", others_fill=False)
DEVICE_IDS = Ids(device_id_of_two_bridges.rule, "msi", "its", "DeviceID", others_fill=True)


def _shared(facts: Facts, ids: Ids) -> Iterator[Finding]:
    """One finding for two bridges, by the firmware that comes first."""
    found: set[frozenset[str]] = set()
    waiting = ids.others_fill and facts.described is None
    filled = filled_by_loader(facts) if waiting else frozenset()
    for claims in (dt_claims(facts, ids.kind), acpi_claims(facts, ids.kind)):
        for first, other, low, high in shared(claims, ids.unit):
            pair = frozenset((first.bridge, other.bridge))
            if pair not in found:
                found.add(pair)
                told = _finding(ids, (first, other), (low, high), filled=bool(pair & filled))
                bridges = (first.bridge, other.bridge)
                yield replace(told, about=told.about.union(_in_question(facts, bridges)))


def _finding(ids: Ids, claims: tuple[Claim, Claim], common: tuple[int, int], *, filled: bool) -> Finding:
    first, other = claims
    low, high = common
    bridges = (first.bridge, other.bridge)
    maps = tuple(map_of(each, f"{ids.kind}-map") for each in bridges)
    which = f"{ids.name} {low:#x}" if low == high else f"{ids.name}s {low:#x}-{high:#x}"
    return ids.rule.finding(
        other.at,
        f"{other.bridge} and {first.bridge} share {which} of {other.name}",
        level=Level.NOTE if filled else None,
        related=[(first.at, f"the ids of {first.bridge}")],
        notes=["a boot loader is expected to give each bridge a map"] if filled else (),
        help=f"give each bridge {ids.name}s of its own, by '{ids.kind}.map', or by buses of its own",
        subject=other.bridge,
        about=(*bridges, *maps),
        rests_on=maps,
    )


def _in_question(facts: Facts, bridges: tuple[str, str]) -> tuple[str, ...]:
    """All ids of two described bridges that have a bus in common, which may be the fault."""
    ranges = [each.bus_range for name in bridges if (each := facts.described_bridge(name)) is not None]
    if len(ranges) < 2 or ranges[0].last < ranges[1].first or ranges[1].last < ranges[0].first:
        return ()
    return with_maps(*bridges)
