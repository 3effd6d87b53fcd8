"""Where a thing was written: a span of text, a cell of a device tree, or bytes of an ACPI table.

A place is a value. It is made where input is read, travels with the fact, and is printed at the
edge. Every place can present itself as a person would write it (`str(place)`) and as the `at`
object of the JSON output (`place.at()`).
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

JsonAt: TypeAlias = dict[str, object]


class _InFile(Struct, frozen=True, order=True):
    file: str

    def at(self) -> JsonAt:
        """All fields, as the JSON output has them."""
        return asdict(self)


class Span(_InFile, frozen=True, order=True, gc=False):
    """A stretch of a text file; lines and columns count from 1, the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def holds(self, other: Place) -> bool:
        """Whether another stretch lies within it."""
        return (
            isinstance(other, Span)
            and self.file == other.file
            and (self.line, self.column) <= (other.line, other.column)
            and (other.end_line, other.end_column) <= (self.end_line, self.end_column)
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class DtPlace(_InFile, frozen=True, order=True):
    """A node of a device tree, one of its properties, or one 32-bit cell of that (from 0)."""

    node: str
    property: str | None = None
    cell: int | None = None

    def __str__(self) -> str:
        text = f"{self.file}: {self.node}"
        if self.property is not None:
            text += f":{self.property}"
        if self.cell is not None:
            text += f"[{self.cell}]"
        return text


class TablePlace(_InFile, frozen=True, order=True):
    """Bytes of an ACPI table (offset from its header) or an object of its AML, or both."""

    table: str
    offset: int | None = None
    length: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        text = f"{self.file}: {self.table}"
        if self.path is not None:
            text += f" {self.path}"
        if self.offset is not None:
            text += f"+{self.offset:#x}"
        return text


class FilePlace(_InFile, frozen=True, order=True):
    """A whole file: for what is wrong with the file and not with a part of it."""

    def __str__(self) -> str:
        return self.file


Place: TypeAlias = Span | DtPlace | TablePlace | FilePlace
