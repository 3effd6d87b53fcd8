"""device-id-of-two-bridges

What it finds: requesters of two enabled bridges with one DeviceID at one ITS, as far as there can be such
requesters: on the first bus of many controllers only device 0 answers. A note where a boot loader is known to
write the maps.
Why it matters: both devices' messages use one interrupt translation table: they get each other's interrupts.
Example: `msi-parent` on two bridges that both have bus 0, or two identity maps of the same buses.
What to do: give each bridge DeviceIDs of its own, by `msi.map`.
Source: Arm IHI0069 §5.2; Linux drivers/irqchip/irq-gic-v3-its.c, its_msi_prepare and its_create_device.
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
    filled_by_loader,
    shared,
)
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0407",
    name="device-id-of-two-bridges",
    level=Level.ERROR,
    requires=(
        "RPX0807",
        "RPX0806",
    ),
    covers=("LNX-23",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each pair of bridges with ids in common, by device tree or by IORT."""
    found: set[frozenset[str]] = set()
    for claims in (dt_claims(facts, "msi"), acpi_claims(facts, "msi")):
        for first, other, low, high in shared(claims, "its"):
            pair = frozenset((first.bridge, other.bridge))
            if pair not in found:
                found.add(pair)
                yield _finding(facts, first, other, low, high)


def _finding(facts: Facts, first: Claim, other: Claim, low: int, high: int) -> Finding:
    bridges = (first.bridge, other.bridge)
    maps = tuple(map_of(each, "msi-map") for each in bridges)
    ids = f"DeviceID {low:#x}" if low == high else f"DeviceIDs {low:#x}-{high:#x}"
    filled = facts.described is None and filled_by_loader(facts, bridges)
    return RULE.finding(
        other.at,
        f"{other.bridge} and {first.bridge} share {ids} of {other.name}",
        level=Level.NOTE if filled else None,
        related=[(first.at, f"the ids of {first.bridge}")],
        notes=["a boot loader is expected to give each bridge a map"] if filled else (),
        help="give each bridge DeviceIDs of its own, by 'msi.map'",
        subject=other.bridge,
        about=(*bridges, *maps),
        rests_on=maps,
    )
