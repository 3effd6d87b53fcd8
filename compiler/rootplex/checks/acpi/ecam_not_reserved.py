"""ecam-not-reserved

What it finds: ECAM that no motherboard resource (PNP0C02) consumes.
Why it matters: Linux on x86 uses an entry only as far as one PNP0C01 or PNP0C02 descriptor holds it (or the
firmware's memory map, which no table shows; of a snapshot /proc/iomem and the kernel's log tell), and drops
all of MCFG where one is not reserved. On arm64 it complains of a firmware bug.
Example: ECAM at 0x3000_0000 and no PNP0C02 there.
What to do: let a PNP0C02 outside every host bridge consume exactly the ECAM.
Source: PCI Firmware 3.3 §4.1.2; Linux arch/x86/pci/mmconfig-shared.c, is_acpi_reserved and
pci_mmcfg_reject_broken, and drivers/pci/pci-acpi.c, pci_acpi_setup_ecam_mapping.
Sources that prove it: MCFG with AML; a note where a `_CRS` depends on memory. An error only for tables made
here, whose memory map is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, consumed, entries, entry_for, field
from rootplex.checks.causes import base_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.pci import ECAM_BUS
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0723",
    name="ecam-not-reserved",
    level=Level.WARNING,
    needs="artifacts",
    only="aml",
    requires=("RPX0110", "RPX0715", "RPX0717"),
    covers=("LNX-31", "LNX-32", "XP-47"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry (x86) or bridge's window (arm64) that is not reserved."""
    if facts.acpi is None:
        return
    space = facts.acpi.namespace
    x86 = facts.arch == "x86_64"
    devices = space.motherboard if x86 else (*space.motherboard, *space.consumers)
    ranges, certain = consumed(devices)
    told = facts.reserved if x86 else ()
    for entry, first, last in _regions(facts, x86):
        low, high = entry.base + first * ECAM_BUS, entry.base + (last + 1) * ECAM_BUS
        held = any(base <= low and high <= end for base, end in (*ranges, *told))
        if held:
            continue
        cannot = "it cannot be told whether" if not certain else ""
        text = f"{cannot} a motherboard resource reserves ECAM {low:#x}-{high - 1:#x}"
        if certain:
            text = f"no motherboard resource reserves ECAM {low:#x}-{high - 1:#x}"
        level = Level.ERROR if x86 and facts.described is not None else Level.WARNING
        yield RULE.finding(
            field(entry, "base"),
            text.strip(),
            level=level if certain else Level.NOTE,
            notes=(_consequence(x86, ranges, low),),
            help="let a PNP0C02 consume all of it",
            rests_on=(base_of(entry.segment, entry.base),),
        )


def _regions(facts: Facts, x86: bool) -> Iterator[tuple[McfgEntry, int, int]]:
    """Entries with the buses that are asked about: all on x86, else those of a bridge."""
    if x86:
        yield from ((entry, entry.start_bus, entry.end_bus) for entry in entries(facts))
        return
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        entry = (
            None if segment is None or buses is None else entry_for(facts, segment, buses.first, buses.last)
        )
        if entry is not None and buses is not None:
            yield entry, buses.first, buses.last


def _consequence(x86: bool, ranges: list[tuple[int, int]], low: int) -> str:
    if not x86:
        return "Linux reports a firmware bug and goes on"
    part = next((end for base, end in ranges if base <= low < end), None)
    if part is not None:
        return f"one descriptor holds it up to {part - 1:#x}: Linux halves it until it fits"
    return "Linux uses no ECAM at all, unless the firmware's memory map reserves this"
