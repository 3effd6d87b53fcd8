"""config-space-not-ecam

What it finds: an enabled host bridge of a given device tree whose configuration space is reached through
registers, so that it is not ECAM.
Why it matters: Xen cannot map it; every access has to be forwarded to Dom0, or Xen needs a driver for it.
There is no fault in that: it is a note, and no other check of sizes or buses applies to the bridge.
Example: `compatible = "brcm,bcm2711-pcie"`.
What to do: nothing, but do not look for an ECAM that is not there.
Source: linux.md §1.13, which lists the drivers of Linux drivers/pci/controller/ by kind.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0119",
    name="config-space-not-ecam",
    level=Level.NOTE,
    needs="artifacts",
    only="undescribed",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Windowed bridges, unless their own description says that they are."""
    for bridge in enabled_bridges(facts):
        if bridge.controller is not None and bridge.controller.layout == "windowed":
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.place("compatible"),
                f"the configuration space of '{name}' is no ECAM: it is reached through registers",
                notes=[f"the driver of {bridge.controller.compatible} is {bridge.controller.driver}"],
                subject=name,
            )
