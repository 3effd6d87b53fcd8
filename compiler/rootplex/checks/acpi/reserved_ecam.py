"""ECAM and the resources that it is to be reserved by."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, consumed, entries, entry_for, entry_text, field, owners_of
from rootplex.checks.areas import part_of
from rootplex.checks.causes import base_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.pci import ECAM_BUS
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.first import First
from rootplex.source.finding import Finding, Level


@check(
    "RPX0723",
    Level.WARNING,
    only="aml",
    requires=("RPX0110", "RPX0715", "RPX0717"),
    covers=("LNX-31", "LNX-32", "XP-47"),
)
def ecam_not_reserved(facts: Facts) -> Iterator[Finding]:
    """What it finds: ECAM that no motherboard resource (PNP0C02) consumes.
    Why it matters: Linux on x86 uses an entry only as far as one PNP0C01 or PNP0C02 descriptor holds it (or
    the firmware's memory map, which no table shows; of a snapshot /proc/iomem and the kernel's log tell), and
    drops all of MCFG where one is not reserved. On arm64 it complains of a firmware bug.
    Example: ECAM at 0x3000_0000 and no PNP0C02 there.
    What to do: let a PNP0C02 outside every host bridge consume exactly the ECAM.
    Source: PCI Firmware 3.3 §4.1.2; Linux arch/x86/pci/mmconfig-shared.c, is_acpi_reserved and
    pci_mmcfg_reject_broken, and drivers/pci/pci-acpi.c, pci_acpi_setup_ecam_mapping.
    Sources that prove it: MCFG with AML; a note where a `_CRS` depends on memory. An error only for tables
    made here, whose memory map is known.
    """
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
        yield ecam_not_reserved.rule.finding(
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


@check(
    "RPX0724", Level.ERROR, requires=("RPX0105", "RPX0106", "RPX0804", "RPX0101"), covers=("LNX-33", "XP-19")
)
def ecam_in_crs_window(facts: Facts) -> Iterator[Finding]:
    """What it finds: ECAM inside a memory window of a host bridge's `_CRS`.
    Why it matters: the kernel may place a BAR on configuration space. On x86 it does not where a motherboard
    resource (PNP0C02) reserves all of it, as on many machines: a warning.
    Example: a window 0x3000_0000-0xfbff_ffff with ECAM at 0x3000_0000.
    What to do: take ECAM out of the window.
    Source: PCI Firmware 3.3 §4.1.2; https://github.com/cloud-hypervisor/cloud-hypervisor/pull/4566, where
    BARs landed on ECAM.
    Sources that prove it: MCFG with AML; windows that depend on memory are left alone.
    """
    # The first entry that a window meets.
    listed = entries(facts)
    first = First([_covered(entry) for entry in listed])
    for bridge in bridges(facts):
        template = bridge.crs.value
        for item in () if template is None else template.certain:
            if item.type != "memory" or not item.span:
                continue
            low, high = item.cpu_minimum, item.cpu_minimum + item.span
            index = first.within(low, high - 1)
            if index is None:
                continue
            entry = listed[index]
            name = facts.name_of(bridge.path)
            held = facts.arch == "x86_64" and _is_held(facts, entry)
            yield ecam_in_crs_window.rule.finding(
                bridge.descriptor(item),
                f"the window {low:#x}-{high - 1:#x} of {name} has ECAM in it",
                level=Level.WARNING if held else None,
                related=[(field(entry, "base"), entry_text(entry))],
                notes=["a motherboard resource reserves it, and Linux places no BAR there"] if held else (),
                help="take the configuration space out of the window",
                subject=name,
                about=(name, part_of("window", name, low)),
                rests_on=_areas(facts, name, low, entry),
            )


def _areas(facts: Facts, name: str, low: int, entry: McfgEntry) -> Iterator[str]:
    """The window, and the configuration space that the entry gives a bridge."""
    yield part_of("window", name, low)
    for owner in owners_of(facts, entry):
        yield part_of("config", owner, entry.base + entry.start_bus * ECAM_BUS)


def _is_held(facts: Facts, entry: McfgEntry) -> bool:
    """Whether one descriptor of a motherboard resource reserves what the entry covers."""
    assert facts.acpi is not None
    low, end = entry.base + entry.start_bus * ECAM_BUS, entry.base + (entry.end_bus + 1) * ECAM_BUS
    ranges, _ = consumed(facts.acpi.namespace.motherboard)
    return any(base <= low and end <= last for base, last in ranges)


def _covered(entry: McfgEntry) -> tuple[int, int]:
    """Where its configuration space begins, and how many bytes it has."""
    buses = max(entry.end_bus + 1 - entry.start_bus, 0)
    return entry.base + entry.start_bus * ECAM_BUS, buses * ECAM_BUS
