"""VIOT: which virtio-iommu translates which endpoints (ACPI 6.5 §5.2.31)."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import (
    HEADER,
    VIOT_HEAD,
    VIOT_LAYOUTS,
    VIOT_NODE,
    ViotType,
    size_of,
)
from rootplex.readers.acpi.fields import place_of, read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class ViotUnit(Struct, frozen=True):
    """A virtio-iommu at an offset of the table: a function (`segment`, `rid`), or registers at `base`."""

    offset: int
    place: TablePlace
    segment: int | None = None
    rid: int | None = None
    base: int | None = None


class ViotRange(Struct, frozen=True):
    """Functions of some segments, requester ids `first` to `last`, whose endpoint ids begin at `endpoint`;
    `unit` is the offset of what translates them."""

    first_segment: int
    last_segment: int
    first: int
    last: int
    endpoint: int
    unit: int
    place: TablePlace

    def endpoint_of(self, segment: int, rid: int) -> int | None:
        """The endpoint id of a function; None where it is not in the range (`viot_pci_dev_iommu_init`)."""
        if not (self.first_segment <= segment <= self.last_segment and self.first <= rid <= self.last):
            return None
        return (segment - self.first_segment << 16) + rid - self.first + self.endpoint


class Viot(Struct, frozen=True):
    """The whole table; endpoints that are no PCI functions are left out."""

    table: Table
    units: tuple[ViotUnit, ...]
    ranges: tuple[ViotRange, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def decisive(self) -> tuple[tuple[ViotRange, ViotUnit], ...]:
        """The ranges that lead to a unit, with it, in the order in which Linux asks them: it puts each that
        it reads before the others (`viot_parse_node`, `list_add`), and drops one that leads nowhere."""
        units = {unit.offset: unit for unit in self.units}
        return tuple((each, units[each.unit]) for each in reversed(self.ranges) if each.unit in units)


def read_viot(table: Table) -> Viot:
    """All nodes, as many as the head says; one that does not fit ends the reading with a problem."""
    problems = list(table.problems)
    units: list[ViotUnit] = []
    ranges: list[ViotRange] = []
    start = size_of(HEADER, VIOT_HEAD)
    if table.length < start:
        text = f"{table.length} bytes, {start} precede the nodes"
        problems.append(Problem("size", table.place(4, 4), text))
        return Viot(table, (), (), tuple(problems))
    head = read_fields(VIOT_HEAD, table.data, size_of(HEADER))
    at = head["node_offset"]
    if head["node_count"] and at < start:
        place = place_of(table, size_of(HEADER), VIOT_HEAD, "node_offset")
        text = f"the nodes are to begin at {at:#x}, within the table's head"
        problems.append(Problem("length", place, text))
        return Viot(table, (), (), tuple(problems))
    for _ in range(head["node_count"]):
        left = table.length - at
        whole = left >= size_of(VIOT_NODE)
        own = read_fields(VIOT_NODE, table.data, at) if whole else {"type": 0, "length": 0}
        layout = VIOT_LAYOUTS.get(own["type"])
        length = own["length"]
        if not size_of(layout or VIOT_NODE) <= length <= left:
            text = f"node of {length} bytes, {max(left, 0)} are left"
            problems.append(Problem("length", table.place(at), text))
            break
        place = table.place(at, length)
        it = {} if layout is None else read_fields(layout, table.data, at)
        match own["type"]:
            case ViotType.PCI_RANGE:
                ranges.append(
                    ViotRange(
                        it["first_segment"],
                        it["last_segment"],
                        it["first"],
                        it["last"],
                        it["endpoint"],
                        it["output"],
                        place,
                    )
                )
            case ViotType.PCI_IOMMU:
                units.append(ViotUnit(at, place, segment=it["segment"], rid=it["rid"]))
            case ViotType.MMIO_IOMMU:
                units.append(ViotUnit(at, place, base=it["base"]))
        at += length
    known = {unit.offset for unit in units}
    for each in ranges:
        if each.first > each.last or each.first_segment > each.last_segment:
            problems.append(Problem("count", each.place, "a range whose end is before its beginning"))
        if each.unit not in known:
            text = f"the range leads to offset {each.unit:#x}, where no virtio-iommu is"
            problems.append(Problem("reference", each.place, text))
    return Viot(table, tuple(units), tuple(ranges), tuple(problems))
