"""no-group

What it finds: a guest's device without an IOMMU group: nothing translates it, its driver refuses it, or the
IOMMU is off.
Why it matters: what no IOMMU translates reaches all of memory; VFIO does not take it, and Xen has no domain
to put it in.
Example: a guest's device on a host bridge without `iommu`.
What to do: translate the requester ids of the device, all its aliases included, each to a StreamID of its
own.
Source: Linux drivers/iommu/iommu.c, iommu_probe_device; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c,
arm_smmu_insert_master (a second device of one StreamID).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, called, device_place, map_above, wish_place, wishes
from rootplex.report.reasons import sentence
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

NO_STREAM = (
    "RPX0402", "RPX0404", "RPX0405", "RPX0406", "RPX0409", "RPX0605", "RPX0606", "RPX0611", "RPX0612",
    "RPX0613", "RPX0731", "RPX0763", "RPX0806", "RPX0904",
)  # fmt: skip
"""What else tells that the device has no stream, or not one of its own."""

RULE = Rule(
    code="RPX0503",
    name="no-group",
    level=Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, *NO_STREAM, "RPX0901", "RPX0903"),
    covers=("LNX-51", "XP-56"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Guests' devices that are in no group of Dom0's."""
    outcome = booted(facts)
    for guest, view in wishes(facts):
        for function in view.ungrouped:
            reason = next((each for each in outcome.linux.ungrouped if each.function is function), None)
            streams = outcome.streams.get(function)
            related: list[tuple[Place, str]] = [(device_place(facts, function), "the device is here")]
            if streams is not None and streams.place is not None and streams.unit is None:
                related.append((streams.place, "this decides it"))
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"{called(facts, function)}, which guest {guest.name} is to have, has no IOMMU group",
                related=related,
                notes=[] if reason is None else [sentence(reason)],
                help="let one IOMMU of its segment take its requester ids"
                if facts.arch == "x86_64"
                else "map its requester ids, each to a StreamID of its own",
                subject=facts.device_name(function),
                rests_on=(
                    facts.device_name(function),
                    map_above(facts, function, "iommu-map"),
                ),
            )
