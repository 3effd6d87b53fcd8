"""DMAR: VT-d units, what they translate for, and reserved memory (VT-d specification 4.1, §8)."""

from __future__ import annotations

import struct

from msgspec import Struct

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class DeviceScope(Struct, frozen=True):
    """A device named by its path: `type` 1 endpoint, 2 bridge (with all below), 3 I/O APIC,
    4 HPET, 5 namespace device; `path` the (device, function) of each hop from `start_bus`."""

    type: int
    flags: int
    enumeration_id: int
    start_bus: int
    path: tuple[tuple[int, int], ...]
    place: TablePlace


class Drhd(Struct, frozen=True):
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


class Rmrr(Struct, frozen=True):
    """Memory (`base` to `limit`, inclusive) that devices use without the system's knowledge."""

    segment: int
    base: int
    limit: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


class Atsr(Struct, frozen=True):
    """Root ports below which ATS may be used; bit 0 of `flags`: all ports of the segment."""

    flags: int
    segment: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


class Rhsa(Struct, frozen=True):
    """The proximity domain of the unit at `base`."""

    base: int
    proximity_domain: int
    place: TablePlace


class Andd(Struct, frozen=True):
    """The namespace name of the device that scopes of type 5 name by `number`."""

    number: int
    name: str
    place: TablePlace


class Satc(Struct, frozen=True):
    """Integrated devices with address translation caches; bit 0 of `flags`: ATS is required."""

    flags: int
    segment: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


class Dmar(Struct, frozen=True):
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


STRUCTURES_AT = 48
_SCOPE = struct.Struct("<BBBxBB")
# Type to the format of its fields after the (type, length) header, which ends where scopes start.
_FORMATS = {
    0: struct.Struct("<4xBxHQ"),
    1: struct.Struct("<4x2xHQQ"),
    2: struct.Struct("<4xBxH"),
    3: struct.Struct("<4x4xQI"),
    4: struct.Struct("<4x3xB"),
    5: struct.Struct("<4xBxH"),
}


def read_dmar(table: Table) -> Dmar:
    """All structures; one that does not fit ends the reading with a problem."""
    problems = list(table.problems)
    width, flags = 0, 0
    if table.length < STRUCTURES_AT:
        text = f"{table.length} bytes, {STRUCTURES_AT} precede the structures"
        problems.append(Problem("size", table.place(4, 4), text))
    else:
        width, flags = table.data[36] + 1, table.data[37]
    drhds: list[Drhd] = []
    rmrrs: list[Rmrr] = []
    atsrs: list[Atsr] = []
    rhsas: list[Rhsa] = []
    andds: list[Andd] = []
    satcs: list[Satc] = []
    at = STRUCTURES_AT
    while at < table.length:
        type, length = struct.unpack_from("<HH", table.data, at) if at + 4 <= table.length else (0, 0)
        if length < 4 or at + length > table.length:
            text = f"structure of {length} bytes, {table.length - at} are left"
            problems.append(Problem("length", table.place(at), text))
            break
        place = table.place(at, length)
        format = _FORMATS.get(type)
        if format is not None and length < format.size:
            problems.append(
                Problem("length", place, f"structure of type {type} has {length} bytes, not {format.size}")
            )
        elif format is not None:
            fields = format.unpack_from(table.data, at)
            start, end = at + format.size, at + length
            match type:
                case 0:
                    flags_, segment, base = fields
                    scopes = _scopes(table, start, end, problems)
                    drhds.append(Drhd(flags_, segment, base, scopes, place))
                case 1:
                    segment, base, limit = fields
                    scopes = _scopes(table, start, end, problems)
                    rmrrs.append(Rmrr(segment, base, limit, scopes, place))
                case 2:
                    flags_, segment = fields
                    atsrs.append(Atsr(flags_, segment, _scopes(table, start, end, problems), place))
                case 3:
                    base, proximity_domain = fields
                    rhsas.append(Rhsa(base, proximity_domain, place))
                case 4:
                    name = table.data[start:end].partition(b"\0")[0].decode("latin-1")
                    andds.append(Andd(fields[0], name, place))
                case 5:
                    flags_, segment = fields
                    satcs.append(Satc(flags_, segment, _scopes(table, start, end, problems), place))
        at += length
    return Dmar(
        table=table,
        host_address_width=width,
        flags=flags,
        drhds=tuple(drhds),
        rmrrs=tuple(rmrrs),
        atsrs=tuple(atsrs),
        rhsas=tuple(rhsas),
        andds=tuple(andds),
        satcs=tuple(satcs),
        problems=tuple(problems),
    )


def _scopes(table: Table, start: int, end: int, problems: list[Problem]) -> tuple[DeviceScope, ...]:
    found = []
    at = start
    while at < end:
        length = table.data[at + 1] if at + 1 < end else 0
        if length < _SCOPE.size or at + length > end:
            problems.append(
                Problem("length", table.place(at), f"device scope of {length} bytes, {end - at} are left")
            )
            break
        type, _, flags, enumeration_id, start_bus = _SCOPE.unpack_from(table.data, at)
        hops = table.data[at + _SCOPE.size : at + length]
        path = tuple(zip(hops[::2], hops[1::2], strict=False))
        place = table.place(at, length)
        if not path or len(hops) % 2:
            problems.append(Problem("size", place, f"a path of {len(hops)} bytes is not a number of hops"))
        found.append(DeviceScope(type, flags, enumeration_id, start_bus, path, place))
        at += length
    return tuple(found)
