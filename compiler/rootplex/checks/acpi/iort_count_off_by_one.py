"""iort-count-off-by-one

What it finds: an IORT mapping with one id more, or one less, than whole buses.
Why it matters: the field is the number of ids minus one. With the number itself the mapping takes one id of
its neighbour, which Linux forgives only where another mapping starts there; with two less than the number the
last id is lost.
Example: an id count of 0x100 for the 0x100 ids of one bus.
What to do: write the number of ids minus one.
Source: Arm DEN0049 E.f table 4; Linux drivers/acpi/arm64/iort.c, iort_id_map and iort_node_map_id.
Sources that prove it: IORT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.acpi import IORT_MAPPING
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.iort_facts import RootComplex, Smmu, SmmuV3
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0743",
    name="iort-count-off-by-one",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0745", "RPX0751"),
    covers=("LNX-42", "LNX-44"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each mapping of a root complex or SMMU that ends beside a bus boundary."""
    iort = facts.tables.iort
    if iort is None:
        return
    for node in iort.nodes:
        if not isinstance(node.data, RootComplex | Smmu | SmmuV3):
            continue
        for mapping in node.mappings:
            count = mapping.id_count
            if mapping.single or mapping.input_base & 0xFF or count < 0xFE or (count + 2) & 0xFF > 2:
                continue
            if count & 0xFF == 0xFF:
                continue
            more = count & 0xFF == 0
            whole = count if more else count + 2
            yield RULE.finding(
                place_of(iort.table, mapping.offset, IORT_MAPPING, "id_count"),
                f"an IORT mapping has {count + 1:#x} ids, one {'more' if more else 'less'} than {whole:#x}",
                notes=("the field is the number of ids minus one",),
                help=f"write {whole - 1:#x}",
                about=with_maps(*bridges_of(facts, node)),
            )
