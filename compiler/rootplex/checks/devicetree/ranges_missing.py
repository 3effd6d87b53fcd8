"""ranges-missing

What it finds: a host bridge without `ranges`, or with an empty one, which lists no window: an enabled one
(of a description, one that has windows), and with today's Arm port of Xen any of device_type "pci" that has
none, disabled ones too (an error).
Why it matters: without windows no BAR can be placed. Today's port panics while it builds Dom0 (-EINVAL); an
empty `ranges` does not stop it.
Example: `dt: {properties: {ranges: false}}`.
What to do: describe the windows.
Source: Xen xen/common/device-tree/device-tree.c, dt_for_each_range, called by xen/arch/arm/device.c,
map_device_children; Linux drivers/of/address.c, of_pci_range_parser_init.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0603",
    name="ranges-missing",
    level=Level.WARNING,
    needs="artifacts",
    covers=("XP-23",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges without windows at all."""
    on = {bridge.path for bridge in enabled_bridges(facts)}
    for bridge in facts.dt_bridges:
        port = xen_probes(facts) and bridge.device_type == "pci" and bridge.ranges == "absent"
        if bridge.ranges == "entries" or not (bridge.path in on or port):
            continue
        name = name_of(facts, bridge.path)
        described = facts.described_bridge(name)
        if described is not None and not described.windows and not port:
            continue
        yield RULE.finding(
            bridge.place(None if bridge.ranges == "absent" else "ranges"),
            f"'{name}' has no ranges" if bridge.ranges == "absent" else f"the ranges of '{name}' are empty",
            level=Level.ERROR if port else Level.WARNING,
            notes=["Xen panics over it while it builds Dom0"] if port else ["no BAR below can be placed"],
            help="describe the windows",
            subject=name,
            about=(name, property_of(name, "ranges")),
        )
