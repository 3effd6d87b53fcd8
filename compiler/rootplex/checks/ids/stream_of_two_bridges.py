"""stream-of-two-bridges

What it finds: requesters of two enabled bridges with one StreamID at one SMMUv3.
Why it matters: Linux refuses the second device; Xen goes down when it is added.
Example: two bridges, both mapped to streams from 0 on.
What to do: give each bridge StreamIDs of its own.
Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master; Xen
xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_write_strtab_ent (the BUG).
Sources that prove it: device tree; IORT with AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.ids._maps import (
    Claim,
    acpi_claims,
    dt_claims,
    shared,
)
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0405",
    name="stream-of-two-bridges",
    level=Level.ERROR,
    requires=("RPX0806",),
    covers=(
        "LNX-22",
        "XP-33",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each pair of bridges with ids in common, by device tree or by IORT."""
    found: set[frozenset[str]] = set()
    for claims in (dt_claims(facts, "iommu"), acpi_claims(facts, "iommu")):
        for first, other, low, high in shared(claims, "smmu-v3"):
            pair = frozenset((first.bridge, other.bridge))
            if pair not in found:
                found.add(pair)
                yield _finding(first, other, low, high)


def _finding(first: Claim, other: Claim, low: int, high: int) -> Finding:
    bridges = (first.bridge, other.bridge)
    maps = tuple(map_of(each, "iommu-map") for each in bridges)
    ids = f"StreamID {low:#x}" if low == high else f"StreamIDs {low:#x}-{high:#x}"
    return RULE.finding(
        other.at,
        f"{other.bridge} and {first.bridge} share {ids} of {other.name}",
        related=[(first.at, f"the ids of {first.bridge}")],
        help="give each bridge StreamIDs of its own, by 'iommu.map'",
        subject=other.bridge,
        about=(*bridges, *maps),
        rests_on=maps,
    )
