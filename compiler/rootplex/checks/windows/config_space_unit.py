"""config-space-unit

What it finds: an ECAM of size 0 (an error), or of a size that is not a whole number of buses, 1 MiB each.
Why it matters: the kernel cannot claim a space of size 0, and the bridge fails. Today's Arm port of Xen stops
at an assertion over it while it builds Dom0; of a bus that is there in part, the rest faults Xen (then an
error, too).
Example: `dt: {properties: {reg: [0x40, 0x10000000, 0, 0]}}`.
What to do: write the bus range's size: buses × 1 MiB.
Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/device.c, map_range_to_domain.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import (
    config_layout,
    config_space,
    enabled_bridges,
    name_of,
    windowed_by_description,
)
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0109",
    name="config-space-unit",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0108",),
    covers=("XP-15",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges whose configuration space is empty or ends within a bus."""
    for bridge in enabled_bridges(facts):
        reg, unit = config_space(bridge), config_layout(bridge)
        if reg is None or unit is None or (reg.size and reg.size % unit == 0):
            continue
        name = name_of(facts, bridge.path)
        if name in windowed_by_description(facts):
            continue
        what = "is empty" if not reg.size else f"ends {reg.size % unit:#x} bytes into a bus"
        yield RULE.finding(
            reg.place,
            f"the configuration space of '{name}' {what}",
            level=Level.ERROR if not reg.size or xen_probes(facts) else Level.WARNING,
            notes=[f"a bus has {unit:#x} bytes of configuration space"],
            help="write the size of the bus range",
            subject=name,
        )
