"""The header of an ACPI table (ACPI 6.5 §5.2.6), its checksum, and blobs of several tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace

HEADER_SIZE = 36


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `data` is the whole of it with its header, cut to `length` where that is less.
    `instance` counts tables of one signature from 1, in the order of the source."""

    file: str
    signature: str
    length: int
    revision: int
    checksum_ok: bool
    oem_id: bytes
    oem_table_id: bytes
    oem_revision: int
    creator_id: bytes
    creator_revision: int
    data: bytes = field(repr=False)
    instance: int = 1
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """The table's name in places: its signature, with its number from the second one on."""
        return self.signature if self.instance == 1 else f"{self.signature}{self.instance}"

    def place(
        self, offset: int | None = None, length: int | None = None, path: str | None = None
    ) -> TablePlace:
        """The place of bytes of this table (offset from its header), or of an object of its AML."""
        return TablePlace(self.file, self.name, offset, length, path)
