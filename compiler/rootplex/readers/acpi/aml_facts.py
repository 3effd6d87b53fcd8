"""The facts of AML: host bridges and the devices that consume addresses, as evaluated values."""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from rootplex.readers.acpi.resources import Resource
from rootplex.readers.buses import Buses
from rootplex.readers.inbound import BusStretch
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace

T = TypeVar("T")

State: TypeAlias = Literal["absent", "known", "unknown", "failed"]


class Value(Struct, Generic[T], frozen=True):
    """An object of the namespace, evaluated.

    absent: no such object · known: `value` holds · unknown: `value` (None where evaluation gave
    up) was computed from memory that a dump does not have; `reason` names it · failed: evaluation
    failed, or gave an object of another type (`reason`); no value.
    """

    state: State
    value: T | None
    reason: str | None
    place: TablePlace

    @property
    def known(self) -> T | None:
        """The value where it can be relied on, else None."""
        return self.value if self.state == "known" else None


class Template(Struct, frozen=True):
    """A `_CRS`: its bytes and descriptors; `fault` as in `ResourceList`. `sure` tells of each
    descriptor whether it comes out the same whatever absent memory holds (tried with two fillings):
    so the bus range of an `unknown` template can be known all the same."""

    data: bytes
    resources: tuple[Resource, ...]
    sure: tuple[bool, ...]
    fault: str | None

    @property
    def bus_descriptor(self) -> Resource | None:
        """The bus descriptor that counts: of several the last that is not empty, as Linux takes it
        (drivers/acpi/pci_root.c `get_root_bridge_busnr_callback`)."""
        found = [r for r in self.resources if r.type == "bus" and r.length]
        return found[-1] if found else None

    @property
    def windows(self) -> tuple[Resource, ...]:
        """The certain descriptors of memory and I/O that are passed on, and that Linux does not drop."""
        return tuple(r for r in self.certain if r.type in ("memory", "io") and r.producer and r.span)

    @property
    def certain(self) -> tuple[Resource, ...]:
        """The descriptors that can be relied on."""
        return tuple(r for r, sure in zip(self.resources, self.sure, strict=True) if sure)


class PrtEntry(Struct, frozen=True):
    """One entry of `_PRT`: device number, function (0xffff: all), pin (0-3), last name of the link
    device (None: `index` is a GSI)."""

    device: int
    function: int
    pin: int
    source: str | None
    index: int


class AcpiDevice(Struct, frozen=True):
    """A device that consumes addresses: its ids, whether it is there, its resources."""

    path: str
    hid: str | None
    cids: tuple[str, ...]
    uid: Value[int | str]
    sta: Value[int]
    crs: Value[Template]
    place: TablePlace

    @property
    def is_on(self) -> bool | None:
        """As of a host bridge."""
        return _is_on(self.sta)

    def descriptor(self, item: Resource) -> TablePlace:
        """The place of one descriptor of `_CRS`."""
        return _descriptor(self.crs, item)


def _descriptor(template: Value[Template], item: Resource) -> TablePlace:
    place = template.place
    return TablePlace(place.file, place.table, item.offset, item.size, place.path)


_PRESENT_OR_FUNCTIONING = 0x9


def _is_on(sta: Value[int]) -> bool | None:
    """Whether Linux takes a device to be there (drivers/acpi/scan.c): by bits 0 and 3 of `_STA`
    (`acpi_device_is_present`), yes without one, no where it cannot be evaluated (`acpi_scan_init_status`);
    None where its value cannot be known."""
    if sta.state == "unknown":
        return None
    return sta.state == "absent" or bool((sta.known or 0) & _PRESENT_OR_FUNCTIONING)


class AcpiHostBridge(Struct, frozen=True):
    """A host bridge: PNP0A03 or PNP0A08 in `_HID` or `_CID`. `path` is normalised (`\\_SB.PCI0`).

    Its objects have their names in AML without the underscore; integers are of any width. `osc` is what
    `_OSC` returns (cells of the capabilities buffer) for a query with all of Linux's bits; `preserve` what
    `_DSM` function 5 returns, absent where that is no integer. `external_facing`: the ways, by devfn (of
    `_ADR`) from the first bus down, to the devices with that property; `tunnels`: to ports of a USB4 host.
    What they come to are the properties.
    """

    path: str
    hid: str | None
    cids: tuple[str, ...]
    seg: Value[int]
    bbn: Value[int]
    cba: Value[int]
    uid: Value[int | str]
    sta: Value[int]
    crs: Value[Template]
    dma: Value[Template]
    cca: Value[int]
    pxm: Value[int]
    prt: Value[tuple[PrtEntry, ...]]
    osc: Value[tuple[int, ...]]
    preserve: Value[int]
    place: TablePlace
    external_facing: tuple[tuple[int, ...], ...] = ()
    tunnels: tuple[tuple[int, ...], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_on(self) -> bool | None:
        """Whether an operating system takes it to be there; None where that cannot be known."""
        return _is_on(self.sta)

    @property
    def segment(self) -> int | None:
        """The segment that Linux takes: the low 16 bits of `_SEG`, 0 without; None where that cannot be
        known."""
        if self.seg.state == "absent":
            return 0
        return None if self.seg.known is None else self.seg.known & 0xFFFF

    @property
    def buses(self) -> Buses | None:
        """The buses of `_CRS`; None where they cannot be known, or are none."""
        template = self.crs.value
        item = None if template is None else template.bus_descriptor
        if template is None or item is None or item not in template.certain:
            return None
        return Buses(item.minimum, item.minimum + item.length - 1)

    @property
    def buses_at(self) -> TablePlace:
        """Where its buses are said: the descriptor, else `_CRS`."""
        item = None if self.crs.value is None else self.crs.value.bus_descriptor
        return self.crs.place if item is None else self.descriptor(item)

    @property
    def windows(self) -> tuple[Resource, ...]:
        """What is surely passed to the bus below: memory and I/O of `_CRS`."""
        return () if self.crs.value is None else self.crs.value.windows

    @property
    def inbound(self) -> tuple[BusStretch, ...] | None:
        """What `_DMA` limits DMA of its devices to: the memory in it, whatever that says of producing. None
        where it says nothing, or nothing that can be relied on (Linux drivers/acpi/scan.c,
        acpi_dma_get_range)."""
        template = self.dma.known
        found = () if template is None else template.resources
        return (
            tuple(
                BusStretch(item.minimum, item.cpu_minimum, item.span, self.descriptor(item, "_DMA"))
                for item in found
                if item.type == "memory" and item.span
            )
            or None
        )

    def descriptor(self, item: Resource, object: Literal["_CRS", "_DMA"] = "_CRS") -> TablePlace:
        """The place of one descriptor of a resource template."""
        return _descriptor(self.crs if object == "_CRS" else self.dma, item)


class Namespace(Struct, frozen=True):
    """What the DSDT and SSDTs say: host bridges in namespace order, the motherboard resources
    (PNP0C01, PNP0C02) and every other device with a `_CRS` that has memory in it. `has_aml` is false where
    tables stand alone: then it is empty, and nothing is known of bridges."""

    file: str
    bridges: tuple[AcpiHostBridge, ...]
    motherboard: tuple[AcpiDevice, ...]
    consumers: tuple[AcpiDevice, ...]
    problems: tuple[Problem, ...] = ()
    has_aml: bool = True
