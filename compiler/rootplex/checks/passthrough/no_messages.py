"""no-messages

What it finds: a PCI Express device for a guest that has an interrupt and no MSI or MSI-X, or whose messages
reach no controller. An error where its pin is of no use either.
Why it matters: messages are mandatory for PCI Express; guests are given them first, and lines later or never.
Example: a guest's device with `pin: A` and neither `msi` nor `msix`; or on a host bridge without `msi`.
What to do: let the host bridge map its requester ids to an MSI controller; use a device with messages.
Source: PCI Express Base 6.0 §6.1.4 (MSI or MSI-X is required of a function that interrupts); xen.md §7.2,
what was discussed of interrupts in 2017.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, device_place, map_above, wish_place, wishes
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0510",
    name="no-messages",
    level=Level.WARNING,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0403", "RPX0407", "RPX0408", "RPX0614", "RPX0746", "RPX0807"),
    covers=("LNX-52",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Guests' devices without messages, but for those whose shared line is told already."""
    routed = booted(facts).intx
    for guest, view in wishes(facts):
        told = {each.function for each in view.shared_lines}
        for each in view.without_messages:
            function = each.function
            if function in told or not (each.has_capability or function.pin):
                continue
            if function.pcie_type is None and each.intx:
                continue
            name = facts.device_name(function)
            related: list[tuple[Place, str]] = [(device_place(facts, function), "it is described here")]
            notes = []
            if each.has_capability and each.route is not None:
                what = "its messages reach no controller"
                help_ = "map its requester id to an MSI controller"
                notes += [] if each.route.reason is None else [each.route.reason]
                if each.route.place is not None:
                    related.append((each.route.place, "this decides it"))
            else:
                what = "it has neither MSI nor MSI-X"
                help_ = "describe its 'msi' or 'msix', or use a device with messages"
            pin = routed.get(function)
            if pin is not None and not pin.is_routed:
                notes.append(f"its pin goes nowhere: {pin.reason}")
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"{name}, which guest {guest.name} is to have, cannot send messages: {what}",
                level=None if each.intx else Level.ERROR,
                related=related,
                notes=notes,
                help=help_,
                subject=name,
                rests_on=(name, map_above(facts, function, "msi-map")),
            )
