"""mcfg-bases-differ

What it finds: entries of one segment with different bases.
Why it matters: systems that look an entry up by its segment alone take the first base for all buses of the
segment.
Example: segment 0 at 0x4010000000 for buses 0-0x3f and at 0x5000000000 for buses 0x40-0x7f.
What to do: let all entries of a segment have the base of its bus 0, or give the bridges segments of their
own.
Source: PCI Firmware 3.3 §4.1.2; https://github.com/microsoft/mu_msvm/pull/87, firmware that looked up the
segment alone.
Sources that prove it: MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    entries,
    field,
    shown,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0715",
    name="mcfg-bases-differ",
    level=Level.WARNING,
    covers=("LNX-34",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each entry whose base is not that of its segment's first entry."""
    seen: dict[int, McfgEntry] = {}
    for entry in entries(facts):
        first = seen.setdefault(entry.segment, entry)
        overlap = first.start_bus <= entry.end_bus and entry.start_bus <= first.end_bus
        if first.base == entry.base or overlap:
            continue
        yield RULE.finding(
            field(entry, "base"),
            f"MCFG gives segment {entry.segment} two bases, {first.base:#x} and {entry.base:#x}",
            related=[(field(first, "base"), shown(first))],
            help="give the bridges segments of their own, or one stretch of configuration space",
        )
