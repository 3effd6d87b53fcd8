"""What is wrong with DMAR."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.acpi import DMAR_DRHD, DMAR_HEAD, HEADER, ScopeType, size_of
from rootplex.readers.acpi.dmar import Drhd
from rootplex.readers.acpi.fields import place_of
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0763", Level.ERROR, only="x86")
def dmar_malformed(facts: Facts) -> Iterator[Finding]:
    """What it finds: structures and device scopes of DMAR whose lengths do not fit.
    Why it matters: a structure that runs past the table's end makes Linux drop the whole of DMAR, so that
    nothing is translated; behind one of length 0 it reads no more; what is too short is taken for something
    else.
    Example: a DRHD of 4096 bytes in a table of 80.
    What to do: correct the length; `iasl -d` shows what it makes of the table.
    Source: Intel VT-d 4.1 §8.2; Linux drivers/iommu/intel/dmar.c, dmar_walk_remapping_entries ("Record passes
    table end").
    Sources that prove it: DMAR.
    """
    # A wrong length moves all that is behind it: there it ends.
    dmar = facts.tables.dmar
    for problem in () if dmar is None else dmar.problems[len(dmar.table.problems) :]:
        bears_on = with_maps(*(each.name for each in facts.bridges))
        yield dmar_malformed.rule.finding(
            problem.place, f"DMAR: {problem.text}", help="correct the length", about=bears_on
        )
        if problem.kind == "length":
            return


PAGE, PAGE_BITS = 1 << 12, 12
FUNCTIONS = (ScopeType.ENDPOINT, ScopeType.BRIDGE)


@check("RPX0636", Level.ERROR, only="x86", requires=("RPX0763",))
def dmar_unusable(facts: Facts) -> Iterator[Finding]:
    """What it finds: a DMAR whose host address width is less than a page's, and a VT-d unit whose registers
    begin at 0 or within a page; also a unit for no function, with neither a device scope nor INCLUDE_PCI_ALL,
    and a DMAR without a unit (warnings).
    Why it matters: over the first two Linux drops the whole of DMAR: nothing is translated, no function has a
    group. A unit that does not begin on a page is not where the table says. One for no function translates
    for none.
    Example: a DRHD with base 0, which firmware was to fill in.
    What to do: write the address of the unit's registers; name what it translates for.
    Source: Intel VT-d 4.1 §8.1 and §8.3; Linux drivers/iommu/intel/dmar.c, parse_dmar_table ("Invalid DMAR
    haw") and dmar_validate_one_drhd.
    Sources that prove it: DMAR.
    """
    dmar = facts.tables.dmar
    if dmar is None:
        return
    lost = ("Linux uses none of DMAR then: no function has a group",)
    bears_on = with_maps(*(each.name for each in facts.bridges))
    if dmar.host_address_width < PAGE_BITS:
        yield dmar_unusable.rule.finding(
            place_of(dmar.table, size_of(HEADER), DMAR_HEAD, "host_address_width"),
            f"the host address width of DMAR is {dmar.host_address_width}",
            notes=lost,
            help="write the number of address bits less one, as 46 - 1",
            about=bears_on,
        )
    if not dmar.drhds:
        yield dmar_unusable.rule.finding(
            dmar.table.place(size_of(HEADER)),
            "DMAR describes no VT-d unit",
            level=Level.WARNING,
            notes=("nothing is translated, no function has a group",),
            help="describe each unit by a DRHD, or leave the table out",
        )
    for unit in dmar.drhds:
        assert unit.place.offset is not None
        if unit.base % PAGE or not unit.base:
            at = f"begins {unit.base % PAGE:#x} bytes into a page" if unit.base else "has its registers at 0"
            yield dmar_unusable.rule.finding(
                place_of(dmar.table, unit.place.offset, DMAR_DRHD, "base"),
                f"the VT-d unit of segment {unit.segment} {at}",
                notes=() if unit.base else lost,
                help="write the address of its registers",
                about=bears_on,
            )
        elif not unit.include_all and not any(each.type in FUNCTIONS for each in unit.scopes):
            yield dmar_unusable.rule.finding(
                unit.place,
                f"the VT-d unit at {unit.base:#x} is for no function",
                level=Level.WARNING,
                notes=("no device scope names one, and its INCLUDE_PCI_ALL is off",),
                help="set INCLUDE_PCI_ALL, or name what it translates for",
            )


@check("RPX0755", Level.ERROR, only="x86")
def dmar_unit_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: one VT-d unit's registers in DMAR for two segments.
    Why it matters: Linux takes the registers once; the second unit fails, and the whole of DMAR with it:
    nothing is translated, no function has a group.
    Example: host bridges of segments 0 and 1 whose `iommu` names one unit.
    What to do: describe a unit for each segment.
    Source: Intel VT-d specification 4.1 §8.3; Linux drivers/iommu/intel/dmar.c, map_iommu and
    parse_dmar_table.
    Sources that prove it: DMAR.
    """
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
            yield dmar_unit_twice.rule.finding(
                segment(unit),
                f"the VT-d unit at {unit.base:#x} is in segment {unit.segment} and in {other.segment}",
                related=((segment(other), "the other segment"),),
                notes=("Linux uses none of DMAR then: no function has a group",),
                help="describe a unit for each segment",
            )


@check("RPX0753", Level.WARNING)
def dmar_segment_stray(facts: Facts) -> Iterator[Finding]:
    """What it finds: a unit, reserved memory or ports with ATS in DMAR of a segment that no host bridge has.
    Why it matters: it is for nobody. Nothing translates the devices that the unit was meant for; those that
    use the memory lose it; those below the ports have no ATS.
    Example: a DRHD of segment 1, bridges on 0.
    What to do: correct the segment.
    Source: Intel VT-d specification 4.1 §8.3 (DRHD), §8.4 (RMRR), §8.5 (ATSR).
    Sources that prove it: DMAR with AML.
    """
    if facts.acpi is None:
        return
    dmar = facts.acpi.dmar
    segments = {bridge.segment for bridge in facts.acpi.namespace.bridges}
    if dmar is None or None in segments or not segments:
        return
    for unit in dmar.drhds:
        if unit.segment not in segments:
            yield dmar_segment_stray.rule.finding(
                unit.place,
                f"no host bridge has segment {unit.segment} of the VT-d unit at {unit.base:#x}",
                help="correct the unit's segment",
            )
    others = [
        *((rmrr.segment, rmrr.place, f"the memory at {rmrr.base:#x} of RMRR") for rmrr in dmar.rmrrs),
        *((atsr.segment, atsr.place, "ATSR") for atsr in dmar.atsrs),
    ]
    for segment, place, what in others:
        if segment not in segments:
            yield dmar_segment_stray.rule.finding(
                place, f"no host bridge has segment {segment} of {what}", help="correct the segment"
            )
