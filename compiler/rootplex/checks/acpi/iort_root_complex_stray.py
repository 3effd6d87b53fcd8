"""iort-root-complex-stray

What it finds: a root complex node of a segment that no host bridge has.
Why it matters: its mappings are for nobody; often the segment is mistyped.
Example: segment 7 in IORT, bridges 0 and 1.
What to do: correct the segment, or leave the node out.
Source: Arm DEN0049 E.f §3.1.1.2; Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
Sources that prove it: IORT with AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    bridges_of,
    iort_of,
    root_complexes,
    takes_iort,
)
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0742",
    name="iort-root-complex-stray",
    level=Level.WARNING,
    requires=(
        "RPX0740",
        "RPX0751",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each node without a bridge."""
    iort = iort_of(facts)
    if iort is None or facts.acpi is None or not takes_iort(facts):
        return
    segments = {bridge.segment for bridge in facts.acpi.namespace.bridges}
    if None in segments or not segments:
        return
    for node, data in root_complexes(iort):
        if data.segment not in segments:
            yield RULE.finding(
                iort.place(node, "segment"),
                f"no host bridge has segment {data.segment} of this IORT root complex",
                help="correct the segment, or leave the node out",
                about=with_maps(*bridges_of(facts, node)),
            )
