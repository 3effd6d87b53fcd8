"""probe-only-in-node

What it finds: `linux,pci-probe-only` in a host bridge's node where `/chosen` does not have it, and one that
is empty or short.
Why it matters: in the node it keeps the BARs of that bridge, but bus numbers are given anew all the same, and
kernels up to 6.1 do not read it there at all. An empty one counts for nothing.
Example: `preserve_boot_config: true` on one of two bridges.
What to do: ask for it on every bridge, so that it stands in /chosen.
Source: Linux drivers/pci/of.c, of_pci_preserve_config and of_pci_check_probe_only.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0214",
    name="probe-only-in-node",
    level=Level.WARNING,
    needs="artifacts",
    covers=("LNX-59",),
)

PROPERTY = "linux,pci-probe-only"


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges that ask for less than they seem to."""
    everywhere = facts.dt is not None and bool(facts.dt.platform.chosen.probe_only)
    for bridge in enabled_bridges(facts):
        if PROPERTY not in bridge.node.properties or everywhere:
            continue
        name = name_of(facts, bridge.path)
        if bridge.probe_only is None:
            message, note = f"{PROPERTY} of '{name}' has no value", "it is ignored"
        elif bridge.probe_only:
            message = f"{PROPERTY} of '{name}' keeps BARs, but not bus numbers"
            note = "/chosen does not have it"
        else:
            continue
        yield RULE.finding(
            bridge.place(PROPERTY),
            message,
            notes=[note],
            help="ask for it on every bridge, so that it stands in /chosen",
            subject=name,
        )
