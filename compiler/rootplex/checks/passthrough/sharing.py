"""What a guest's device shares with others: pages, interrupt lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted, called, device_place, map_above, wish_place, wishes
from rootplex.report.causes import because
from rootplex.simulator.function import Bar, Function
from rootplex.simulator.groups.guests import SharedLine
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

PAGE = 12


OWN_BARS = 6
"""Of a physical function's resources those up to here are its own; its VFs have the others."""


def pages_of(bar: Bar) -> range:
    """The 4 KiB pages that a placed memory BAR touches."""
    if bar.cpu is None or bar.space == "io" or not bar.size or bar.index > OWN_BARS:
        return range(0)
    return range(bar.cpu >> PAGE, (bar.cpu + bar.size - 1 >> PAGE) + 1)


@check("RPX0508", Level.WARNING, needs="simulation", covers=("XP-58",))
def bar_page_shared(facts: Facts) -> Iterator[Finding]:
    """What it finds: a BAR of a guest's device in the same 4 KiB page as one of another owner's.
    Why it matters: a guest is given whole pages: it would reach registers of the other device.
    Example: two functions with BARs of 256 bytes that are placed one after the other.
    What to do: give both devices to one owner, or let each have BARs of at least 4 KiB.
    Source: Xen SUPPORT.md, x86 PCI passthrough (devices that share a page); Linux
    drivers/vfio/pci/vfio_pci_core.c, vfio_pci_probe_mmaps.
    """
    # One finding for a guest's device and the other function.
    everywhere = _by_page(booted(facts).dom0.functions)
    owners = {function: guest.name for guest, view in wishes(facts) for function in view.functions}
    for guest, view in wishes(facts):
        for function in view.functions:
            told: set[Function] = set()
            for bar in function.bars:
                for other, page in _beside(bar, everywhere):
                    if other is function or other in told or owners.get(other) == guest.name:
                        continue
                    told.add(other)
                    yield bar_page_shared.rule.finding(
                        device_place(facts, function, "bars"),
                        f"BAR {bar.index} of {called(facts, function)}, which guest {guest.name} is to have, "
                        f"shares a 4 KiB page with {called(facts, other)}",
                        related=[(device_place(facts, other, "bars"), "the other one's BARs")],
                        notes=[f"the page is at {page << PAGE:#x}"],
                        help="give both to one owner, or let each have BARs of at least 4 KiB",
                        subject=facts.device_name(function),
                    )


def _by_page(functions: Iterable[Function]) -> dict[int, list[Function]]:
    """The first and last page of each BAR, with the functions there."""
    found: dict[int, list[Function]] = {}
    for function in functions:
        for bar in function.bars:
            pages = pages_of(bar)
            for page in {pages[0], pages[-1]} if len(pages) else ():
                found.setdefault(page, []).append(function)
    return found


def _beside(bar: Bar, everywhere: dict[int, list[Function]]) -> Iterator[tuple[Function, int]]:
    pages = pages_of(bar)
    for page in sorted({pages[0], pages[-1]}) if len(pages) else ():
        yield from ((other, page) for other in everywhere[page])


@check(
    "RPX0509",
    Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0403", "RPX0407", "RPX0408", "RPX0614", "RPX0746", "RPX0807"),
    covers=("LNX-52", "XP-60"),
)
def interrupt_line_shared(facts: Facts) -> Iterator[Finding]:
    """What it finds: a guest's device whose interrupt pin ends on a line of other owners' devices: an error
    where the device has no messages and cannot mask its pin, a warning where only another member of the line
    depends on it.
    Why it matters: a level interrupt that one owner does not serve blocks the line for all; Xen gives no
    security support for it.
    Example: a conventional card without MSI behind the same swizzled line as Dom0's disk.
    What to do: move the device to a slot with a line of its own, use its MSI, or give all of the line to one
    owner.
    Source: Linux drivers/vfio/pci/vfio_pci_intrs.c, vfio_intx_set_signal; Xen SUPPORT.md, x86 PCI passthrough
    (devices that share an interrupt line); xen.md §7.2, what was discussed of legacy interrupts in 2017.
    """
    # Lines with members of several owners, of which one is the guest.
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
            yield interrupt_line_shared.rule.finding(
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


@check(
    "RPX0510",
    Level.WARNING,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0403", "RPX0407", "RPX0408", "RPX0614", "RPX0746", "RPX0807"),
    covers=("LNX-52",),
)
def no_messages(facts: Facts) -> Iterator[Finding]:
    """What it finds: a PCI Express device for a guest that has an interrupt and no MSI or MSI-X, or whose
    messages reach no controller. An error where its pin is of no use either.
    Why it matters: messages are mandatory for PCI Express; guests are given them first, and lines later or
    never.
    Example: a guest's device with `pin: A` and neither `msi` nor `msix`; or on a host bridge without `msi`.
    What to do: let the host bridge map its requester ids to an MSI controller; use a device with messages.
    Source: PCI Express Base 6.0 §6.1.4 (MSI or MSI-X is required of a function that interrupts); xen.md §7.2,
    what was discussed of interrupts in 2017.
    """
    # Those whose shared line is told already are left out.
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
                notes += [] if each.route.cause is None else [because(each.route.cause)]
                if each.route.place is not None:
                    related.append((each.route.place, "this decides it"))
            else:
                what = "it has neither MSI nor MSI-X"
                help_ = "describe its 'msi' or 'msix', or use a device with messages"
            pin = routed.get(function)
            if pin is not None and pin.cause is not None:
                notes.append(f"its pin goes nowhere: {because(pin.cause)}")
            yield no_messages.rule.finding(
                wish_place(facts, guest, function),
                f"{name}, which guest {guest.name} is to have, cannot send messages: {what}",
                level=None if each.intx else Level.ERROR,
                related=related,
                notes=notes,
                help=help_,
                subject=name,
                rests_on=(name, map_above(facts, function, "msi-map")),
            )
