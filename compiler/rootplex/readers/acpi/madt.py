"""MADT: interrupt controllers (ACPI 6.5 §5.2.12), as far as PCI needs them."""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.acpi import MADT_ENTRY, MADT_HEAD, MADT_LAYOUTS, MadtType
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.structures import Structure, made, read_head, structures
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
    size: int
    place: TablePlace


class GicIts(Struct, frozen=True):
    """A GIC interrupt translation service: the id that IORT's groups name, and its address."""

    id: int
    base: int
    place: TablePlace


class Hart(Struct, frozen=True):
    """A RISC-V processor's own interrupt controller, and where its IMSIC is: 0 where it has none."""

    imsic: int
    imsic_size: int
    place: TablePlace


class RiscvLines(Struct, frozen=True):
    """A PLIC or an APLIC, which take lines on RISC-V, and the first global system interrupt of its own."""

    id: int
    base: int
    size: int
    gsi_base: int
    place: TablePlace


class Madt(Struct, frozen=True):
    """The whole table."""

    table: Table
    local_apic: int
    flags: int
    ioapics: tuple[IoApic, ...]
    distributors: tuple[Gicd, ...]
    msi_frames: tuple[GicMsiFrame, ...]
    redistributors: tuple[Gicr, ...]
    its: tuple[GicIts, ...]
    harts: tuple[Hart, ...] = ()
    aplics: tuple[RiscvLines, ...] = ()
    plics: tuple[RiscvLines, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def imsic(self) -> Hart | None:
        """The first processor with an IMSIC: messages go there (drivers/irqchip/irq-riscv-imsic-early.c)."""
        return next((hart for hart in self.harts if hart.imsic), None)


def read_madt(table: Table) -> Madt:
    """The entries that PCI needs; entries that do not fit end the reading with a problem."""
    problems = list(table.problems)
    head = read_head(table, MADT_HEAD, "entries", problems)
    by_type: dict[int, list[Structure]] = {type: [] for type in MadtType}
    for each in structures(table, MADT_HEAD, MADT_ENTRY, MADT_LAYOUTS, problems, called="entry"):
        if each.type in by_type:
            by_type[each.type].append(each)
    return Madt(
        table=table,
        local_apic=head["local_apic"],
        flags=head["flags"],
        ioapics=tuple(made(IoApic, each) for each in by_type[MadtType.IO_APIC]),
        distributors=tuple(made(Gicd, each) for each in by_type[MadtType.GICD]),
        msi_frames=tuple(made(GicMsiFrame, each) for each in by_type[MadtType.GIC_MSI_FRAME]),
        redistributors=tuple(made(Gicr, each) for each in by_type[MadtType.GICR]),
        its=tuple(made(GicIts, each) for each in by_type[MadtType.GIC_ITS]),
        harts=tuple(made(Hart, each) for each in by_type[MadtType.RINTC]),
        aplics=tuple(made(RiscvLines, each) for each in by_type[MadtType.APLIC]),
        plics=tuple(made(RiscvLines, each) for each in by_type[MadtType.PLIC]),
        problems=tuple(problems),
    )
