"""dmar-segment-stray

What it finds: a unit, reserved memory or ports with ATS in DMAR of a segment that no host bridge has.
Why it matters: it is for nobody. Nothing translates the devices that the unit was meant for; those that use
the memory lose it; those below the ports have no ATS.
Example: a DRHD of segment 1, bridges on 0.
What to do: correct the segment.
Source: Intel VT-d specification 4.1 §8.3 (DRHD), §8.4 (RMRR), §8.5 (ATSR).
Sources that prove it: DMAR with AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0753",
    name="dmar-segment-stray",
    level=Level.WARNING,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each unit, or what else is of a segment, without a bridge."""
    if facts.acpi is None:
        return
    dmar = facts.acpi.dmar
    segments = {bridge.segment for bridge in facts.acpi.namespace.bridges}
    if dmar is None or None in segments or not segments:
        return
    for unit in dmar.drhds:
        if unit.segment not in segments:
            yield RULE.finding(
                unit.place,
                f"no host bridge has segment {unit.segment} of the VT-d unit at {unit.base:#x}",
                help="correct the unit's segment",
            )
    others = [
        *((rmrr.segment, rmrr.place, f"the memory at {rmrr.base:#x} of RMRR") for rmrr in dmar.rmrrs),
        *((atsr.segment, atsr.place, "ATSR") for atsr in dmar.atsrs),
    ]
    for segment, place, what in others:
        if segment not in segments:
            yield RULE.finding(
                place, f"no host bridge has segment {segment} of {what}", help="correct the segment"
            )
