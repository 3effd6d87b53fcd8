"""VIOT: which virtio-iommu translates which endpoints (ACPI 6.5 §5.2.31)."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import VIOT_HEAD, VIOT_LAYOUTS, VIOT_NODE, ViotType
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.structures import Unit, listed_nodes, made
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


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
    units: tuple[Unit, ...]
    ranges: tuple[ViotRange, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def decisive(self) -> tuple[tuple[ViotRange, Unit], ...]:
        """The ranges that lead to a unit, with it, in the order in which Linux asks them: it puts each that
        it reads before the others (`viot_parse_node`, `list_add`), and drops one that leads nowhere."""
        units = {unit.offset: unit for unit in self.units}
        return tuple((each, units[each.unit]) for each in reversed(self.ranges) if each.unit in units)


def read_viot(table: Table) -> Viot:
    """All nodes, as many as the head says; one that does not fit ends the reading with a problem."""
    nodes, found = listed_nodes(table, VIOT_HEAD, VIOT_NODE, VIOT_LAYOUTS)
    problems = [*table.problems, *found]
    units: list[Unit] = []
    ranges: list[ViotRange] = []
    for node in nodes:
        if node.type == ViotType.PCI_RANGE:
            ranges.append(made(ViotRange, node, unit=node.fields["output"]))
        elif node.type in (ViotType.PCI_IOMMU, ViotType.MMIO_IOMMU):
            units.append(made(Unit, node, offset=node.offset))
    known = {unit.offset for unit in units}
    for each in ranges:
        if each.first > each.last or each.first_segment > each.last_segment:
            problems.append(Problem("count", each.place, "a range whose end is before its beginning"))
        if each.unit not in known:
            text = f"the range leads to offset {each.unit:#x}, where no virtio-iommu is"
            problems.append(Problem("reference", each.place, text))
    return Viot(table, tuple(units), tuple(ranges), tuple(problems))
