"""property-misspelt

What it finds: a property of an enabled host bridge that nothing reads, and that differs by a letter or two
from one that would count and is not there.
Why it matters: it is passed over without a word, and what it should say is missing.
Example: `linux,pci_domain = <1>;`.
What to do: correct the name.
Source: the devicetree schema pci/pci-host-bridge.yaml (dtschema) for the names.
Sources that prove it: device tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.devicetree import MADE
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0625", name="property-misspelt", level=Level.WARNING, needs="artifacts")

READ = MADE - {"name", "phandle", "linux,phandle"}
OTHERS = {
    "interrupts", "interrupt-names", "interrupt-parent", "interrupt-controller", "msi-controller", "iommus",
    "#msi-cells", "linux,pci-domain", "external-facing", "interrupts-extended", "memory-region",
    "num-lanes", "max-link-speed", "clocks", "clock-names", "resets", "reset-names", "phys", "phy-names",
    "reset-gpios", "power-domains", "interconnects", "num-viewport", "clock-ranges", "label",
}  # fmt: skip
"""Names that are right too."""
CLOSE, CLOSEST = 0.85, 0.9
"""How alike two names are, of which the right one is not there; or is there as well."""


def check(facts: Facts) -> Iterator[Finding]:
    """Each such property."""
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        there = bridge.node.properties.keys()
        for property in bridge.node.properties:
            if property in MADE or property in OTHERS:
                continue
            plain = re.sub(r"[_.]", "-", property.lower())
            meant = get_close_matches(plain, sorted(READ - there), 1, CLOSE)
            meant = meant or get_close_matches(plain, sorted(READ & there), 1, CLOSEST)
            if meant:
                yield RULE.finding(
                    bridge.place(property),
                    f"nothing reads {property} of '{name}'",
                    help=f"did you mean {meant[0]}?",
                    subject=name,
                    about=(property_of(name, meant[0]),),
                )
