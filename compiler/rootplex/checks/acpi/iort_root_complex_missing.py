"""iort-root-complex-missing

What it finds: a host bridge whose segment has no root complex node in IORT.
Why it matters: Linux looks the node up by segment: without one the bridge's devices have neither IOMMU nor
ITS.
Example: IORT with segments 0 and 1, a bridge with `_SEG` 2.
What to do: add a root complex node for the segment, or correct one.
Source: Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
Sources that prove it: IORT with AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    SEGMENTS,
    bridges,
    iort_of,
    root_complexes,
    takes_iort,
)
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import name_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0740",
    name="iort-root-complex-missing",
    level=Level.ERROR,
    requires=(
        "RPX0741",
        "RPX0751",
        "RPX0801",
    ),
    covers=(
        "LNX-41",
        "LNX-07",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge without a node."""
    nodes = list(root_complexes(iort_of(facts)))
    if not nodes or not takes_iort(facts):
        return
    segments = {bridge.segment for bridge in bridges(facts)}
    iort = iort_of(facts)
    assert iort is not None  # it has nodes
    stray = [(node, data.segment) for node, data in nodes if data.segment not in segments]
    for bridge in bridges(facts):
        segment = bridge.segment
        if segment is None or any(data.segment == segment for _, data in nodes):
            continue
        name = name_of(facts, bridge.path)
        yield RULE.finding(
            bridge.seg.place,
            f"IORT has no root complex for segment {segment} of {name}",
            related=[
                (iort.place(node, "segment"), f"no bridge has this segment, {number}")
                for node, number in stray
            ],
            notes=("its devices have no IOMMU and no ITS",),
            help="add a root complex node for the segment",
            subject=name,
            about=with_maps(name),
            rests_on=(*with_maps(name), SEGMENTS),
        )
