"""group-unsafe

What it finds: a guest's devices that form whole groups of Linux and are still not safe without others:
downstream ports of a switch that let requests through to each other, ACS bits that a port does not offer, a
port without a group of its own.
Why it matters: requests between the devices never come to the IOMMU, whatever the kernel's groups say.
Example: two cards below downstream ports without ACS on device numbers 0 and 1: up to 7.2 Linux gives each a
group.
What to do: give the guest what belongs together, or use ports with Source Validation, Request Redirect,
Completion Redirect and Upstream Forwarding on.
Source: PCI Express Base 6.0 §6.12 (ACS); Linux drivers/iommu/iommu.c, pci_device_group; linux.md §5.8; xen.md
§10, the safe partition.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.passthrough.group_not_whole import others
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, chain, reason_places, wish_place, wishes
from rootplex.simulator.groups.guests import GuestView, Neighbour
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0507",
    name="group-unsafe",
    level=Level.WARNING,
    needs="simulation",
    covers=("LNX-50", "XP-55", "XP-57"),
)

TOLD_ELSEWHERE = {"bar-page", "stream", "isolated"}
"""Reasons with findings of their own."""


def check(facts: Facts) -> Iterator[Finding]:
    """What is together in the safe partition, and not in Linux's; without an IOMMU there is nothing
    to be safe about."""
    if not booted(facts).settings.iommu:
        return
    for guest, view in wishes(facts):
        beside = _beyond_linux(view)
        groups = {each.group.id: each.group for each in beside}
        for group in groups.values():
            if {reason.kind for reason in group.reasons} <= TOLD_ELSEWHERE:
                continue
            own = next((function for function in view.functions if function in group.members), None)
            if own is None:
                continue
            members = [each for each in beside if each.group is group]
            yield RULE.finding(
                wish_place(facts, guest, own),
                f"{facts.device_name(own)} goes to guest {guest.name} by Linux's groups, "
                f"and {others(facts, members)} not safely apart from it",
                related=reason_places(facts, group.reasons),
                notes=chain(group.reasons),
                help="give the guest what belongs together, or switch ACS on where the notes say",
                subject=facts.device_name(own),
            )


def _beyond_linux(view: GuestView) -> list[Neighbour]:
    known = {each.function for each in view.neighbours}
    return [each for each in view.safe_neighbours if each.harmless is None and each.function not in known]
