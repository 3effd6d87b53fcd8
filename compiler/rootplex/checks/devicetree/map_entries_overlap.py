"""map-entries-overlap

What it finds: two entries of one `iommu-map` or `msi-map` that share requester ids and give them other ids.
Why it matters: Linux and Xen take the first that holds an id, so the later one counts less than it says, or
for nothing.
Example: `iommu-map = <0 &smmu 0 0x10000>, <0x100 &smmu 0x500 0x100>`.
What to do: let every id have one entry.
Source: Linux drivers/of/base.c, of_map_id; Xen xen/common/device-tree/device-tree.c, dt_map_id.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.ridmap import RidMapEntry
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0624",
    name="map-entries-overlap",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0608", "RPX0609", "RPX0744"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """The first such pair of each map."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        for map in (bridge.iommu_map, bridge.msi_map):
            pair = None if map is None else _overlap(map.entries)
            if map is None or pair is None:
                continue
            first, later = pair
            low = max(first.rid_base, later.rid_base)
            high = min(first.rid_base + first.length, later.rid_base + later.length) - 1
            whole = low == later.rid_base and high == later.rid_base + later.length - 1
            rids = f"RID {low:#x}" if low == high else f"RIDs {low:#x}-{high:#x}"
            yield RULE.finding(
                later.place,
                f"two entries of the {map.property} of '{name}' hold {rids}",
                related=[(first.place, "the first, which counts")],
                notes=[f"this one counts for {'nothing' if whole else 'the rest only'}"],
                help="let every id have one entry",
                subject=name,
                rests_on=(map_of(name, map.property),),
            )


def _overlap(entries: Sequence[RidMapEntry]) -> tuple[RidMapEntry, RidMapEntry] | None:
    """Two entries that differ about an id, in their order; None where no two do."""
    widest: RidMapEntry | None = None
    for entry in sorted(entries, key=lambda each: (each.rid_base, each.cell)):
        if not entry.length:
            continue
        shares = widest is not None and entry.rid_base < widest.rid_base + widest.length
        if widest is not None and shares and _offset(entry) != _offset(widest):
            first, later = sorted((entry, widest), key=lambda each: each.cell)
            return first, later
        if widest is None or entry.rid_base + entry.length > widest.rid_base + widest.length:
            widest = entry
    return None


def _offset(entry: RidMapEntry) -> tuple[int, int]:
    """Where its ids go: one unit and one distance give one id."""
    return entry.phandle, entry.out_base - entry.rid_base
