"""MADT: interrupt controllers (ACPI 6.5 §5.2.12), as far as PCI needs them."""

from __future__ import annotations

from dataclasses import dataclass

from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace


@dataclass(frozen=True, slots=True)
class IoApic:
    """An I/O APIC: its address and the first global system interrupt it serves."""

    id: int
    address: int
    gsi_base: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Gicd:
    """The GIC distributor."""

    id: int
    base: int
    version: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class GicMsiFrame:
    """A GICv2m MSI frame."""

    id: int
    base: int
    flags: int
    spi_count: int
    spi_base: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Gicr:
    """A region of GIC redistributors."""

    base: int
    length: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class GicIts:
    """A GIC interrupt translation service: the id that IORT's groups name, and its address."""

    id: int
    base: int
    place: TablePlace


@dataclass(frozen=True, slots=True)
class Madt:
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
