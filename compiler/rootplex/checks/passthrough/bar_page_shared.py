"""bar-page-shared

What it finds: a BAR of a guest's device in the same 4 KiB page as one of another owner's.
Why it matters: a guest is given whole pages: it would reach registers of the other device.
Example: two functions with BARs of 256 bytes that are placed one after the other.
What to do: give both devices to one owner, or let each have BARs of at least 4 KiB.
Source: Xen SUPPORT.md, x86 PCI passthrough (devices that share a page); Linux
drivers/vfio/pci/vfio_pci_core.c, vfio_pci_probe_mmaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, called, device_place, wishes
from rootplex.simulator.function import Bar, Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0508",
    name="bar-page-shared",
    level=Level.WARNING,
    needs="simulation",
    covers=("XP-58",),
)

PAGE = 12


OWN_BARS = 6
"""Of a physical function's resources those up to here are its own; its VFs have the others."""


def pages_of(bar: Bar) -> range:
    """The 4 KiB pages that a placed memory BAR touches."""
    if bar.cpu is None or bar.space == "io" or not bar.size or bar.index > OWN_BARS:
        return range(0)
    return range(bar.cpu >> PAGE, (bar.cpu + bar.size - 1 >> PAGE) + 1)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a guest's device and other function with which it shares a page."""
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
                    yield RULE.finding(
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
