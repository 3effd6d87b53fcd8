"""bridge-without-ecam

What it finds: a host bridge whose segment and buses no MCFG entry has, and which has no `_CBA`.
Why it matters: Linux on arm64 does not bring the bridge up. On x86 it is refused, but on segment 0, where
ports still reach 256 bytes of each function: a warning.
Example: `_SEG` 1 where MCFG has segment 0 only.
What to do: add an MCFG entry or `_CBA`, or correct the segment. A bridge that is no ECAM cannot be used with
ACPI: let `platform.firmware` be `[dt]`.
Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, drivers/pci/pci-acpi.c, pci_acpi_setup_ecam_mapping,
and arch/x86/pci/acpi.c, setup_mcfg_map; Xen xen/arch/x86/x86_64/mmconfig-shared.c, pci_mmcfg_reserved.
Sources that prove it: MCFG with AML; what AML computes from memory is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    bridges,
    described_bridge,
    entries,
    entry_at,
    mcfg_of,
    shown,
)
from rootplex.checks.causes import MCFG_UNUSABLE
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import name_of
from rootplex.model.bridge import HostBridge
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.buses import Buses
from rootplex.simulator.linux.mcfg_quirks import quirk
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0720",
    name="bridge-without-ecam",
    level=Level.ERROR,
    requires=(*MCFG_UNUSABLE, "RPX0756", "RPX0803"),
    covers=(
        "LNX-30",
        "LNX-36",
        "XP-50",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that nothing gives a configuration space."""
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        if segment is None or buses is None or bridge.cba.state != "absent":
            continue
        if mcfg_of(facts) is None and not _has_express(facts):
            continue
        if entry_at(facts, segment, buses.first) is not None or _by_quirk(facts, segment):
            continue
        if _is_misnumbered(facts, bridge, segment, buses):
            continue  # segment-differs names the two numbers
        described = described_bridge(facts, name_of(facts, bridge.path))
        if described is not None and not described.config.is_ecam:
            yield _of_no_ecam(described)
        else:
            yield _finding(facts, bridge, segment, buses)


def _finding(facts: Facts, bridge: AcpiHostBridge, segment: int, buses: Buses) -> Finding:
    name = name_of(facts, bridge.path)
    joined = facts.joined(bridge.path)
    meant = () if joined is None else joined.mcfg
    known = {entry.segment for entry in entries(facts)}
    x86 = facts.arch == "x86_64"
    has_seg = bridge.seg.state == "known" and segment not in known
    notes = ["Linux on x86 reaches it by ports, 256 bytes a function"] if x86 else []
    if mcfg_of(facts) is None:
        notes.append("there is no MCFG")
    warning = x86 and segment == 0
    return RULE.finding(
        bridge.seg.place if has_seg else bridge.buses_at,
        f"no MCFG entry has segment {segment}, bus {buses.first:#04x} of {name}, and it has no _CBA",
        level=Level.WARNING if warning else Level.ERROR,
        related=[(entry.place, f"seems to be meant: {shown(entry)}") for entry in meant],
        notes=notes if x86 else [*notes, "Linux on this architecture does not bring the bridge up"],
        help="add an MCFG entry or _CBA for it, or correct its segment and buses",
        subject=name,
        rests_on=(name, "MCFG"),
    )


def _has_express(facts: Facts) -> bool:
    """Whether there is a PCI Express bridge: machines without one (i440fx) have no MCFG, and lack nothing."""
    every = () if facts.acpi is None else facts.acpi.namespace.bridges
    return any("PNP0A08" in (bridge.hid, *bridge.cids) for bridge in every)


def _is_misnumbered(facts: Facts, bridge: AcpiHostBridge, segment: int, buses: Buses) -> bool:
    """Whether the entry is there, under another segment."""
    joined = facts.joined(bridge.path)
    return joined is not None and any(
        entry.segment != segment and entry.start_bus <= buses.first <= entry.end_bus for entry in joined.mcfg
    )


def _of_no_ecam(bridge: HostBridge) -> Finding:
    """ECAM is all that MCFG and `_CBA` can name."""
    return RULE.finding(
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
    row = quirk(mcfg_of(facts), segment, "arm64")
    return row is not None and segment in dict(row.windows)
