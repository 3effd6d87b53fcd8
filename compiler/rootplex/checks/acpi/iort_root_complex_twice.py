"""iort-root-complex-twice

What it finds: two root complex nodes of one segment in IORT.
Why it matters: Linux takes the first for all bridges of the segment; the mappings of the second are never
read.
Example: two nodes of segment 0.
What to do: make one node with the mappings of both.
Source: Linux drivers/acpi/arm64/iort.c, iort_scan_node and iort_match_node_callback.
Sources that prove it: IORT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    SEGMENTS,
    bridges_of,
    iort_of,
    root_complexes,
)
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import IortNode
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0741",
    name="iort-root-complex-twice",
    level=Level.ERROR,
    covers=("LNX-41",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each later node of a segment."""
    iort = iort_of(facts)
    seen: dict[int, IortNode] = {}
    for node, data in root_complexes(iort):
        first = seen.setdefault(data.segment, node)
        if first is not node and iort is not None:
            yield RULE.finding(
                iort.place(node, "segment"),
                f"IORT has two root complexes of segment {data.segment}",
                related=[(iort.place(first, "segment"), "the one that Linux takes")],
                help="make one node with the mappings of both",
                about=(SEGMENTS, *with_maps(*bridges_of(facts, node))),
            )
