"""What is wrong with VIOT: virtio-iommus and ranges against each other, host bridges, and what is there."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, own_problems
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.ids._claims import BESIDE
from rootplex.checks.simulated import booted
from rootplex.formats.acpi import VIOT_PCI_IOMMU, VIOT_PCI_RANGE
from rootplex.formats.pci import devfn_text, sbdf_text
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.structures import Unit
from rootplex.readers.acpi.viot import Viot, ViotRange
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0764", Level.ERROR)
def viot_malformed(facts: Facts) -> Iterator[Finding]:
    """What it finds: nodes of VIOT that do not fit, ranges that run backwards or lead to no virtio-iommu.
    Why it matters: Linux reads no more behind a node that does not fit, and drops a range that leads nowhere:
    the functions that it is for have no IOMMU.
    Example: a range whose output node is offset 0x40, in a table whose virtio-iommu is at 0x30.
    What to do: correct the field that is pointed at; `iasl -d` shows what it makes of the table.
    Source: ACPI 6.5 §5.2.31; Linux drivers/acpi/viot.c, viot_check_bounds and viot_get_iommu.
    Sources that prove it: VIOT.
    """
    bears_on = with_maps(*(each.name for each in facts.bridges))
    for problem in own_problems(facts.tables.viot):
        yield viot_malformed.rule.finding(
            problem.place, f"VIOT: {problem.text}", help="correct the field", about=bears_on
        )


@check("RPX0765", Level.WARNING, requires=("RPX0764",))
def viot_stray(facts: Facts) -> Iterator[Finding]:
    """What it finds: a range of VIOT none of whose functions are on a bus of a host bridge; as an error, a
    virtio-iommu that is on no bus of one.
    Why it matters: the range is for nobody, and nothing translates the functions that it was meant for; of a
    virtio-iommu that is not found all ranges are dropped.
    Example: a range for segment 1, where the only host bridge has `_SEG` 0.
    What to do: correct the segment or the functions' numbers (bus << 8 | device << 3 | function).
    Source: ACPI 6.5 §5.2.31.2, §5.2.31.4; Linux drivers/acpi/viot.c, viot_pci_dev_iommu_init and
    viot_get_pci_iommu_fwnode.
    Sources that prove it: VIOT with AML.
    """
    table = facts.tables.viot
    found = list(bridges(facts))
    if table is None or not found or any(each.segment is None or each.buses is None for each in found):
        return
    spans = [(each.segment, *each.buses.rids) for each in found if each.buses is not None]
    for unit in table.units:
        if unit.segment is None or unit.rid is None:
            continue
        if not any(segment == unit.segment and first <= unit.rid <= last for segment, first, last in spans):
            yield viot_stray.rule.finding(
                _of_unit(table, unit, "segment"),
                f"no host bridge has a bus with {_unit_text(unit)}",
                level=Level.ERROR,
                notes=("Linux drops the ranges that lead to it: their functions have no IOMMU",),
                help="correct its segment or its function",
                subject="VIOT",
                about=with_maps(*(each.name for each in facts.bridges)),
            )
    for each in table.ranges:
        if each.first <= each.last and not any(
            segment is not None
            and each.first_segment <= segment <= each.last_segment
            and first <= each.last
            and each.first <= last
            for segment, first, last in spans
        ):
            yield viot_stray.rule.finding(
                _of_range(table, each, "first_segment"),
                f"no host bridge has a bus with {_range_text(each)}, for which VIOT has a range",
                help="correct the range's segments or functions",
                subject="VIOT",
            )


@check("RPX0766", Level.ERROR, needs="simulation", requires=("RPX0764", "RPX0765", "RPX0903"))
def viot_iommu_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a virtio-iommu of VIOT where no function is.
    Why it matters: Linux drops the ranges that lead to it: their functions have no IOMMU and no group.
    Example: a `dt-node` with `dev: 2` among `iommus`, and no device at 02.0 of its bridge.
    What to do: describe the function (`model: "qemu:virtio-iommu-pci"`), or correct `dev` and `fn` of the
    unit.
    Source: Linux drivers/acpi/viot.c, viot_get_pci_iommu_fwnode ("Could not find PCI IOMMU").
    """
    outcome, table = booted(facts), facts.tables.viot
    if outcome.settings.firmware != "acpi" or table is None:
        return
    present = {(function.segment, function.rid) for function in outcome.dom0.functions}
    segments = {segment for segment, _ in present}
    for unit in table.units:
        if unit.segment not in segments or (unit.segment, unit.rid) in present:
            continue
        yield viot_iommu_missing.rule.finding(
            _of_unit(table, unit, "rid"),
            f"VIOT names {_unit_text(unit)}, where no function is",
            notes=("Linux drops the ranges that lead to it: their functions have no IOMMU",),
            help="describe its function, or correct the unit's 'dev' and 'fn'",
            subject="VIOT",
            about=with_maps(*(each.name for each in facts.bridges)),
        )


@check("RPX0767", Level.WARNING, requires=("RPX0764",))
def viot_ids_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: functions that two ranges of VIOT give different endpoint ids, or different
    virtio-iommus.
    Why it matters: Linux takes the range that stands last in the table, another system may take the first;
    one of the two is not what the virtio-iommu knows the function by.
    Example: a range for buses 00 to ff, and one for bus 3 behind it with ids of its own.
    What to do: let the ranges have no function in common.
    Source: ACPI 6.5 §5.2.31; Linux drivers/acpi/viot.c, viot_parse_node (list_add).
    Sources that prove it: VIOT.
    """
    table = facts.tables.viot
    before: list[tuple[ViotRange, Unit]] = []
    for pair in sorted(() if table is None else table.decisive, key=lambda pair: pair[0].first):
        for other in before:
            each, related = sorted((pair, other), key=lambda pair: -(pair[0].place.offset or 0))
            both = _in_common(each[0], related[0])
            if both is None:
                continue
            segment, first, last = both
            ids = each[0].endpoint_of(segment, first), related[0].endpoint_of(segment, first)
            if each[1] is related[1] and ids[0] == ids[1]:
                continue
            units = _unit_text(each[1]), _unit_text(related[1])
            by_unit = f"from {ids[0]:#x} and from {ids[1]:#x} of {units[0]}"
            if each[1] is not related[1]:
                by_unit = f"from {ids[0]:#x} of {units[0]} and from {ids[1]:#x} of {units[1]}"
            yield viot_ids_twice.rule.finding(
                each[0].place,
                f"VIOT has {sbdf_text(segment, first >> 8, first & 0xFF)} to "
                f"{sbdf_text(segment, last >> 8, last & 0xFF)} in two ranges, with endpoint ids {by_unit}",
                related=((related[0].place, "the other range"),),
                notes=("Linux takes the range that stands last",),
                help="let the ranges have no function in common",
                subject="VIOT",
            )
            break
        before = sorted((*before, pair), key=lambda pair: -pair[0].last)[:BESIDE]


def _in_common(one: ViotRange, other: ViotRange) -> tuple[int, int, int] | None:
    """The first segment, and the first and last requester id there, that two ranges have in common."""
    segment = max(one.first_segment, other.first_segment)
    first, last = max(one.first, other.first), min(one.last, other.last)
    if segment > min(one.last_segment, other.last_segment) or first > last:
        return None
    return segment, first, last


def _unit_text(unit: Unit) -> str:
    if unit.segment is None or unit.rid is None:
        return f"the virtio-iommu at {unit.base or 0:#x}"
    return f"the virtio-iommu {sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)}"


def _range_text(each: ViotRange) -> str:
    segments = f"segment {each.first_segment}"
    if each.first_segment != each.last_segment:
        segments = f"segments {each.first_segment} to {each.last_segment}"
    ends = (f"{rid >> 8:02x}:{devfn_text(rid & 0xFF)}" for rid in (each.first, each.last))
    return f"functions {' to '.join(ends)} of {segments}"


def _of_unit(table: Viot, unit: Unit, name: str) -> Place:
    return place_of(table.table, unit.offset, VIOT_PCI_IOMMU, name)


def _of_range(table: Viot, each: ViotRange, name: str) -> Place:
    assert each.place.offset is not None
    return place_of(table.table, each.place.offset, VIOT_PCI_RANGE, name)
