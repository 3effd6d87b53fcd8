"""hot-pluggable-in-mcfg

What it finds: a hot-pluggable host bridge that MCFG lists.
Why it matters: MCFG is for bridges that are there at boot and stay; a program that scans it may meet a bridge
that has gone.
Example: `hot_pluggable: true` and an MCFG entry for its segment.
What to do: leave it out of MCFG; `_CBA` and `_SEG` tell what is needed.
Source: PCI Firmware 3.3 §4.1.2, §4.1.3 (`_CBA`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    described_bridge,
    field,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0726",
    name="hot-pluggable-in-mcfg",
    level=Level.WARNING,
    covers=("LNX-37",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry of a bridge that may go."""
    for joined in facts.bridges:
        described = described_bridge(facts, joined.name)
        if described is None or not described.hot_pluggable:
            continue
        for entry in joined.mcfg:
            yield RULE.finding(
                field(entry, "segment"),
                f"MCFG lists {joined.name}, which is hot-pluggable",
                related=[(described.at("hot_pluggable"), "it is hot-pluggable")],
                help="leave it out of MCFG; _CBA and _SEG tell what is needed",
                subject=joined.name,
            )
