"""The ACPI tables of one machine, each read when it is first asked for."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from rootplex.readers.acpi.dmar import Dmar, read_dmar
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.iort import read_iort
from rootplex.readers.acpi.iort_facts import Iort
from rootplex.readers.acpi.ivrs import Ivrs, read_ivrs
from rootplex.readers.acpi.madt import Madt, read_madt
from rootplex.readers.acpi.mcfg import Mcfg, read_mcfg
from rootplex.readers.acpi.rimt import Rimt, read_rimt
from rootplex.readers.acpi.viot import Viot, read_viot


class AcpiTables(Struct, frozen=True, dict=True):
    """All tables, in the order of their source. Of several of one signature the first counts: it is the one
    that an operating system takes. None: there is no such table."""

    tables: tuple[Table, ...]

    def all(self, signature: str) -> tuple[Table, ...]:
        """The tables of a signature, in order."""
        return tuple(table for table in self.tables if table.signature == signature)

    def first(self, signature: str) -> Table | None:
        """The table of a signature that counts."""
        return next((table for table in self.tables if table.signature == signature), None)

    @property
    def has_aml(self) -> bool:
        """Whether there is AML, and the tables do not stand alone."""
        return self.has_table("DSDT", "SSDT", "PSDT")

    def has_table(self, *signatures: str) -> bool:
        """Whether a table of one of the signatures is there."""
        return any(table.signature in signatures for table in self.tables)

    @cached_property
    def mcfg(self) -> Mcfg | None:
        table = self.first("MCFG")
        return None if table is None else read_mcfg(table)

    @cached_property
    def iort(self) -> Iort | None:
        table = self.first("IORT")
        return None if table is None else read_iort(table)

    @cached_property
    def madt(self) -> Madt | None:
        table = self.first("APIC")
        return None if table is None else read_madt(table)

    @cached_property
    def dmar(self) -> Dmar | None:
        table = self.first("DMAR")
        return None if table is None else read_dmar(table)

    @cached_property
    def ivrs(self) -> Ivrs | None:
        table = self.first("IVRS")
        return None if table is None else read_ivrs(table)

    @cached_property
    def rimt(self) -> Rimt | None:
        table = self.first("RIMT")
        return None if table is None else read_rimt(table)

    @cached_property
    def viot(self) -> Viot | None:
        table = self.first("VIOT")
        return None if table is None else read_viot(table)
