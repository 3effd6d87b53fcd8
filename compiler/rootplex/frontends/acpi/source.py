"""The tables of one source, read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.dmar import Dmar, read_dmar
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.iort import read_iort
from rootplex.readers.acpi.iort_facts import Iort
from rootplex.readers.acpi.madt import Madt, read_madt
from rootplex.readers.acpi.mcfg import Mcfg, read_mcfg

RootFunction: TypeAlias = tuple[int, int, int]
"""Segment, bus, devfn."""


class AcpiSource(Struct, frozen=True, kw_only=True):
    """All tables and what they say; of MCFG, as of the others, the first table counts (Linux takes
    that one). None: there is no such table. `present`: the functions of root buses, (segment, bus, devfn),
    where the machine's are known."""

    file: str
    tables: tuple[Table, ...]
    namespace: Namespace
    mcfg: Mcfg | None
    iort: Iort | None
    madt: Madt | None
    dmar: Dmar | None
    present: frozenset[RootFunction] = frozenset()

    @property
    def is_arm(self) -> bool:
        """Whether the tables are an Arm machine's."""
        arm = {"IORT", "GTDT", "AGDI", "PPTT"}
        if self.madt is not None and (self.madt.distributors or self.madt.its or self.madt.redistributors):
            return True
        return self.dmar is None and any(table.signature in arm - {"PPTT"} for table in self.tables)


def source_of(
    tables: Sequence[Table],
    file: str,
    namespace: Namespace | None = None,
    present: frozenset[RootFunction] = frozenset(),
) -> AcpiSource:
    """The tables read; `namespace` where the AML has been evaluated already. Unreadable without AML."""

    def first(signature: str) -> Table | None:
        return next((table for table in tables if table.signature == signature), None)

    mcfg, iort, madt, dmar = first("MCFG"), first("IORT"), first("APIC"), first("DMAR")
    return AcpiSource(
        file=file,
        tables=tuple(tables),
        namespace=evaluate(tables) if namespace is None else namespace,
        mcfg=None if mcfg is None else read_mcfg(mcfg),
        iort=None if iort is None else read_iort(iort),
        madt=None if madt is None else read_madt(madt),
        dmar=None if dmar is None else read_dmar(dmar),
        present=present,
    )
