"""dmar-unit-twice

What it finds: one VT-d unit's registers in DMAR for two segments.
Why it matters: Linux takes the registers once; the second unit fails, and the whole of DMAR with it: nothing
is translated, no function has a group.
Example: host bridges of segments 0 and 1 whose `iommu` names one unit.
What to do: describe a unit for each segment.
Source: Intel VT-d specification 4.1 §8.3; Linux drivers/iommu/intel/dmar.c, map_iommu and parse_dmar_table.
Sources that prove it: DMAR.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.acpi import DMAR_DRHD
from rootplex.readers.acpi.dmar import Drhd
from rootplex.readers.acpi.fields import place_of
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0755",
    name="dmar-unit-twice",
    level=Level.ERROR,
    needs="artifacts",
    only="x86",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each unit after the first with the registers of one in another segment."""
    dmar = facts.tables.dmar
    if dmar is None:
        return

    def segment(unit: Drhd) -> Place:
        assert unit.place.offset is not None
        return place_of(dmar.table, unit.place.offset, DMAR_DRHD, "segment")

    first: dict[int, Drhd] = {}
    for unit in dmar.drhds:
        other = first.setdefault(unit.base, unit)
        if other.segment != unit.segment:
            yield RULE.finding(
                segment(unit),
                f"the VT-d unit at {unit.base:#x} is in segment {unit.segment} and in {other.segment}",
                related=((segment(other), "the other segment"),),
                notes=("Linux uses none of DMAR then: no function has a group",),
                help="describe a unit for each segment",
            )
