"""window-space

What it finds: a window whose space type cannot be: 32-bit memory or I/O that reaches beyond 4 GiB on the PCI
side, or the type of configuration space, where the driver reads no such entry.
Why it matters: a reader that believes the type cuts the addresses to 32 bits. Of memory Linux drops the
distinction (a warning), so a test with Linux alone does not show the fault; I/O has no more than 32 bits. An
entry of configuration type is no window at all.
Example: `{space: mem32, pci: 0x40_0000_0000, size: 4GiB, prefetchable: true}` (0x42000000 for 0x43000000).
What to do: make it `mem64`.
Source: PCI Bus Binding to IEEE 1275 §2.2.1.1 (phys.hi); Linux drivers/of/address.c, of_bus_pci_get_flags.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import part_of
from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.address import DtWindow
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0113",
    name="window-space",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601", "RPX0804"),
    covers=("LNX-19",),
)

GIB_4 = 1 << 32
NARROW = {"io": "an I/O window", "mem32": "a 32-bit memory window"}


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges with such windows: one finding for all that are too narrow."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        narrow = [window for window in bridge.windows if _is_too_narrow(window)]
        if narrow:
            window, *more = narrow
            parts = [part_of("window", name, each.cpu) for each in narrow if each.cpu is not None]
            yield RULE.finding(
                window.place,
                f"'{name}' has {NARROW[window.space]} at {_span(window)}, beyond 4 GiB",
                level=Level.ERROR if any(each.space == "io" for each in narrow) else Level.WARNING,
                notes=[
                    *[f"the first cell is {window.phys_hi:#010x}"] * (facts.described is None),
                    *["Linux takes memory of either width alike"] * (window.space == "mem32"),
                    *(f"so it is with {NARROW[each.space]} at {_span(each)}" for each in more),
                ],
                help="give it the 64-bit memory type (0x03000000 in the first cell)"
                if facts.described is None
                else "write 'space: mem64', or addresses that end below 4 GiB",
                subject=name,
                about=(name, *parts),
                rests_on=(property_of(name, "ranges"), *parts),
            )
        generic = bridge.controller is not None and bridge.controller.driver == "pci-host-generic"
        for window in bridge.windows if generic else ():
            if window.space == "config":
                yield RULE.finding(
                    window.place,
                    f"'{name}' lists configuration space among its windows",
                    notes=[f"the first cell is {window.phys_hi:#010x}: space 0"],
                    help="take the entry out; configuration space stands in reg",
                    subject=name,
                    rests_on=(property_of(name, "ranges"),),
                )


def _is_too_narrow(window: DtWindow) -> bool:
    # mvebu's child addresses are (port, address) pairs, not PCI addresses of 64 bits
    beyond = window.pci + window.size > GIB_4
    return window.space in NARROW and window.translation != "mbus" and beyond


def _span(window: DtWindow) -> str:
    return f"{window.pci:#x}-{window.pci + window.size - 1:#x}"
