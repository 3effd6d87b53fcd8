"""bus-range-cells

What it finds: a `bus-range` that runs backwards, ends beyond 0xff, or is not two cells.
Why it matters: every reader makes something else of it: Linux refuses a reversed range (-EINVAL), takes
0-0xff for a short one, and cuts an end beyond 0xff to 0xff (7.2) or to first + 0xff (6.12 and before); Xen
keeps the low 8 bits of each cell.
Example: `dt: {properties: {bus-range: [0x10, 0x1ff]}}`.
What to do: write first and last bus, from 0 to 0xff.
Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources, and drivers/pci/ecam.c,
pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c, pci_generic_init_bus_range.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0210",
    name="bus-range-cells",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-15", "XP-11", "XP-12"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bus ranges of enabled bridges that hold no buses."""
    for bridge in enabled_bridges(facts):
        name, cells = name_of(facts, bridge.path), bridge.bus_range
        if cells is None:
            continue
        notes: list[str] = []
        level = Level.ERROR
        if len(cells) != 2 or len(bridge.node.properties["bus-range"]) != 8:
            message = f"the bus-range of '{name}' has {len(bridge.node.properties['bus-range'])} bytes, not 8"
            if len(cells) >= 2:
                level = Level.WARNING
            else:
                notes.append("it is taken as 0-0xff")
        elif cells[0] > cells[1]:
            message = f"the bus-range of '{name}' runs backwards, from {cells[0]:#x} to {cells[1]:#x}"
        elif cells[1] > 0xFF:
            message = f"the bus-range of '{name}' ends at {cells[1]:#x}, beyond 0xff"
            if facts.hypervisor is not None:
                notes.append(f"Xen takes it as {cells[0] & 0xFF:#x}-{cells[1] & 0xFF:#x}")
        else:
            continue
        yield RULE.finding(
            bridge.place("bus-range"),
            message,
            level=level,
            notes=notes,
            help="write the first and the last bus, from 0 to 0xff",
            subject=name,
        )
