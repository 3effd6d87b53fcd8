"""stream-beyond-table

What it finds: an entry of a bridge's `iommu` map with StreamIDs that its SMMU has no table entries for. Where
the author wrote the map it is an error; the identity map that is made without one is a warning.
Why it matters: Linux up to 6.12 and Xen refuse such a device (-ERANGE): it is not translated, and cannot be
given to a guest. Linux 7.2 gives up the whole SMMU, and nothing behind it has a group.
Example: `iommu: {unit: smmu, map: [{rid: 0, id: 0x10000, count: 256}]}` at a unit of `stream_id_bits: 16`.
What to do: map to streams that the unit has, or correct `stream_id_bits`.
Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master; Xen
xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_add_device.
Sources that prove it: a description, which knows the SMMU's width; no firmware table says it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.bridge import HostBridge, IommuMap
from rootplex.model.platform import Platform
from rootplex.simulator.groups.timing import timing
from rootplex.source.finding import Finding, Level

ERANGE = -34

RULE = Rule(
    code="RPX0613",
    name="stream-beyond-table",
    level=Level.ERROR,
    needs="artifacts",
    covers=("XP-34",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Entries that end beyond their unit's streams within the buses of an enabled bridge."""
    if facts.described is None:
        return
    for bridge, ids in _enabled_maps(facts.described):
        for entry in ids.entries:
            bits = getattr(facts.described.controller(entry.target), "stream_id_bits", None)
            rid = min(entry.rid + entry.count - 1, bridge.bus_range.last << 8 | 0xFF)
            last = entry.id + rid - entry.rid
            if bits is None or rid < entry.rid or last >> bits == 0:
                continue
            yield RULE.finding(
                entry.at("id"),
                f"'{bridge.name}' maps RIDs to streams up to {last:#x}, '{entry.target}' has {bits} bits",
                level=Level.ERROR if ids.wrote("map") else Level.WARNING,
                notes=[f"its streams end at {(1 << bits) - 1:#x}", *_consequence(facts, entry.target)],
                help="map to streams that the unit has",
                subject=bridge.name,
                about=_hurt(facts, facts.described, bridge, entry.target),
                rests_on=(map_of(bridge.name, "iommu-map"),),
            )


def _enabled_maps(platform: Platform) -> Iterator[tuple[HostBridge, IommuMap]]:
    """Every map of an enabled bridge, by whichever firmware."""
    for bridge in platform.host_bridges:
        if bridge.enabled:
            yield from ((bridge, ids) for ids in bridge.iommu_maps)


def _gives_up(facts: Facts) -> bool:
    """Whether the kernel gives up the whole unit for one such function."""
    return facts.settings is not None and timing(facts.settings).order == "registration"


def _hurt(facts: Facts, platform: Platform, bridge: HostBridge, unit: str) -> Iterator[str]:
    """The bridges without streams then, and their maps."""
    for each in platform.host_bridges:
        targets = {entry.target for ids in each.iommu_maps for entry in ids.entries}
        if each is bridge or (_gives_up(facts) and unit in targets):
            yield from (each.name, map_of(each.name, "iommu-map"))


def _consequence(facts: Facts, unit: str) -> Iterator[str]:
    """What the kernel does with a function that has such a stream."""
    if facts.settings is None:
        return
    kernel = facts.settings.kernel
    if _gives_up(facts):
        yield f"for one such function {kernel} gives up '{unit}' ({ERANGE}): nothing behind it has a group"
    else:
        yield f"{kernel} leaves such a function without a group ({ERANGE})"
