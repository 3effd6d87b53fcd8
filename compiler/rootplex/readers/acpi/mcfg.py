"""MCFG: where ECAM lies, for each segment and bus range (PCI Firmware 3.3 §4.1.2)."""

from __future__ import annotations

import struct

from msgspec import Struct

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


class McfgEntry(Struct, frozen=True):
    """One allocation. `base` is the address of bus 0, whatever the first bus is."""

    index: int
    base: int
    segment: int
    start_bus: int
    end_bus: int
    reserved: int
    offset: int
    place: TablePlace


class Mcfg(Struct, frozen=True):
    """The whole table; `remainder` is how many bytes after the last whole entry are ignored."""

    table: Table
    entries: tuple[McfgEntry, ...]
    remainder: int
    problems: tuple[Problem, ...] = ()


ENTRIES_AT = 44
_ENTRY = struct.Struct("<QHBBI")


def read_mcfg(table: Table) -> Mcfg:
    """The entries of an MCFG; none, with a problem, where it is too short for its header."""
    problems = list(table.problems)
    if table.length < ENTRIES_AT:
        problems.append(
            Problem("size", table.place(4, 4), f"{table.length} bytes, {ENTRIES_AT} precede the entries")
        )
        return Mcfg(table, (), 0, tuple(problems))
    count, remainder = divmod(table.length - ENTRIES_AT, _ENTRY.size)
    entries = []
    for index in range(count):
        offset = ENTRIES_AT + index * _ENTRY.size
        base, segment, start_bus, end_bus, reserved = _ENTRY.unpack_from(table.data, offset)
        place = table.place(offset, _ENTRY.size)
        entries.append(McfgEntry(index, base, segment, start_bus, end_bus, reserved, offset, place))
    if remainder:
        at = table.length - remainder
        problems.append(
            Problem("cut-off", table.place(at, remainder), f"{remainder} bytes after the last whole entry")
        )
    if not count:
        problems.append(Problem("empty", table.place(), "no entry"))
    return Mcfg(table, tuple(entries), remainder, tuple(problems))
