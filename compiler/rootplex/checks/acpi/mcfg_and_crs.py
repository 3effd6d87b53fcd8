"""MCFG against the host bridges of AML: which bridge has an entry, and for which of its buses."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, entries, entry_at, entry_for, entry_text, field
from rootplex.checks.causes import MCFG_UNUSABLE
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.model.bridge import HostBridge
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.buses import Buses
from rootplex.simulator.linux.mcfg_quirks import quirk
from rootplex.source.finding import Finding, Level


@check(
    "RPX0720",
    Level.ERROR,
    requires=(*MCFG_UNUSABLE, "RPX0756", "RPX0803"),
    covers=("LNX-30", "LNX-36", "XP-50"),
)
def bridge_without_ecam(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose segment and buses no MCFG entry has, and which has no `_CBA`.
    Why it matters: Linux on arm64 does not bring the bridge up. On x86 it is refused, but on segment 0,
    where ports still reach 256 bytes of each function: a warning.
    Example: `_SEG` 1 where MCFG has segment 0 only.
    What to do: add an MCFG entry or `_CBA`, or correct the segment. A bridge that is no ECAM cannot be used
    with ACPI: let `platform.firmware` be `[dt]`.
    Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, drivers/pci/pci-acpi.c,
    pci_acpi_setup_ecam_mapping, and arch/x86/pci/acpi.c, setup_mcfg_map; Xen
    xen/arch/x86/x86_64/mmconfig-shared.c, pci_mmcfg_reserved. Sources that prove it: MCFG with AML; what
    AML computes from memory is left alone.
    """
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        if segment is None or buses is None or bridge.cba.state != "absent":
            continue
        if facts.tables.mcfg is None and not _has_express(facts):
            continue
        if entry_at(facts, segment, buses.first) is not None or _by_quirk(facts, segment):
            continue
        if _is_misnumbered(facts, bridge, segment, buses):
            continue  # segment-differs names the two numbers
        described = facts.described_bridge(facts.name_of(bridge.path))
        if described is not None and not described.config.is_ecam:
            yield _of_no_ecam(described)
        else:
            yield _finding(facts, bridge, segment, buses)


def _finding(facts: Facts, bridge: AcpiHostBridge, segment: int, buses: Buses) -> Finding:
    name = facts.name_of(bridge.path)
    joined = facts.joined(bridge.path)
    meant = () if joined is None else joined.mcfg
    known = {entry.segment for entry in entries(facts)}
    x86 = facts.arch == "x86_64"
    has_seg = bridge.seg.state == "known" and segment not in known
    notes = ["Linux on x86 reaches it by ports, 256 bytes a function"] if x86 else []
    if facts.tables.mcfg is None:
        notes.append("there is no MCFG")
    warning = x86 and segment == 0
    return bridge_without_ecam.rule.finding(
        bridge.seg.place if has_seg else bridge.buses_at,
        f"no MCFG entry has segment {segment}, bus {buses.first:#04x} of {name}, and it has no _CBA",
        level=Level.WARNING if warning else Level.ERROR,
        related=[(entry.place, f"seems to be meant: {entry_text(entry)}") for entry in meant],
        notes=notes if x86 else [*notes, "Linux on this architecture does not bring the bridge up"],
        help="add an MCFG entry or _CBA for it, or correct its segment and buses",
        subject=name,
        rests_on=(name, "MCFG"),
    )


def _has_express(facts: Facts) -> bool:
    """Whether there is a PCI Express bridge: machines without one (i440fx) have no MCFG, and lack nothing."""
    every = facts.acpi_bridges
    return any("PNP0A08" in (bridge.hid, *bridge.cids) for bridge in every)


def _is_misnumbered(facts: Facts, bridge: AcpiHostBridge, segment: int, buses: Buses) -> bool:
    """Whether the entry is there, under another segment."""
    joined = facts.joined(bridge.path)
    return joined is not None and any(
        entry.segment != segment and entry.start_bus <= buses.first <= entry.end_bus for entry in joined.mcfg
    )


def _of_no_ecam(bridge: HostBridge) -> Finding:
    """ECAM is all that MCFG and `_CBA` can name."""
    return bridge_without_ecam.rule.finding(
        bridge.config.at("kind"),
        f"ACPI cannot say where the configuration space of '{bridge.name}' is: it is {bridge.config.kind}",
        level=Level.WARNING,
        notes=["Linux does not bring the bridge up by ACPI"],
        help="let platform.firmware be [dt], or say under 'acpi' what firmware shows in its place",
        subject=bridge.name,
        rests_on=(bridge.name, "MCFG"),
    )


def _by_quirk(facts: Facts, segment: int) -> bool:
    """Whether Linux's quirk table has a window for the segment."""
    if facts.arch != "arm64":
        return False
    row = quirk(facts.tables.mcfg, segment, "arm64")
    return row is not None and segment in dict(row.windows)


@check("RPX0721", Level.ERROR, requires=(*MCFG_UNUSABLE, "RPX0756", "RPX0803"), covers=("LNX-09", "LNX-30"))
def mcfg_narrower(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose `_CRS` has buses that its MCFG entry does not have.
    Why it matters: Linux on arm64 takes only an entry that holds the whole range: the bridge does not come
    up. On x86 the buses beyond have no extended configuration space: a warning.
    Example: `_CRS` 0x20-0xff, MCFG 0-0x3f.
    What to do: let the entry hold all buses of `_CRS`, or cut `_CRS`.
    Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and arch/x86/pci/mmconfig-shared.c,
    pci_mmconfig_insert.
    Sources that prove it: MCFG with AML; what AML computes from memory is left alone.
    """
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        if segment is None or buses is None or bridge.cba.state != "absent":
            continue
        entry = entry_at(facts, segment, buses.first)
        if entry is None or entry_for(facts, segment, buses.first, buses.last) is not None:
            continue
        every = range(buses.first, buses.last + 1)
        if facts.arch == "x86_64" and all(entry_at(facts, segment, bus) for bus in every):
            continue
        name = facts.name_of(bridge.path)
        yield mcfg_narrower.rule.finding(
            bridge.buses_at,
            f"{name} has buses {buses}, its MCFG entry {entry.start_bus:#04x}-{entry.end_bus:#04x}",
            level=Level.WARNING if facts.arch == "x86_64" else Level.ERROR,
            related=[(field(entry, "end_bus"), "the entry ends here")],
            help="let the MCFG entry hold all buses of _CRS, or cut _CRS",
            subject=name,
            rests_on=(name, "MCFG"),
        )


@check("RPX0722", Level.NOTE, only="aml", requires=("RPX0720", "RPX0756"))
def mcfg_without_bridge(facts: Facts) -> Iterator[Finding]:
    """What it finds: an MCFG entry whose buses no host bridge of AML has.
    Why it matters: common on x86 and harmless there. An entry of a bridge that is switched off (`_STA`) is
    a warning: a program that scans MCFG hangs on a controller without power.
    Example: segment 3 in MCFG, no bridge with `_SEG` 3.
    What to do: leave the entry out.
    Source: https://github.com/ARM-software/arm-systemready/issues/420, a scan of MCFG that died on a
    powered-off controller; PCI Firmware 3.3 §4.1.2. Sources that prove it: MCFG with AML; what AML computes
    from memory is left alone.
    """
    if facts.acpi is None:
        return
    every = facts.acpi.namespace.bridges
    there = {bridge.path for bridge in bridges(facts)}
    if any(bridge.segment is None or bridge.buses is None for bridge in every):
        return
    owned = {entry.index for joined in facts.bridges for entry in joined.mcfg}
    for entry in entries(facts):
        if entry.index in owned:
            continue
        owners = [bridge for bridge in every if _has(bridge, entry)]
        if any(bridge.path in there or bridge.sta.known is None for bridge in owners):
            continue
        off = owners[0] if owners else None
        yield mcfg_without_bridge.rule.finding(
            field(entry, "segment"),
            f"no host bridge {'is there' if off else ''} for the MCFG entry {entry_text(entry)}".replace(
                "  ", " "
            ),
            level=Level.WARNING if off or facts.described is not None else Level.NOTE,
            related=[(off.sta.place, f"{facts.name_of(off.path)} is not there")] if off else (),
            help="leave the entry out",
            rests_on=("MCFG",),
        )


def _has(bridge: AcpiHostBridge, entry: McfgEntry) -> bool:
    buses = bridge.buses
    assert buses is not None  # the caller looked
    overlap = buses.first <= entry.end_bus and entry.start_bus <= buses.last
    return overlap and bridge.segment == entry.segment


@check("RPX0726", Level.WARNING, covers=("LNX-37",))
def hot_pluggable_in_mcfg(facts: Facts) -> Iterator[Finding]:
    """What it finds: a hot-pluggable host bridge that MCFG lists.
    Why it matters: MCFG is for bridges that are there at boot and stay; a program that scans it may meet a
    bridge that has gone.
    Example: `hot_pluggable: true` and an MCFG entry for its segment.
    What to do: leave it out of MCFG; `_CBA` and `_SEG` tell what is needed.
    Source: PCI Firmware 3.3 §4.1.2, §4.1.3 (`_CBA`).
    """
    for joined in facts.bridges:
        described = facts.described_bridge(joined.name)
        if described is None or not described.hot_pluggable:
            continue
        for entry in joined.mcfg:
            yield hot_pluggable_in_mcfg.rule.finding(
                field(entry, "segment"),
                f"MCFG lists {joined.name}, which is hot-pluggable",
                related=[(described.at("hot_pluggable"), "it is hot-pluggable")],
                help="leave it out of MCFG; _CBA and _SEG tell what is needed",
                subject=joined.name,
            )


@check("RPX0727", Level.ERROR, requires=("RPX0802",), covers=("LNX-08",))
def cba_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: a `_CBA` that is not the base of the bridge's MCFG entry.
    Why it matters: before AML runs the one holds, after it the other: two places for one configuration
    space.
    Example: `_CBA` 0x4010000000 beside MCFG's 0x4020000000.
    What to do: let both be the address of bus 0.
    Source: PCI Firmware 3.3 §4.1.3; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup.
    Sources that prove it: MCFG with AML; what AML computes from memory is left alone.
    """
    for bridge in bridges(facts):
        base, segment, buses = bridge.cba.known, bridge.segment, bridge.buses
        if not base or segment is None or buses is None:
            continue
        entry = entry_at(facts, segment, buses.first)
        if entry is not None and entry.base != base:
            name = facts.name_of(bridge.path)
            yield cba_differs.rule.finding(
                bridge.cba.place,
                f"_CBA of {name} is {base:#x}, its MCFG entry has {entry.base:#x}",
                related=[(field(entry, "base"), "the entry's base")],
                notes=("both are the address of bus 0",),
                help="let both say the same",
                subject=name,
            )
