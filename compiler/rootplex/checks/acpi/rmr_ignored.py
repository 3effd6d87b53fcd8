"""rmr-ignored

What it finds: reserved memory (RMR) in IORT for a root complex whose bridges do not say `_DSM` 5 = 0.
Why it matters: Linux heeds it only where the firmware's configuration of the bridge is kept: else the
device's DMA faults.
Example: an RMR node for a stream of segment 0, and no `_DSM`.
What to do: let `_DSM` function 5 of the bridge return 0.
Source: Linux drivers/acpi/arm64/iort.c, iort_rmr_has_dev and iort_find_rmrs.
Sources that prove it: IORT with AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, root_complexes
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import IdMapping, Rmr
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0749",
    name="rmr-ignored",
    level=Level.WARNING,
    needs="artifacts",
    covers=("LNX-45",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each RMR node that PCI streams are in and that Linux ignores."""
    iort = facts.tables.iort
    if iort is None:
        return
    keeping = {bridge.segment for bridge in bridges(facts) if bridge.preserve.known == 0}
    for node in iort.nodes:
        if not isinstance(node.data, Rmr):
            continue
        for owner, data in root_complexes(iort):
            if data.segment not in keeping and any(
                _share(mine, theirs) for mine in node.mappings for theirs in owner.mappings
            ):
                yield RULE.finding(
                    node.place,
                    f"reserved memory for a stream of segment {data.segment} is ignored",
                    related=[(owner.place, "the root complex of the stream")],
                    notes=("no bridge of the segment returns 0 for _DSM function 5",),
                    help="let _DSM function 5 of the bridge return 0",
                )


def _share(mine: IdMapping, theirs: IdMapping) -> bool:
    """Whether two mappings have a stream of one SMMU in common."""
    one, other = (0 if each.single else each.id_count for each in (mine, theirs))
    meet = mine.output_base <= theirs.output_base + other and theirs.output_base <= mine.output_base + one
    return mine.output_reference == theirs.output_reference and meet
