"""One named field of a compiled artifact, altered: for faults that no description can have."""

from __future__ import annotations

import struct

from msgspec.structs import replace

from rootplex.backends.artifact import Compiled

BEGIN_NODE, END_NODE, PROPERTY, NOP = 1, 2, 3, 4


def with_cell(compiled: Compiled, node: str, property: str, cell: int, value: int) -> Compiled:
    """The compilation with one 32-bit cell of its DTB set; the node by its full path."""
    name = f"{compiled.name}.dtb"
    blob = bytearray(compiled.files[name])
    start, length = property_at(bytes(blob), node, property)
    assert 4 * cell < length, f"{property} of {node} has {length // 4} cells"
    struct.pack_into(">I", blob, start + 4 * cell, value)
    return replace(compiled, files={**compiled.files, name: bytes(blob)})


def with_bytes(compiled: Compiled, file: str, offset: int, data: bytes) -> Compiled:
    """The compilation with some bytes of a file replaced; a table's checksum is made right again."""
    blob = bytearray(compiled.files[file])
    blob[offset : offset + len(data)] = data
    if file.endswith(".aml"):
        blob[9] = 0
        blob[9] = -sum(blob) & 0xFF
    return replace(compiled, files={**compiled.files, file: bytes(blob)})


def property_at(blob: bytes, node: str, property: str) -> tuple[int, int]:
    """(offset, length) of a property's value in a blob (Devicetree Specification 0.4, §5.4)."""
    at, strings = struct.unpack_from(">2I", blob, 8)
    path: list[str] = []
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN_NODE:
            end = blob.index(b"\0", at)
            path.append(blob[at:end].decode())
            at = end + 4 & ~3
        elif token == END_NODE:
            path.pop()
        elif token == PROPERTY:
            length, name_at = struct.unpack_from(">2I", blob, at)
            end = blob.index(b"\0", strings + name_at)
            here = "/".join(path) or "/"
            if (here, blob[strings + name_at : end].decode()) == (node, property):
                return at + 8, length
            at = at + 8 + length + 3 & ~3
        elif token != NOP:
            raise AssertionError(f"no {property} of {node}")
