"""Which bytes or lines of a firmware's file a finding is about, for reports that show files.

A blob's places are nodes and cells, a table's are offsets: they become bytes of the file where the file is
the blob or the table itself, and lines where it is acpidump's text. Of archives and snapshots, whose tables
are packed, no stretch is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from rootplex.readers.dtb import Stretch, stretches
from rootplex.readers.files import bytes_of
from rootplex.source.finding import Finding, Unreadable
from rootplex.source.place import DtPlace, Place, TablePlace

_CELL = 4
_HEADING = re.compile(rb"^(?P<signature>[ -~]{1,8}?) @ 0x[0-9A-Fa-f]+[ \t\r]*$", re.MULTILINE)
_BYTES_A_LINE = 16  # of acpidump's text


class Region(Struct, frozen=True, kw_only=True):
    """A stretch of a file: in bytes from its beginning, or in whole lines from 1 (the last one is in it)."""

    offset: int | None = None
    length: int | None = None
    line: int | None = None
    end_line: int | None = None


def regions_of(findings: Iterable[Finding]) -> dict[Place, Region]:
    """The stretches of the findings' places, as far as there are any; each file is read once more for it."""
    files = _Files()
    places = {place for each in findings for place in (each.at, *(other.at for other in each.related))}
    return {place: region for place in places if (region := _region(place, files)) is not None}


class _Files:
    """The files of places, each read once; empty where that cannot be (standard input, an archive's part)."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}
        self._blobs: dict[str, dict[tuple[str, str | None], Stretch]] = {}

    def data(self, file: str) -> bytes:
        if file not in self._data:
            try:
                self._data[file] = bytes_of(Path(file), file)
            except (OSError, ValueError, Unreadable):
                self._data[file] = b""
        return self._data[file]

    def blob(self, file: str) -> dict[tuple[str, str | None], Stretch]:
        if file not in self._blobs:
            try:
                self._blobs[file] = stretches(self.data(file), file)
            except Unreadable:  # the text of a device tree
                self._blobs[file] = {}
        return self._blobs[file]


def _region(place: Place, files: _Files) -> Region | None:
    if isinstance(place, DtPlace):
        found = files.blob(place.file).get((place.node, place.property))
        return None if found is None else _of_cell(found, place.cell)
    if isinstance(place, TablePlace):
        return _of_table(files.data(place.file), place)
    return None


def _of_cell(value: Stretch, cell: int | None) -> Region:
    offset, length = value
    if cell is not None and (cell + 1) * _CELL <= length:
        return Region(offset=offset + cell * _CELL, length=_CELL)
    return Region(offset=offset, length=length)


def _of_table(data: bytes, place: TablePlace) -> Region | None:
    """An object of AML has no offset: it is the table that is shown."""
    signature = place.table[:4].encode("ascii", "replace")
    offset, length = (0, len(data)) if place.offset is None else (place.offset, place.length or 1)
    if data.startswith(signature) and int.from_bytes(data[4:8], "little") == len(data):
        return Region(offset=offset, length=length)
    headings = [each for each in _HEADING.finditer(data) if each["signature"] == signature]
    instance = int(place.table[4:] or 1)
    if instance > len(headings) or place.offset is None:
        return None
    first = data.count(b"\n", 0, headings[instance - 1].end()) + 2
    return Region(
        line=first + offset // _BYTES_A_LINE, end_line=first + (offset + length - 1) // _BYTES_A_LINE
    )
