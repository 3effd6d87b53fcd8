"""MADT: interrupt controllers (ACPI 6.5 §5.2.12), as far as PCI needs them."""

from __future__ import annotations

import struct

from msgspec import Struct

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class IoApic(Struct, frozen=True):
    """An I/O APIC: its address and the first global system interrupt it serves."""

    id: int
    address: int
    gsi_base: int
    place: TablePlace


class Gicd(Struct, frozen=True):
    """The GIC distributor."""

    id: int
    base: int
    version: int
    place: TablePlace


class GicMsiFrame(Struct, frozen=True):
    """A GICv2m MSI frame."""

    id: int
    base: int
    flags: int
    spi_count: int
    spi_base: int
    place: TablePlace


class Gicr(Struct, frozen=True):
    """A region of GIC redistributors."""

    base: int
    length: int
    place: TablePlace


class GicIts(Struct, frozen=True):
    """A GIC interrupt translation service: the id that IORT's groups name, and its address."""

    id: int
    base: int
    place: TablePlace


class Madt(Struct, frozen=True):
    """The whole table. `cpus` counts enabled local APICs, x2APICs and GIC CPU interfaces."""

    table: Table
    local_apic: int
    flags: int
    ioapics: tuple[IoApic, ...]
    distributors: tuple[Gicd, ...]
    msi_frames: tuple[GicMsiFrame, ...]
    redistributors: tuple[Gicr, ...]
    its: tuple[GicIts, ...]
    cpus: int
    problems: tuple[Problem, ...] = ()


ENTRIES_AT = 44

# Where the flags (bit 0: enabled) of each kind of processor entry stand.
_PROCESSOR_FLAGS = {0: 4, 9: 8, 11: 12, 17: 8, 24: 4}
_IO_APIC, _GICD, _MSI_FRAME, _GICR, _ITS = 1, 12, 13, 14, 15
# Type to the format of its fields from the entry's start, with the header skipped.
_FORMATS = {
    _IO_APIC: struct.Struct("<2xBxII"),
    _GICD: struct.Struct("<4xIQ4xB"),
    _MSI_FRAME: struct.Struct("<4xIQIHH"),
    _GICR: struct.Struct("<4xQI"),
    _ITS: struct.Struct("<4xIQ"),
}


def read_madt(table: Table) -> Madt:
    """The entries that PCI needs; entries that do not fit end the reading with a problem."""
    problems = list(table.problems)
    local_apic, flags = 0, 0
    found: dict[int, list[tuple[tuple[int, ...], TablePlace]]] = {type: [] for type in _FORMATS}
    cpus = 0
    if table.length < ENTRIES_AT:
        problems.append(
            Problem("size", table.place(4, 4), f"{table.length} bytes, {ENTRIES_AT} precede the entries")
        )
    else:
        local_apic, flags = struct.unpack_from("<II", table.data, 36)
    at = ENTRIES_AT
    while at < table.length:
        length = table.data[at + 1] if at + 1 < table.length else 0
        if length < 2 or at + length > table.length:
            problems.append(
                Problem("length", table.place(at), f"entry of {length} bytes, {table.length - at} are left")
            )
            break
        type, entry, place = table.data[at], table.data[at : at + length], table.place(at, length)
        flags_at = _PROCESSOR_FLAGS.get(type)
        if flags_at is not None and flags_at < length:
            cpus += entry[flags_at] & 1
        format = _FORMATS.get(type)
        if format is not None and length >= format.size:
            found[type].append((format.unpack_from(entry), place))
        elif format is not None:
            problems.append(
                Problem("length", place, f"entry of type {type} has {length} bytes, not {format.size}")
            )
        at += length
    return Madt(
        table=table,
        local_apic=local_apic,
        flags=flags,
        ioapics=tuple(IoApic(id, base, gsi_base, place) for (id, base, gsi_base), place in found[_IO_APIC]),
        distributors=tuple(Gicd(id, base, version, place) for (id, base, version), place in found[_GICD]),
        msi_frames=tuple(
            GicMsiFrame(id, base, frame_flags, count, first, place)
            for (id, base, frame_flags, count, first), place in found[_MSI_FRAME]
        ),
        redistributors=tuple(Gicr(base, length, place) for (base, length), place in found[_GICR]),
        its=tuple(GicIts(id, base, place) for (id, base), place in found[_ITS]),
        cpus=cpus,
        problems=tuple(problems),
    )
