"""port-in-group

What it finds: a port, bridge or host bridge function in the group of a guest's device. A note.
Why it matters: it stays in Dom0, and VFIO and Xen accept that; but it shows that the device is not alone
behind it.
Example: a card below a root port without ACS.
What to do: nothing, as long as nothing else comes below the port; ACS on the port takes it out of the group.
Source: Linux drivers/iommu/iommu.c, iommu_device_claim_dma_owner; drivers/pci/pcie/portdrv.c, whose
driver_managed_dma lets a port stay (portdrv_pci.c in 6.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import called, chain, reason_places, wish_place, wishes
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0506", name="port-in-group", level=Level.NOTE, needs="simulation")


def check(facts: Facts) -> Iterator[Finding]:
    """One note a guest and group."""
    for guest, view in wishes(facts):
        for group in view.groups:
            ports = [each for each in view.neighbours if each.group is group and each.harmless is not None]
            own = next((function for function in view.functions if function in group.members), None)
            if not ports or own is None:
                continue
            names = ", ".join(called(facts, each.function) for each in ports)
            yield RULE.finding(
                wish_place(facts, guest, own),
                f"the group of {facts.device_name(own)} holds {names}, which can stay in {facts.host}",
                related=reason_places(facts, group.reasons),
                notes=chain(group.reasons),
                subject=facts.device_name(own),
            )
