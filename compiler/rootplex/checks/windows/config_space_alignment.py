"""config-space-alignment

What it finds: ECAM that does not start on a bus, that is, on 1 MiB (off a 4 KiB page it is an error), or ECAM
of all 256 buses that is not aligned to 256 MiB. In MCFG the base of bus 0 counts. With a controller that has
special cases it is a note: some filter devices that way.
Why it matters: hardware puts bus, device and function numbers in place of address bits, so a base off that
boundary cannot be right; today's Xen takes the register from the low 12 bits of the address and finds
nothing.
Example: `config: {base: 0x4010_0100}`.
What to do: correct the base; an odd one is most often a slip of a digit.
Source: PCI Express Base 6.0 §7.2.2; Xen xen/arch/arm/vpci.c, vpci_mmio_read.
Sources that prove it: device tree, MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import config_layout, config_space, enabled_bridges, name_of
from rootplex.checks.causes import base_of, with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0110",
    name="config-space-alignment",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-12", "XP-16"),
)

PAGE, BUS, ALL_BUSES = 1 << 12, 1 << 20, 256


def check(facts: Facts) -> Iterator[Finding]:
    """Bases that hardware could not decode."""
    for bridge in enabled_bridges(facts):
        reg, unit = config_space(bridge), config_layout(bridge)
        if reg is None or reg.cpu is None or unit is None:
            continue
        special = bridge.controller is not None and bridge.controller.layout == "quirk"
        usual = Level.NOTE if special else Level.WARNING
        name = name_of(facts, bridge.path)
        # a range that says more buses than there is room for says nothing of alignment
        count = min(0 if bridge.buses is None else bridge.buses.count, reg.size // unit)
        yield from _base(reg.cpu, unit, count, (name,), reg.place, usual)
    mcfg = facts.tables.mcfg
    for entry in () if mcfg is None else mcfg.entries:
        owner = next((each.name for each in facts.bridges if entry in each.mcfg), f"segment {entry.segment}")
        count = entry.end_bus - entry.start_bus + 1
        about = (owner, base_of(entry.segment, entry.base))
        yield from _base(entry.base, BUS, count, about, entry.place, Level.WARNING)


def _base(
    base: int, unit: int, count: int, about: tuple[str, ...], at: Place, usual: Level
) -> Iterator[Finding]:
    """Of the configuration space of the first that it is about."""
    wanted = unit * ALL_BUSES if count == ALL_BUSES else unit
    if base % wanted == 0:
        return
    wanted = unit if base % unit else wanted
    yield RULE.finding(
        at,
        f"the configuration space of '{about[0]}' at {base:#x} is not aligned to {wanted:#x}",
        level=Level.ERROR if base % PAGE else usual,
        notes=["the bus number takes the place of address bits 20 to 27"] if unit == BUS else (),
        help="correct the base" if wanted == unit else "correct the base, or the bus range",
        subject=about[0],
        # of a range that may be the wrong one, its ids are in question, too
        about=about if wanted == unit else (*about, *with_maps(about[0])),
    )
