"""The header and the checksum of a table, and a table's bytes as they are written.

Creator id and revision are fixed, also in what `iasl` made: the bytes must not tell which version of it
is installed. OEM ids and revision are the description's (`oem`): Linux replaces a firmware table only
by one with the same ids and a greater revision.
"""

from __future__ import annotations

from collections.abc import Mapping

from rootplex.backends.artifact import Artifact, PlaceMap
from rootplex.formats.acpi import HEADER, Layout, offset_of, size_of
from rootplex.model.platform import Platform
from rootplex.source.place import Place

CREATOR_ID = b"RPLX"
CREATOR_REVISION = 1

NO_PLACES: Mapping[str, Place] = {}


def oem_id(platform: Platform) -> str:
    """The six characters of the header, filled up with spaces."""
    return platform.oem_id.ljust(6)


def oem_table_id(platform: Platform) -> str:
    """The eight characters of the header, filled up with spaces."""
    return platform.oem_table_id.ljust(8)


def with_fixed_creator(table: bytes) -> bytes:
    """A whole table with our creator fields and the checksum that goes with them."""
    data = bytearray(table)
    start = offset_of(HEADER, "creator_id")
    data[start : start + 4] = CREATOR_ID
    data[start + 4 : start + 8] = CREATOR_REVISION.to_bytes(4, "little")
    checksum = offset_of(HEADER, "checksum")
    data[checksum] = 0
    data[checksum] = -sum(data) & 0xFF
    return bytes(data)


class TableWriter:
    """One table as it grows: structures are appended, each field with the line it comes from."""

    def __init__(self, platform: Platform, signature: str, revision: int) -> None:
        self._platform = platform
        self._signature = signature
        self._revision = revision
        self._data = bytearray(size_of(HEADER))
        self._places = PlaceMap()

    @property
    def offset(self) -> int:
        """Where the next structure begins, from the start of the table."""
        return len(self._data)

    def put(
        self,
        layout: Layout,
        values: Mapping[str, int],
        *,
        whole: Place | None = None,
        places: Mapping[str, Place] = NO_PLACES,
    ) -> None:
        """Append a structure; fields without a value are 0, those without a place that of the `whole`."""
        start = offset = self.offset
        for name, size in layout:
            self._data += values.get(name, 0).to_bytes(size, "little")
            if name in places:
                self._places.table(places[name], self._signature, offset, size)
            offset += size
        if whole is not None:
            self._places.table(whole, self._signature, start, offset - start)

    def finish(self, file: str) -> Artifact:
        """The table with its header, as the artifact `file`."""
        values = {
            "signature": self._signature.encode("ascii"),
            "length": self.offset.to_bytes(4, "little"),
            "revision": bytes([self._revision]),
            "oem_id": oem_id(self._platform).encode("ascii"),
            "oem_table_id": oem_table_id(self._platform).encode("ascii"),
            "oem_revision": self._platform.oem_revision.to_bytes(4, "little"),
        }
        head = b"".join(values.get(name, bytes(size)) for name, size in HEADER)
        return Artifact(file, with_fixed_creator(head + self._data[len(head) :]), self._places)
