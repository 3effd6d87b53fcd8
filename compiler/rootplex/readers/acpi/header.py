"""The header of an ACPI table (ACPI 6.5 §5.2.6), its checksum, and blobs of several tables."""

from __future__ import annotations

import struct
from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.problem import Problem
from rootplex.source.finding import unreadable
from rootplex.source.place import TablePlace

HEADER_SIZE = 36


class Table(Struct, frozen=True):
    """One table. `data` is the whole of it with its header, cut to `length` where that is less. A header that
    says more than there is has a problem of kind `length`; `length` is then what there is.
    `instance` counts tables of one signature from 1, in the order of the source."""

    file: str
    signature: str
    length: int
    revision: int
    checksum_ok: bool
    oem_id: bytes
    oem_table_id: bytes
    oem_revision: int
    data: bytes
    instance: int = 1
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return f"Table({self.file!r}, {self.name!r}, {self.length} bytes)"

    @property
    def name(self) -> str:
        """The table's name in places: its signature, with its number from the second one on."""
        return self.signature if self.instance == 1 else f"{self.signature}{self.instance}"

    def numbered(self, instance: int) -> Table:
        """The same table as the `instance`th of its signature; its problems' places follow."""
        if instance == self.instance:
            return self
        same = replace(self, instance=instance, problems=())
        problems = tuple(replace(each, place=replace(each.place, table=same.name)) for each in self.problems)
        return replace(same, problems=problems)

    def place(
        self, offset: int | None = None, length: int | None = None, path: str | None = None
    ) -> TablePlace:
        """The place of bytes of this table (offset from its header), or of an object of its AML."""
        return TablePlace(self.file, self.name, offset, length, path)


SIZE_LIMIT = 16 << 20
TABLES_LIMIT = 4096
"""Of one source; a machine has up to 512."""
_HEADER = struct.Struct("<4sIBB6s8sI4sI")


def read_table(data: bytes, file: str, instance: int = 1) -> Table:
    """The table at the start of `data`; what follows it is left out.

    Unreadable: shorter than a header, no signature, a length below the header's or beyond 16 MiB. A
    length beyond `data` and a wrong checksum are problems of the table.
    """
    if len(data) < HEADER_SIZE:
        raise unreadable(file, f"not an ACPI table: {len(data)} bytes, the header alone has {HEADER_SIZE}")
    signature, length, revision, _, oem_id, oem_table_id, oem_revision, *_ = _HEADER.unpack_from(data)
    name = signature.decode("latin-1")
    if not (name.isascii() and name.isprintable()):
        raise unreadable(file, f"not an ACPI table: signature {signature!r}")
    if not HEADER_SIZE <= length <= SIZE_LIMIT:
        raise unreadable(file, f"ACPI table {name} gives its length as {length}, the file has {len(data)}")
    body = data[:length]
    missing = length - len(body)
    checksum = 0 if missing else sum(body) & 0xFF
    table = Table(
        file=file,
        signature=name,
        length=len(body),
        revision=revision,
        checksum_ok=checksum == 0,
        oem_id=oem_id,
        oem_table_id=oem_table_id,
        oem_revision=oem_revision,
        data=body,
        instance=instance,
    )
    if missing:
        text = f"{name} gives its length as {length}, and {len(body)} bytes are there"
        return replace(table, problems=(Problem("length", table.place(4, 4), text),))
    if checksum == 0:
        return table
    problem = Problem("checksum", table.place(9, 1), f"the bytes of {name} sum to {checksum:#04x}, not to 0")
    return replace(table, problems=(problem,))


def split_tables(data: bytes, file: str) -> tuple[Table, ...]:
    """The tables of a blob that holds one or several, one after the other; Unreadable as above."""
    found: list[Table] = []
    counts: Counter[str] = Counter()
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        table = read_table(data[at : at + max(length, HEADER_SIZE)], file)
        counts[table.signature] += 1
        found.append(table.numbered(counts[table.signature]))
        if len(found) > TABLES_LIMIT:
            raise unreadable(file, f"more than {TABLES_LIMIT} ACPI tables")
        at += table.length
    return tuple(found)
