"""Structures of ACPI tables by their layouts in `formats.acpi`: bytes to named numbers, and their places."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from rootplex.formats.acpi import Layout, offset_of
from rootplex.readers.acpi.header import Table
from rootplex.source.place import TablePlace

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


@cache
def _struct(layout: Layout) -> struct.Struct:
    return struct.Struct("<" + "".join(_CODES.get(size, f"{size}s") for _, size in layout))


def read_fields(layout: Layout, data: bytes, at: int = 0) -> dict[str, Any]:
    """The fields at an offset: numbers (bytes where a field is no number); the data must hold them all."""
    return dict(zip((name for name, _ in layout), _struct(layout).unpack_from(data, at), strict=True))


@cache
def fitting(layout: Layout, size: int) -> Layout:
    """The first fields of a structure that has only `size` bytes: what an older revision has of it."""
    return tuple((name, own) for name, own in layout if offset_of(layout, name) + own <= size)


def place_of(table: Table, at: int, layout: Layout, name: str) -> TablePlace:
    """The place of one field of the structure at an offset from the table's start."""
    return table.place(at + offset_of(layout, name), dict(layout)[name])
