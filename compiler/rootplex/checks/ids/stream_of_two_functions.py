"""stream-of-two-functions

What it finds: two present functions with one StreamID at one SMMUv3.
Why it matters: Linux leaves the second without an IOMMU; Xen goes down when it is added.
Example: `iommu: {unit: smmu, mask: 0xff00}` and two functions on one bus.
What to do: let every requester id have a StreamID of its own.
Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master; Xen
xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_write_strtab_ent (the BUG).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import map_above
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0406",
    name="stream-of-two-functions",
    level=Level.ERROR,
    needs="simulation",
    requires=("RPX0405", "RPX0806"),
    covers=("LNX-22", "XP-33"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each later function whose StreamID is taken."""
    outcome = facts.outcome
    if outcome is None or not outcome.settings.iommu:
        return
    seen: dict[tuple[str, int], Function] = {}
    for function, streams in outcome.streams.items():
        own = streams.own
        if own.unit is None or own.id is None or own.unit.kind != "smmu-v3":
            continue
        first = seen.setdefault((own.unit.name, own.id), function)
        if first is function:
            continue
        name, taken = facts.device_name(function), facts.device_name(first)
        other = outcome.streams[first].own.place
        yield RULE.finding(
            own.place or own.unit.place,
            f"'{name}' has the StreamID of '{taken}', {own.id:#x}",
            related=[] if other is None else [(other, f"'{taken}' gets it here")],
            notes=(f"they are {function.sbdf} and {first.sbdf}",),
            help="let every requester id have a StreamID of its own",
            subject=name,
            rests_on=(name, map_above(facts, function, "iommu-map")),
        )
