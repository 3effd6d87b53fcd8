"""bus-range-missing

What it finds: an enabled host bridge without `bus-range`.
Why it matters: 0-0xff is taken. There is no fault in that where the bridge is alone in its segment; the note
tells where the range comes from that other checks speak of.
Example: `dt: {properties: {bus-range: false}}`.
What to do: nothing, or write the range.
Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources; Xen xen/arch/arm/pci/pci-host-common.c,
pci_generic_init_bus_range.
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
    code="RPX0211",
    name="bus-range-missing",
    level=Level.NOTE,
    needs="artifacts",
    requires=("RPX0625",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges that do not say which buses they have."""
    for bridge in enabled_bridges(facts):
        if bridge.bus_range is None:
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.place(),
                f"'{name}' has no bus-range",
                notes=["buses 0-0xff are taken"],
                subject=name,
                rests_on=(property_of(name, "bus-range"),),
            )
