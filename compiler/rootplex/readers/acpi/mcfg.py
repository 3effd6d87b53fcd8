"""MCFG: where ECAM lies, for each segment and bus range (PCI Firmware 3.3 §4.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


@dataclass(frozen=True, slots=True)
class McfgEntry:
    """One allocation. `base` is the address of bus 0, whatever the first bus is."""

    index: int
    base: int
    segment: int
    start_bus: int
    end_bus: int
    reserved: int
    offset: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Mcfg:
    """The whole table; `remainder` is how many bytes after the last whole entry are ignored."""

    table: Table
    entries: tuple[McfgEntry, ...]
    remainder: int
    problems: tuple[Problem, ...] = ()
