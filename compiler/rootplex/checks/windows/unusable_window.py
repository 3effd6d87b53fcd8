"""unusable-window

What it finds: a window of size 0, or one whose CPU address does not come through the `ranges` of the buses
above (an error).
Why it matters: the kernel leaves it out without a word, and BARs that would lie in it find no place.
Example: a window of 256 MiB below a bus whose `ranges` hold 16 MiB.
What to do: correct the size, or widen the `ranges` above.
Source: Linux drivers/of/address.c, of_pci_range_parser_one, and drivers/pci/of.c,
devm_of_pci_get_host_bridge_resources.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0115",
    name="unusable-window",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0601", "RPX0604"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Windows of enabled bridges that the kernel skips."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        for window in bridge.windows:
            if not window.size:
                at, why, help = window.at_size, "has size 0", "write its size, or take it out"
            elif window.translation == "none":
                at, why = window.at_address, "is at no address of the CPU"
                help = "widen the ranges of the bus above, or correct the address"
            else:
                continue
            yield RULE.finding(
                at,
                f"the {window.space} window of '{name}' at {window.cpu_local:#x} {why}",
                level=Level.ERROR if window.size else Level.WARNING,
                notes=["the kernel leaves it out, and what would lie in it has no place"],
                help=help,
                subject=name,
                rests_on=(property_of(name, "ranges"),),
            )
