"""The facts of AML: host bridges and the devices that consume addresses, as evaluated values."""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from rootplex.readers.acpi.resources import Resource
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
    """A `_CRS`: its bytes and descriptors; `fault` as in `ResourceList`. `steady` tells of each
    descriptor whether it comes out the same whatever absent memory holds (tried with two fillings):
    so the bus range of an `unknown` template can be known all the same."""

    data: bytes
    resources: tuple[Resource, ...]
    steady: tuple[bool, ...]
    fault: str | None

    @property
    def certain(self) -> tuple[Resource, ...]:
        """The descriptors that can be relied on."""
        return tuple(r for r, steady in zip(self.resources, self.steady, strict=True) if steady)


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
    status: Value[int]
    crs: Value[Template]
    place: TablePlace


class AcpiHostBridge(Struct, frozen=True):
    """A host bridge: PNP0A03 or PNP0A08 in `_HID` or `_CID`. `path` is normalised (`\\_SB.PCI0`).

    `segment`, `bus`, `config_base` are `_SEG`, `_BBN`, `_CBA`, as integers of any width;
    `coherent` `_CCA`, `proximity` `_PXM`; `osc` what `_OSC` returns (cells of the capabilities
    buffer) for a query with all of Linux's bits; `preserve` what `_DSM` function 5 returns, absent
    where that is no integer.
    """

    path: str
    hid: str | None
    cids: tuple[str, ...]
    segment: Value[int]
    bus: Value[int]
    config_base: Value[int]
    uid: Value[int | str]
    status: Value[int]
    crs: Value[Template]
    coherent: Value[int]
    proximity: Value[int]
    prt: Value[tuple[PrtEntry, ...]]
    osc: Value[tuple[int, ...]]
    preserve: Value[int]
    place: TablePlace
    problems: tuple[Problem, ...] = ()


class Namespace(Struct, frozen=True):
    """What the DSDT and SSDTs say: host bridges in namespace order, the motherboard resources
    (PNP0C01, PNP0C02) and every other device with a `_CRS` that has memory in it."""

    file: str
    bridges: tuple[AcpiHostBridge, ...]
    motherboard: tuple[AcpiDevice, ...]
    consumers: tuple[AcpiDevice, ...]
    problems: tuple[Problem, ...] = ()
