"""group-by-chance

What it finds: NVMe functions of which one gets a StreamID that they all have, on a kernel that groups when
drivers bind. A note; a warning where the boot device or a guest's is among them.
Why it matters: the driver probes them all at once, and the first to come has the IOMMU and a group: another
one from boot to boot. The others have none.
Example: two NVMe functions behind a PCIe-to-PCI bridge and an SMMUv3, with Linux 6.12 on a device tree.
What to do: put them behind ports of their own; or take a kernel that groups as devices are found (7.2).
Source: Linux drivers/nvme/host/pci.c, PROBE_PREFER_ASYNCHRONOUS; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c,
arm_smmu_insert_master.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, device_place
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0515", name="group-by-chance", level=Level.NOTE, needs="simulation")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for all of them, at the first."""
    outcome = booted(facts)
    found = [reason.function for reason in outcome.linux.ungrouped if reason.kind == "undetermined"]
    if not found:
        return
    names = [facts.device_name(function) for function in found]
    wanted = {page for guest in outcome.settings.guests for page in guest.pages} | {outcome.settings.boot}
    hurt = any(function.page in wanted for function in found)
    yield RULE.finding(
        device_place(facts, found[0]),
        f"which of these has a group is left to chance: {', '.join(names)}",
        level=Level.WARNING if hurt else None,
        related=[(device_place(facts, each), "this is one of them") for each in found[1:]],
        notes=[
            f"{outcome.settings.kernel} probes them all at once, and one gets the StreamID that they share"
        ],
        help="put them behind ports of their own, or take a kernel that groups as devices are found",
        subject=names[0],
    )
