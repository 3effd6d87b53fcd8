"""DMAR: VT-d units, what they translate for, reserved memory, and ports with ATS (VT-d specification 4.1,
§8)."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import (
    ATSR_ALL_PORTS,
    DMAR_HEAD,
    DMAR_LAYOUTS,
    DMAR_SCOPE,
    DMAR_STRUCTURE,
    DRHD_INCLUDE_PCI_ALL,
    DmarType,
    size_of,
)
from rootplex.readers.acpi.fields import read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.structures import made, read_head, structures
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class DeviceScope(Struct, frozen=True):
    """A device named by its path: `type` a `ScopeType`; `path` the (device, function) of each hop from
    `start_bus`."""

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
        """INCLUDE_PCI_ALL."""
        return bool(self.flags & DRHD_INCLUDE_PCI_ALL)


class Rmrr(Struct, frozen=True):
    """Memory (`base` to `limit`, inclusive) that devices use without the system's knowledge."""

    segment: int
    base: int
    limit: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace


class Atsr(Struct, frozen=True):
    """Root ports of a segment below which functions may hold translations of their own (ATS); with
    `all_ports` every one."""

    flags: int
    segment: int
    scopes: tuple[DeviceScope, ...]
    place: TablePlace

    @property
    def all_ports(self) -> bool:
        """ALL_PORTS."""
        return bool(self.flags & ATSR_ALL_PORTS)


class Dmar(Struct, frozen=True):
    """The whole table, but for structures that say nothing of what is translated: of those only the lengths
    are looked at. `flags` bit 0: interrupt remapping; `host_address_width` in bits."""

    table: Table
    host_address_width: int
    flags: int
    drhds: tuple[Drhd, ...]
    rmrrs: tuple[Rmrr, ...]
    problems: tuple[Problem, ...] = ()
    atsrs: tuple[Atsr, ...] = ()


_WITH_SCOPES = (DmarType.DRHD, DmarType.RMRR, DmarType.ATSR, DmarType.SATC)


def read_dmar(table: Table) -> Dmar:
    """All structures; one that does not fit ends the reading with a problem."""
    problems = list(table.problems)
    head = read_head(table, DMAR_HEAD, "structures", problems)
    drhds: list[Drhd] = []
    rmrrs: list[Rmrr] = []
    atsrs: list[Atsr] = []
    for each in structures(table, DMAR_HEAD, DMAR_STRUCTURE, DMAR_LAYOUTS, problems, called="structure"):
        scopes: tuple[DeviceScope, ...] = ()
        if each.type in _WITH_SCOPES:
            scopes = _scopes(table, each.offset + size_of(DMAR_LAYOUTS[each.type]), each.end, problems)
        match each.type:
            case DmarType.DRHD:
                drhds.append(made(Drhd, each, scopes=scopes))
            case DmarType.RMRR:
                rmrrs.append(made(Rmrr, each, scopes=scopes))
            case DmarType.ATSR:
                atsrs.append(made(Atsr, each, scopes=scopes))
    return Dmar(
        table=table,
        host_address_width=head["host_address_width"] + 1,
        flags=head["flags"],
        drhds=tuple(drhds),
        rmrrs=tuple(rmrrs),
        problems=tuple(problems),
        atsrs=tuple(atsrs),
    )


def _scopes(table: Table, start: int, end: int, problems: list[Problem]) -> tuple[DeviceScope, ...]:
    found = []
    at, head = start, size_of(DMAR_SCOPE)
    while at < end:
        length = table.data[at + 1] if at + 1 < end else 0
        if not head <= length <= end - at:
            text = f"device scope of {length} bytes, {end - at} are left"
            problems.append(Problem("length", table.place(at), text))
            break
        it = read_fields(DMAR_SCOPE, table.data, at)
        hops = table.data[at + head : at + length]
        path = tuple(zip(hops[::2], hops[1::2], strict=False))
        place = table.place(at, length)
        if not path or len(hops) % 2:
            problems.append(Problem("size", place, f"a path of {len(hops)} bytes is not a number of hops"))
        scope = DeviceScope(it["type"], it["flags"], it["enumeration_id"], it["start_bus"], path, place)
        found.append(scope)
        at += length
    return tuple(found)
