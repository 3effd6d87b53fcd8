"""config-space-size

What it finds: a configuration space whose size is not that of the bus range: 1 MiB a bus for ECAM, 64 KiB for
CAM. Only bridges whose compatible says that they are laid out so are looked at; DesignWare and other windowed
bridges have no such rule.
Why it matters: too small, and the kernel trims: the buses behind the end can be given to bridges, but nothing
answers there. Today's Arm port of Xen does not trim: the first device beyond faults Xen itself (then an
error). Too large is harmless for the kernel (a note); today's port routes the surplus nowhere (a warning).
Example: `bus_range: [0, 0xff]` with a configuration space of 16 MiB.
What to do: write the size of the bus range, or the bus range of the size.
Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/ecam.c, pci_ecam_map_bus (no check of
the size).
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
    xen_bridges,
)
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0108",
    name="config-space-size",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0625",),
    covers=("LNX-10", "XP-13", "XP-14"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges whose configuration space holds more or fewer buses than they have."""
    driven = {bridge.path for bridge, _ in xen_bridges(facts)} if xen_probes(facts) else set()
    other_kind = windowed_by_description(facts)
    for bridge in enabled_bridges(facts):
        reg, unit, buses = config_space(bridge), config_layout(bridge), bridge.buses
        if reg is None or unit is None or buses is None or not reg.size or reg.size == buses.count * unit:
            continue
        name = name_of(facts, bridge.path)
        if name in other_kind or (reg.size > buses.count * unit and reg.size % unit):
            continue
        count = buses.count
        held = reg.size // unit
        in_xen = bridge.path in driven
        if held < count:
            level = Level.ERROR if in_xen else Level.WARNING
            answering = f"only {buses.first:#x}-{buses.first + held - 1:#x}" if held else "none of them"
            notes = [f"of buses {buses.first:#x}-{buses.last:#x} {answering} can answer"]
        else:
            level = Level.WARNING if in_xen else Level.NOTE
            notes = [f"buses {buses.first:#x}-{buses.last:#x} need {count * unit:#x}"]
        at = bridge.place("bus-range") if bridge.bus_range is not None else reg.place
        yield RULE.finding(
            reg.at_size,
            f"the configuration space of '{name}' has room for {held} of {count} buses"
            if held < count
            else f"the configuration space of '{name}' is larger than its {count} buses need",
            level=level,
            related=[(at, "the bus range is here")],
            notes=notes,
            help=f"for these buses the size is {count * unit:#x}",
            subject=name,
            rests_on=(property_of(name, "bus-range"),),
        )
