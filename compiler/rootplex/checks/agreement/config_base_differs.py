"""config-base-differs

What it finds: configuration space that lies elsewhere by device tree than by MCFG or `_CBA`.
Why it matters: one of the two reads other registers than those of the bridge. `reg` is the space of the first
bus, MCFG and `_CBA` that of bus 0: `base == reg - (first << 20)`.
Example: `reg` 0x4010000000 for buses 0x10-0x1f and an MCFG base of 0x4010000000.
What to do: take the first bus off the base.
Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and drivers/pci/ecam.c,
pci_ecam_map_bus.
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import field
from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.bridges import config_layout, config_space
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.pci import ECAM_BUS
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0802",
    name="config-base-differs",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0030", "RPX0717", "RPX0801", "RPX0803"),
    covers=("LNX-08",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge with two places; not where the tree's is no ECAM."""
    for joined, dt, acpi in both(facts):
        reg = config_space(dt)
        if reg is None or reg.cpu is None or config_layout(dt) != ECAM_BUS or dt.buses is None:
            continue
        first = dt.buses.first
        base = reg.cpu - first * ECAM_BUS
        claims = [(field(entry, "base"), entry.base, "MCFG") for entry in joined.mcfg]
        if acpi.cba.known:
            claims.append((acpi.cba.place, acpi.cba.known, "_CBA"))
        for place, said_base, word in claims:
            if said_base == base:
                continue
            at, related = blamed_side(
                facts,
                joined,
                "config",
                (reg.place, f"reg is {reg.cpu:#x}, that of bus {first:#04x}"),
                (place, f"{word} has {said_base:#x}"),
            )
            yield RULE.finding(
                at,
                f"bus 0 of {joined.name} is at {base:#x} by device tree and at {said_base:#x} by {word}",
                related=related,
                notes=("MCFG and _CBA hold the address of bus 0, reg that of the first bus",),
                help=f"let {word} be reg - (first bus << 20)",
                subject=joined.name,
            )
