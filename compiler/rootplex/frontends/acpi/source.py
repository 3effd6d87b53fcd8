"""The tables of one source, with what its AML says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.tables import AcpiTables

RootFunction: TypeAlias = tuple[int, int, int]
"""Segment, bus, devfn."""


class AcpiSource(AcpiTables, frozen=True, dict=True, kw_only=True):
    """All tables and what they say. `present`: the functions of root buses, (segment, bus, devfn), where the
    machine's are known."""

    file: str
    namespace: Namespace
    present: frozenset[RootFunction] = frozenset()

    @property
    def is_arm(self) -> bool:
        """Whether the tables are an Arm machine's."""
        if self.madt is not None and (self.madt.distributors or self.madt.its or self.madt.redistributors):
            return True
        return self.dmar is None and self.has_table("IORT", "GTDT", "AGDI")


def source_of(
    tables: Sequence[Table],
    file: str,
    namespace: Namespace | None = None,
    present: frozenset[RootFunction] = frozenset(),
) -> AcpiSource:
    """The tables read; `namespace` where the AML has been evaluated already. Unreadable without AML."""
    return AcpiSource(
        tuple(tables),
        file=file,
        namespace=evaluate(tables) if namespace is None else namespace,
        present=present,
    )
