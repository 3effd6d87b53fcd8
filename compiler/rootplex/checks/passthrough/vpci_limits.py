"""vpci-limits

What it finds: with vPCI on, guests' devices that it cannot carry: a function other than 0, more than 32
devices, a BAR smaller than a page, a BAR that is not inside one window of its host bridge.
Why it matters: Xen refuses the device, or leaves its BAR unmapped.
Example: `xen: {vpci: true, guests: [{name: g, devices: [port1]}]}` where port1 is function 1 of its card.
What to do: give the guest function 0, or switch vPCI off.
Source: Xen xen/drivers/vpci/vpci.c, vpci_assign_device; xen/arch/arm/pci/pci-host-common.c, pci_check_bar.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, bridge_place, called, device_place, root_of, wish_place, wishes
from rootplex.model.platform import Guest
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0513",
    name="vpci-limits",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    covers=("XP-58", "XP-62"),
)

SLOTS = 32
PAGE = 4096


def check(facts: Facts) -> Iterator[Finding]:
    """What guests are to have, against vPCI's rules; today's x86 has no vPCI for guests."""
    settings = booted(facts).settings
    if not settings.vpci or settings.arch != "arm64":
        return
    for guest, view in wishes(facts):
        for index, function in enumerate(view.functions):
            at = wish_place(facts, guest, function)
            if index == SLOTS:
                yield RULE.finding(
                    at,
                    f"guest {guest.name} is to have {len(view.functions)} devices of the {SLOTS} of vPCI",
                    help=f"give it at most {SLOTS}",
                    subject=guest.name,
                )
            if function.devfn & 7:
                yield RULE.finding(
                    at,
                    f"{called(facts, function)}, which guest {guest.name} is to have, is not a function 0",
                    related=[(device_place(facts, function, "fn"), f"function {function.devfn & 7}")],
                    notes=["vPCI gives guests functions 0 alone (-EOPNOTSUPP)"],
                    help="give the guest function 0, or switch vPCI off",
                    subject=facts.device_name(function),
                )
            yield from _bars(facts, guest, function)


def _bars(facts: Facts, guest: Guest, function: Function) -> Iterator[Finding]:
    root = root_of(facts, function)
    for bar in function.bars:
        if bar.space == "io" or bar.cpu is None or bar.index > 5:
            continue
        start, end = bar.cpu & -PAGE, bar.cpu + bar.size + PAGE - 1 & -PAGE
        fits = any(w.space == "mem" and w.cpu <= start and end <= w.cpu + w.size for w in root.windows)
        if bar.size < PAGE:
            what = f"has {bar.size:#x} bytes, less than a page"
        elif not fits:
            what = "is not inside one window of its host bridge"
        else:
            continue
        yield RULE.finding(
            device_place(facts, function, "bars"),
            f"BAR {bar.index} of {called(facts, function)}, which guest {guest.name} is to have, {what}",
            related=[] if fits else [(bridge_place(facts, root, "windows"), "the windows")],
            help="a guest is given whole pages: use BARs of at least 4 KiB inside one window",
            subject=facts.device_name(function),
        )
