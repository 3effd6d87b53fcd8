"""What is wrong with IVRS: AMD's units against each other, host bridges, and what is there."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import own_problems
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted
from rootplex.formats.acpi import IVHD_HEADS
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.ivrs import Ivhd, IvhdIds, Ivrs
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0758", Level.ERROR, only="x86")
def ivrs_malformed(facts: Facts) -> Iterator[Finding]:
    """What it finds: blocks and entries of IVRS that do not fit, and ranges without a beginning or an end.
    Why it matters: a wrong length moves all that is behind it; Linux then reads entries that nobody wrote.
    Example: an IVHD block that is longer than what is left of the table.
    What to do: correct the field that is pointed at.
    Source: AMD I/O Virtualization Technology 3.08 §5.2.2; Linux drivers/iommu/amd/init.c,
    init_iommu_from_acpi.
    Sources that prove it: IVRS.
    """
    bears_on = with_maps(*(each.name for each in facts.bridges))
    for problem in own_problems(_ivrs(facts)):
        yield ivrs_malformed.rule.finding(
            problem.place, f"IVRS: {problem.text}", help="correct the field", about=bears_on
        )


@check("RPX0759", Level.ERROR, only="x86")
def ivrs_unit_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: the registers of one AMD IOMMU in two blocks of IVRS, in two segments or one.
    Why it matters: Linux takes the registers once; the second unit fails, and the whole of IVRS with it:
    nothing is translated, no function has a group.
    Example: host bridges of segments 0 and 1 whose `iommu` names one unit.
    What to do: describe a unit for each segment.
    Source: Linux drivers/iommu/amd/init.c, iommu_map_mmio_space and init_iommu_all.
    Sources that prove it: IVRS.
    """
    first: dict[int, Ivhd] = {}
    for unit in _units(facts):
        other = first.setdefault(unit.base, unit)
        if other is unit:
            continue
        where = f"in segment {unit.segment} and in {other.segment}"
        if unit.segment == other.segment:
            where = f"twice in segment {unit.segment}"
        yield ivrs_unit_twice.rule.finding(
            _field(facts, unit, "segment"),
            f"the AMD IOMMU at {unit.base:#x} is {where}",
            related=((_field(facts, other, "segment"), "the other block"),),
            notes=("Linux uses none of IVRS then: no function has a group",),
            help="describe a unit for each segment",
            about=with_maps(*(each.name for each in facts.bridges)),
        )


@check("RPX0760", Level.WARNING, only="x86")
def ivrs_segment_stray(facts: Facts) -> Iterator[Finding]:
    """What it finds: an AMD IOMMU in IVRS of a segment that no host bridge has.
    Why it matters: it translates for nobody, and nothing translates the devices that it was meant for.
    Example: an IVHD block of segment 1, bridges whose `_SEG` is 0.
    What to do: correct the segment of one of the two.
    Source: AMD I/O Virtualization Technology 3.08 §5.2.2.1 (PCI Segment Group).
    Sources that prove it: IVRS with AML.
    """
    segments = set() if facts.acpi is None else {each.segment for each in facts.acpi.namespace.bridges}
    if None in segments or not segments:
        return
    for unit in _units(facts):
        if unit.segment not in segments:
            yield ivrs_segment_stray.rule.finding(
                _field(facts, unit, "segment"),
                f"no host bridge has segment {unit.segment} of the AMD IOMMU at {unit.base:#x}",
                help="correct the unit's segment",
            )


@check("RPX0761", Level.WARNING, only="x86")
def ivrs_ids_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: requester ids of one segment that two AMD IOMMUs are to translate.
    Why it matters: the hardware has one of them above a device; Linux takes the one that IVRS names last, and
    where that is the wrong one, the device reaches no memory.
    Example: two IVHD blocks of segment 0, both for buses 00 to ff.
    What to do: let each unit name the ids of its own host bridges alone.
    Source: Linux drivers/iommu/amd/init.c, set_dev_entry_from_acpi (`rlookup_table`).
    Sources that prove it: IVRS.
    """
    spans: list[tuple[int, int, int, Ivhd, IvhdIds]] = [
        (unit.segment, ids.first, ids.last, unit, ids)
        for unit in _units(facts)
        for ids in unit.ids
        if ids.special is None and ids.name is None
    ]
    told: set[tuple[int, int]] = set()
    highest: tuple[int, int, int, Ivhd, IvhdIds] | None = None
    for span in sorted(spans, key=lambda each: each[:3]):
        segment, first, last, unit, ids = span
        if highest is not None and highest[0] == segment and first <= highest[2]:
            other = highest[3]
            if other.base != unit.base and (other.base, unit.base) not in told:
                told.add((other.base, unit.base))
                upto = min(last, highest[2])
                yield ivrs_ids_twice.rule.finding(
                    ids.place,
                    f"the AMD IOMMUs at {other.base:#x} and {unit.base:#x} both take the requester ids "
                    f"{first:#06x} to {upto:#06x}",
                    related=((highest[4].place, "the other entry"),),
                    help="let each unit name the ids of its own host bridges",
                )
        if highest is None or highest[0] != segment or last > highest[2]:
            highest = span


@check("RPX0762", Level.ERROR, needs="simulation", only="x86", requires=("RPX0759", "RPX0760", "RPX0903"))
def ivrs_function_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: an AMD IOMMU whose own PCI function, which IVRS names, is not there.
    Why it matters: Linux looks for its capability there; without the function it gives up every unit of the
    machine: nothing is translated, no function has a group.
    Example: `{kind: amd-iommu, dev: 0, fn: 2}` where no device is described at 00.2.
    What to do: describe the function (`type: pci, class: 0x080600`), or correct `dev` and `fn` of the unit.
    Source: Linux drivers/iommu/amd/init.c, iommu_init_pci (-ENODEV).
    """
    outcome = booted(facts)
    if outcome.settings.firmware != "acpi":
        return
    present = {(function.segment, function.rid) for function in outcome.dom0.functions}
    segments = {segment for segment, _ in present}
    for unit in _units(facts):
        if unit.segment in segments and (unit.segment, unit.device_id) not in present:
            bus, devfn = unit.device_id >> 8, unit.device_id & 0xFF
            sbdf = f"{unit.segment:04x}:{bus:02x}:{devfn >> 3:02x}.{devfn & 7}"
            yield ivrs_function_missing.rule.finding(
                _field(facts, unit, "device_id"),
                f"the AMD IOMMU at {unit.base:#x} is to be {sbdf}, where no function is",
                notes=("Linux uses none of IVRS then: no function has a group",),
                help="describe its function (type: pci, class: 0x080600), or correct the unit's 'dev', 'fn'",
                about=with_maps(*(each.name for each in facts.bridges)),
            )


def _ivrs(facts: Facts) -> Ivrs | None:
    return facts.tables.ivrs


def _units(facts: Facts) -> tuple[Ivhd, ...]:
    table = _ivrs(facts)
    return () if table is None else table.used


def _field(facts: Facts, unit: Ivhd, name: str) -> Place:
    table = _ivrs(facts)
    assert table is not None
    assert unit.place.offset is not None
    return place_of(table.table, unit.place.offset, IVHD_HEADS[unit.type], name)
