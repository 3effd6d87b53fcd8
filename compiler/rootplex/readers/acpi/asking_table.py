"""Methods that take arguments, or that not every device is to be asked, by a table of our own: a device a
question, a method that calls.

The interpreter's console can call a method with arguments itself, and then sleeps 10 ms each time
(`AcpiDbExecute`: handlers in other threads may want to finish). A method without arguments that
calls the other costs nothing. The bytes are AML as ACPI 6.5 §20.2 has it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from rootplex.formats.acpi import DSM_UUID, OSC_UUID
from rootplex.readers.acpi.acpiexec import Evaluation
from rootplex.readers.acpi.header import HEADER_SIZE, Table, read_table

ASKED = "RPXQ"
"""The name of every asking method, so that one command of the console calls all of them."""

_ROOMS = tuple(f"RPX{digit:X}" for digit in range(16))
"""Names for the device that holds ours; the first that is in no other table is taken."""

# The arguments of a first query: UUID, revision,
# and for _OSC the query flag, all that Linux may support and all that it may ask for.
_OSC_CELLS = struct.pack("<3I", 1, 0x19F, 0xBF)

_PATH = re.compile(r"\\[A-Z_][A-Z0-9_]{0,3}(?:\.[A-Z_][A-Z0-9_]{0,3}){0,29}")
LIMIT = 0x500
"""Devices that one table asks; no machine has a tenth of them. With paths of at most 30 names, the table
has a length that its encoding can say (20 bits)."""


def _packaged(opcode: bytes, body: bytes) -> bytes:
    """An opcode with its PkgLength (§20.2.4), which counts its own three bytes too."""
    length = len(body) + 3
    return opcode + bytes((0x80 | length & 0xF, length >> 4 & 0xFF, length >> 12)) + body


def _buffer(data: bytes) -> bytes:
    return _packaged(b"\x11", bytes((0x0A, len(data))) + data)


def _name(path: str) -> bytes:
    """A path from the root as a NameString (§20.2.2)."""
    segments = [segment.ljust(4, "_").encode() for segment in path.lstrip("\\").split(".")]
    return b"\\\x2f" + bytes((len(segments),)) + b"".join(segments)


_BYTE_1, _BYTE_3, _BYTE_5 = b"\x0a\x01", b"\x0a\x03", b"\x0a\x05"
ARGUMENTS = {
    "_STA": b"",
    "_OSC": _buffer(UUID(OSC_UUID).bytes_le) + _BYTE_1 + _BYTE_3 + _buffer(_OSC_CELLS),
    "_DSM": _buffer(UUID(DSM_UUID).bytes_le) + _BYTE_1 + _BYTE_5 + _packaged(b"\x12", b"\x01\x00"),
}
"""The methods that are asked, with what they are called with."""


class AskingTable(Struct, frozen=True):
    """The table that asks, and which method each of its objects calls."""

    table: Table
    objects: Mapping[str, str]

    def answers(self, evaluations: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
        """The evaluations of our objects, as those of the methods that they call."""
        return {
            method: replace(evaluations[name], path=method)
            for name, method in self.objects.items()
            if name in evaluations
        }


def asking_table(devices: Sequence[str], tables: Sequence[Table] = ()) -> AskingTable:
    """Ask these devices (paths from the root), which `tables` define, for their `_STA`, `_OSC` and
    `_DSM`. A device or method that does not exist gives an evaluation that failed; a text that is no path, or
    one of more than 30 names, is left out."""
    taken = {name for name in _ROOMS for table in tables if name.encode() in table.data}
    room = next((name for name in _ROOMS if name not in taken), _ROOMS[0])
    objects: dict[str, str] = {}
    body = b""
    paths = [path for path in devices if _PATH.fullmatch(path)][:LIMIT]
    for number, (path, name) in enumerate((path, name) for path in paths for name in ARGUMENTS):
        called = f"{path}.{name}"
        asking = b"\xa4" + _name(called) + ARGUMENTS[name]
        device = f"Q{number:03X}"
        method = _packaged(b"\x14", ASKED.encode() + b"\0" + asking)
        body += _packaged(b"\x5b\x82", device.encode() + method)
        objects[f"\\{room}.{device}.{ASKED}"] = called
    body = _packaged(b"\x5b\x82", b"\\" + room.encode() + body)
    length = HEADER_SIZE + len(body)
    data = struct.pack("<4sIBB6s8sI4sI", b"SSDT", length, 2, 0, b"RPX", b"ASK", 1, b"RPX", 1) + body
    return AskingTable(read_table(data, "questions"), objects)
