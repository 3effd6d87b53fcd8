"""The tables of one source, with what its AML says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.tables import AcpiTables

FIXED_FLAGS, ARM_BOOT_FLAGS = 112, 129
"""Offsets in FADT (ACPI 6.5 §5.2.9, table 5.9)."""

RootFunction: TypeAlias = tuple[int, int, int]
"""Segment, bus, devfn."""


class AcpiSource(AcpiTables, frozen=True, dict=True, kw_only=True):
    """All tables and what they say. `present`: the functions of root buses, (segment, bus, devfn), where the
    machine's are known."""

    file: str
    namespace: Namespace
    present: frozenset[RootFunction] = frozenset()

    @property
    def arch(self) -> Literal["arm64", "riscv64", "x86_64"]:
        """The architecture: RISC-V by what only it has, Arm likewise, else x86."""
        harts = self.madt is not None and bool(self.madt.harts)
        if harts or self.has_table("RHCT", "RIMT"):
            return "riscv64"
        return "arm64" if self.is_arm else "x86_64"

    @property
    def is_arm(self) -> bool:
        """Whether the tables are an Arm machine's: by MADT; where that is missing by what only one of the
        two has, by FADT (no fixed hardware, and PSCI), and by devices of Arm's own."""
        if self.madt is not None:
            if self.madt.distributors or self.madt.its or self.madt.redistributors:
                return True
            if self.madt.ioapics:
                return False
        if self.dmar is not None or self.ivrs is not None:
            return False
        if self.has_table("IORT", "GTDT", "AGDI") or self._has_psci:
            return True
        return any(b"ARMH" in table.data for table in self.tables if table.signature in ("DSDT", "SSDT"))

    @property
    def _has_psci(self) -> bool:
        """FADT: HW_REDUCED_ACPI, and PSCI_COMPLIANT of the Arm boot flags (ACPI 6.5 §5.2.9)."""
        for table in self.tables:
            if table.signature == "FACP" and table.length > ARM_BOOT_FLAGS:
                flags = int.from_bytes(table.data[FIXED_FLAGS : FIXED_FLAGS + 4], "little")
                return bool(flags >> 20 & 1 and table.data[ARM_BOOT_FLAGS] & 1)
        return False


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
