"""MCFG: where ECAM lies, for each segment and bus range (PCI Firmware 3.3 §4.1.2)."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from rootplex.formats.acpi import HEADER, MCFG_ENTRY, MCFG_HEAD, size_of
from rootplex.readers.acpi.fields import read_fields
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


class Mcfg(Struct, frozen=True, dict=True):
    """The whole table; `remainder` is how many bytes after the last whole entry are ignored."""

    table: Table
    entries: tuple[McfgEntry, ...]
    remainder: int
    problems: tuple[Problem, ...] = ()

    @cached_property
    def by_segment(self) -> dict[int, list[McfgEntry]]:
        """The entries of each segment, in their order."""
        found: dict[int, list[McfgEntry]] = {}
        for entry in self.entries:
            found.setdefault(entry.segment, []).append(entry)
        return found


ENTRIES_AT = size_of(HEADER, MCFG_HEAD)
_ENTRY_SIZE = size_of(MCFG_ENTRY)
ENTRIES_LIMIT = 4096
"""Real tables have up to 40."""


def read_mcfg(table: Table) -> Mcfg:
    """The entries of an MCFG; none, with a problem, where it is too short for its header."""
    problems = list(table.problems)
    if table.length < ENTRIES_AT:
        problems.append(
            Problem("size", table.place(4, 4), f"{table.length} bytes, {ENTRIES_AT} precede the entries")
        )
        return Mcfg(table, (), 0, tuple(problems))
    count, remainder = divmod(table.length - ENTRIES_AT, _ENTRY_SIZE)
    entries = []
    if count > ENTRIES_LIMIT:
        text = f"{count} entries, of which {ENTRIES_LIMIT} are read"
        problems.append(Problem("size", table.place(4, 4), text))
    for index in range(min(count, ENTRIES_LIMIT)):
        offset = ENTRIES_AT + index * _ENTRY_SIZE
        fields = read_fields(MCFG_ENTRY, table.data, offset)
        place = table.place(offset, _ENTRY_SIZE)
        entries.append(McfgEntry(index=index, **fields, offset=offset, place=place))
    if remainder:
        at = table.length - remainder
        problems.append(
            Problem("cut-off", table.place(at, remainder), f"{remainder} bytes after the last whole entry")
        )
    if not count:
        problems.append(Problem("empty", table.place(), "no entry"))
    return Mcfg(table, tuple(entries), remainder, tuple(problems))
