"""iort-mappings-overlap

What it finds: two mappings of one IORT node that share input ids.
Why it matters: Linux takes the first and complains; others may take the last: one requester has two ids.
Example: ids 0-0x1ff and 0x100-0x2ff in one node.
What to do: let every id have one mapping.
Source: Linux drivers/acpi/arm64/iort.c, iort_id_map and iort_node_map_id.
Sources that prove it: IORT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import IdMapping
from rootplex.readers.acpi.iort_ids import special_index
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0744",
    name="iort-mappings-overlap",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0202", "RPX0733", "RPX0743", "RPX0751"),
    covers=("LNX-42",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each mapping with ids of another; a shared last id alone is the off-by-one that Linux forgives."""
    iort = facts.tables.iort
    for node in () if iort is None else iort.nodes:
        skip = special_index(node)
        ranges = sorted(
            (each.input_base, each.input_base + each.id_count, each.index, each)
            for each in node.mappings
            if not each.single and each.index != skip
        )
        widest: tuple[int, int, int, IdMapping] | None = None
        for this in ranges:
            if widest is not None and this[0] <= widest[1] and not _is_seam(widest, this):
                later, first = sorted((this[3], widest[3]), key=lambda each: -each.index)
                yield RULE.finding(
                    later.place,
                    f"ids {this[0]:#x}-{min(this[1], widest[1]):#x} have two mappings in one IORT node",
                    related=[(first.place, "the first, which Linux takes")],
                    help="let every id have one mapping",
                    about=with_maps(*bridges_of(facts, node)),
                )
            if widest is None or this[1] > widest[1]:
                widest = this


def _is_seam(before: tuple[int, int, int, IdMapping], after: tuple[int, int, int, IdMapping]) -> bool:
    return before[1] == after[0] and before[3].id_count > 0
