"""bus-range-differs

What it finds: a host bridge with another bus range by device tree than by `_CRS`.
Why it matters: a device on a bus that only one has is found by one firmware only. MCFG may be wider than
both.
Example: `bus-range` 0-0xff, `_CRS` 0-0x7f.
What to do: write the same range.
Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources, and drivers/acpi/pci_root.c,
try_get_root_bridge_busnr.
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0803",
    name="bus-range-differs",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0756",),
    covers=("LNX-09",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge with two ranges."""
    for joined, dt, acpi in both(facts):
        tree, theirs = dt.buses, acpi.buses
        if theirs is None or tree is None or tree == theirs:
            continue
        at, related = blamed_side(
            facts,
            joined,
            "bus_range",
            (dt.place("bus-range" if dt.bus_range else None), f"the device tree has {tree}"),
            (acpi.buses_at, f"_CRS has {theirs}"),
        )
        yield RULE.finding(
            at,
            f"{joined.name} has buses {tree} by device tree and {theirs} by _CRS",
            related=related,
            help="write the same range",
            subject=joined.name,
            about=with_maps(joined.name),
        )
