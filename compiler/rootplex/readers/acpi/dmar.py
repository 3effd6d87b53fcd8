"""DMAR: VT-d units, what they translate for, and reserved memory (VT-d specification 4.1, §8)."""

from __future__ import annotations

from dataclasses import dataclass

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


@dataclass(frozen=True, slots=True)
class DeviceScope:
    """A device named by its path: `type` 1 endpoint, 2 bridge (with all below), 3 I/O APIC,
    4 HPET, 5 namespace device; `path` the (device, function) of each hop from `start_bus`."""

    type: int
    flags: int
    enumeration_id: int
    start_bus: int
    path: tuple[tuple[int, int], ...]
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Drhd:
    """One remapping unit of one segment; with `include_all` for whatever no other unit names."""

    flags: int
    segment: int
    base: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace

    @property
    def include_all(self) -> bool:
        """Bit 0 of the flags."""
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True)
class Rmrr:
    """Memory (`base` to `limit`, inclusive) that devices use without the system's knowledge."""

    segment: int
    base: int
    limit: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Atsr:
    """Root ports below which ATS may be used; bit 0 of `flags`: all ports of the segment."""

    flags: int
    segment: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Rhsa:
    """The proximity domain of the unit at `base`."""

    base: int
    proximity_domain: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Andd:
    """The namespace name of the device that scopes of type 5 name by `number`."""

    number: int
    name: str
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Satc:
    """Integrated devices with address translation caches; bit 0 of `flags`: ATS is required."""

    flags: int
    segment: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Dmar:
    """The whole table. `flags` bit 0: interrupt remapping; `host_address_width` in bits."""

    table: Table
    host_address_width: int
    flags: int
    drhds: tuple[Drhd, ...]
    rmrrs: tuple[Rmrr, ...]
    atsrs: tuple[Atsr, ...] = ()
    rhsas: tuple[Rhsa, ...] = ()
    andds: tuple[Andd, ...] = ()
    satcs: tuple[Satc, ...] = ()
    problems: tuple[Problem, ...] = ()
