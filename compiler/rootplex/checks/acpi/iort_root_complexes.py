"""Root complexes of IORT against the segments of the host bridges."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import SEGMENTS, bridges, bridges_of, root_complexes, takes_iort
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.readers.acpi.iort_facts import IortNode
from rootplex.source.finding import Finding, Level


@check("RPX0740", Level.ERROR, requires=("RPX0741", "RPX0751", "RPX0801"), covers=("LNX-41", "LNX-07"))
def iort_root_complex_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose segment has no root complex node in IORT.
    Why it matters: Linux looks the node up by segment: without one the bridge's devices have neither IOMMU
    nor ITS.
    Example: IORT with segments 0 and 1, a bridge with `_SEG` 2.
    What to do: add a root complex node for the segment, or correct one.
    Source: Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
    Sources that prove it: IORT with AML.
    """
    nodes = list(root_complexes(facts.tables.iort))
    if not nodes or not takes_iort(facts):
        return
    segments = {bridge.segment for bridge in bridges(facts)}
    iort = facts.tables.iort
    assert iort is not None  # it has nodes
    stray = [(node, data.segment) for node, data in nodes if data.segment not in segments]
    for bridge in bridges(facts):
        segment = bridge.segment
        if segment is None or any(data.segment == segment for _, data in nodes):
            continue
        name = facts.name_of(bridge.path)
        yield iort_root_complex_missing.rule.finding(
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


@check("RPX0741", Level.ERROR, covers=("LNX-41",))
def iort_root_complex_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: two root complex nodes of one segment in IORT.
    Why it matters: Linux takes the first for all bridges of the segment; the mappings of the second are
    never read.
    Example: two nodes of segment 0.
    What to do: make one node with the mappings of both.
    Source: Linux drivers/acpi/arm64/iort.c, iort_scan_node and iort_match_node_callback.
    Sources that prove it: IORT.
    """
    iort = facts.tables.iort
    seen: dict[int, IortNode] = {}
    for node, data in root_complexes(iort):
        first = seen.setdefault(data.segment, node)
        if first is not node and iort is not None:
            yield iort_root_complex_twice.rule.finding(
                iort.place(node, "segment"),
                f"IORT has two root complexes of segment {data.segment}",
                related=[(iort.place(first, "segment"), "the one that Linux takes")],
                help="make one node with the mappings of both",
                about=(SEGMENTS, *with_maps(*bridges_of(facts, node))),
            )


@check("RPX0742", Level.WARNING, requires=("RPX0740", "RPX0751"))
def iort_root_complex_stray(facts: Facts) -> Iterator[Finding]:
    """What it finds: a root complex node of a segment that no host bridge has.
    Why it matters: its mappings are for nobody; often the segment is mistyped.
    Example: segment 7 in IORT, bridges 0 and 1.
    What to do: correct the segment, or leave the node out.
    Source: Arm DEN0049 E.f §3.1.1.2; Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
    Sources that prove it: IORT with AML.
    """
    iort = facts.tables.iort
    if iort is None or facts.acpi is None or not takes_iort(facts):
        return
    segments = {bridge.segment for bridge in facts.acpi.namespace.bridges}
    if None in segments or not segments:
        return
    for node, data in root_complexes(iort):
        if data.segment not in segments:
            yield iort_root_complex_stray.rule.finding(
                iort.place(node, "segment"),
                f"no host bridge has segment {data.segment} of this IORT root complex",
                help="correct the segment, or leave the node out",
                about=with_maps(*bridges_of(facts, node)),
            )
