"""dom0-device-in-group

What it finds: the boot device or a console of Dom0 in a guest's list, or in the group of a guest's device.
Why it matters: with the group Dom0 loses what it runs from.
Example: `boot: {device: disk}` where disk is below the same port without ACS as the guest's card.
What to do: move the guest's device to a port of its own, or boot from another device.
Source: Linux drivers/iommu/iommu.c, iommu_device_claim_dma_owner; Xen xen/drivers/passthrough/pci.c,
assign_device (no check).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import called, chain, device_place, reason_places, wish_place, wishes
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0505",
    name="dom0-device-in-group",
    level=Level.ERROR,
    needs="simulation",
    covers=("LNX-53", "XP-59"),
)

CONSOLE_CLASSES = {0x0700: "a serial controller", 0x0300: "a VGA controller"}
"""Class and subclass of what Dom0's console can be."""


def role_of(facts: Facts, function: Function) -> str | None:
    """What Dom0 needs a function for, in words; None: for nothing. A controller that could be a
    console counts only where no guest is to have it."""
    described = facts.described
    name = facts.pages.get(function.page)
    if described is None:
        return None
    if described.boot is not None and name == described.boot.device:
        return "the boot device"
    kind = CONSOLE_CLASSES.get(function.class_code >> 8)
    wished = {device for guest in described.xen.guests for device in guest.devices}
    return f"a console of {facts.host}'s ({kind})" if kind is not None and name not in wished else None


def check(facts: Facts) -> Iterator[Finding]:
    """Guests' wishes, and the groups that come with them."""
    for guest, view in wishes(facts):
        for function in view.functions:
            role = role_of(facts, function)
            if role is not None:
                yield RULE.finding(
                    wish_place(facts, guest, function),
                    f"guest {guest.name} is to have {called(facts, function)}, {role}",
                    related=[(device_place(facts, function), "it is described here")],
                    help=f"leave it to {facts.host}",
                    subject=facts.device_name(function),
                )
        for each in view.blockers:
            role = role_of(facts, each.function)
            own = next((function for function in view.functions if function in each.group.members), None)
            if role is None or own is None:
                continue
            yield RULE.finding(
                wish_place(facts, guest, own),
                f"{called(facts, each.function)}, {role}, is in the group of "
                f"{facts.device_name(own)}, which guest {guest.name} is to have",
                related=[
                    (device_place(facts, each.function), f"this is {role}"),
                    *reason_places(facts, each.group.reasons),
                ],
                notes=chain(each.group.reasons),
                help=f"separate them where the notes say, or leave the group to {facts.host}",
                subject=facts.device_name(own),
            )
