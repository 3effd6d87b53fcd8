"""interrupt-line-shared

What it finds: a guest's device whose interrupt pin ends on a line of other owners' devices: an error where
the device has no messages and cannot mask its pin, a warning where only another member of the line depends on
it.
Why it matters: a level interrupt that one owner does not serve blocks the line for all; Xen gives no security
support for it.
Example: a conventional card without MSI behind the same swizzled line as Dom0's disk.
What to do: move the device to a slot with a line of its own, use its MSI, or give all of the line to one
owner.
Source: Linux drivers/vfio/pci/vfio_pci_intrs.c, vfio_intx_set_signal; Xen SUPPORT.md, x86 PCI passthrough
(devices that share an interrupt line); xen.md §7.2, what was discussed of legacy interrupts in 2017.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import called, device_place, map_above, wish_place, wishes
from rootplex.simulator.groups.guests import SharedLine
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0509",
    name="interrupt-line-shared",
    level=Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0403", "RPX0407", "RPX0408", "RPX0614", "RPX0746", "RPX0807"),
    covers=("LNX-52", "XP-60"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Lines with members of several owners, of which one is the guest."""
    for guest, view in wishes(facts):
        needy = {each.function for each in view.without_messages}
        for shared in view.shared_lines:
            if shared.excusable and shared.function not in needy:
                continue
            function = shared.function
            if function.is_bridge:
                continue
            is_stuck = function in needy
            name = facts.device_name(function)
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"{name}, which guest {guest.name} is to have, shares its interrupt line with "
                f"{_others(facts, shared)}",
                level=Level.ERROR if is_stuck else Level.WARNING,
                related=[
                    (device_place(facts, function, "pin"), f"INT{'ABCD'[(function.pin - 1) & 3]}"),
                    *(
                        (device_place(facts, other, "pin"), called(facts, other))
                        for other, _ in shared.others
                    ),
                ],
                notes=[
                    f"the line is {_line(shared)}",
                    f"{name} has no MSI and no MSI-X that reach a controller"
                    if is_stuck
                    else "a member of the line has neither messages nor a pin that can be masked",
                ],
                help="give the device a line of its own or messages, or the whole line to one owner",
                subject=name,
                rests_on=(name, map_above(facts, function, "msi-map")) if is_stuck else (),
            )


def _line(shared: SharedLine) -> str:
    line = shared.line
    number = line.line if line.irq is None else line.irq
    return f"interrupt {number}" if line.controller is None else f"interrupt {number} of {line.controller}"


def _others(facts: Facts, shared: SharedLine) -> str:
    return ", ".join(
        f"{called(facts, function)} of {facts.host if owner is None else f'guest {owner}'}"
        for function, owner in shared.others
    )
