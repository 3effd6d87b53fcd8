"""mcfg-without-bridge

What it finds: an MCFG entry whose buses no host bridge of AML has.
Why it matters: common on x86 and harmless there. An entry of a bridge that is switched off (`_STA`) is a
warning: a program that scans MCFG hangs on a controller without power.
Example: segment 3 in MCFG, no bridge with `_SEG` 3.
What to do: leave the entry out.
Source: https://github.com/ARM-software/arm-systemready/issues/420, a scan of MCFG that died on a powered-off
controller; PCI Firmware 3.3 §4.1.2.
Sources that prove it: MCFG with AML; what AML computes from memory is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    bridges,
    entries,
    field,
    shown,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import name_of
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0722",
    name="mcfg-without-bridge",
    level=Level.NOTE,
    requires=("RPX0720", "RPX0756"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry that is nobody's."""
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
        yield RULE.finding(
            field(entry, "segment"),
            f"no host bridge {'is there' if off else ''} for the MCFG entry {shown(entry)}".replace(
                "  ", " "
            ),
            level=Level.WARNING if off or facts.described is not None else Level.NOTE,
            related=[(off.sta.place, f"{name_of(facts, off.path)} is not there")] if off else (),
            help="leave the entry out",
            rests_on=("MCFG",),
        )


def _has(bridge: AcpiHostBridge, entry: McfgEntry) -> bool:
    buses = bridge.buses
    assert buses is not None  # the caller looked
    overlap = buses.first <= entry.end_bus and entry.start_bus <= buses.last
    return overlap and bridge.segment == entry.segment
