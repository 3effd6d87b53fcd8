"""A flattened device tree blob to a `Tree` (Devicetree Specification 0.4, §5).

The `fdt` library writes our blobs; reading is done here, because its reader (0.3.3) cannot be made
safe or exact from outside: it refuses the NOP tag that the specification allows, gives each value a
type guessed from its bytes, reads past the blocks that the header announces, raises whatever
happens to fail, and lets the memory reservations of one blob leak into the next. Its result is
compared with ours in the tests, as is `dtc`'s.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from rootplex.readers.tree import DtNode, Tree
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import FilePlace

MAGIC = 0xD00DFEED
HEADER_SIZE = 40
OLDEST_VERSION = 16
"""Older blobs (before 2005) lack the size of the structure block and align values otherwise."""
NEWEST_COMPATIBLE = 17

BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9

SIZE_LIMIT = 16 << 20
DEPTH_LIMIT = 64
NODE_LIMIT = 1 << 17
PATHS_LIMIT = 32 << 20
PROPERTY_NAME_LIMIT = 255

_CELL = struct.Struct(">I")
_PROPERTY = struct.Struct(">II")
_RESERVATION = struct.Struct(">QQ")
_NO_PHANDLE = (0, 0xFFFFFFFF)


def read_dtb(blob: bytes, file: str) -> Tree:
    """The tree in a blob; `file` names it in places.

    Unreadable: not a blob, too large (16 MiB), cut off, blocks outside the blob, bad tags, names
    or nesting (64 levels), or two nodes or properties of one name. Bytes after the blob's own
    size are ignored.
    """
    reader = _Reader(blob, file)
    root = reader.structure()
    by_path = {node.path: node for node in reader.nodes}
    by_phandle: dict[int, DtNode] = {}
    shared = []
    for node in reader.nodes:
        phandle = node.phandle
        if phandle is None or phandle in _NO_PHANDLE:
            continue
        if by_phandle.setdefault(phandle, node) is not node:
            shared.append(node)
    return Tree(
        file=file,
        root=root,
        reservations=reader.reservations(),
        by_path=by_path,
        by_phandle=by_phandle,
        shared_phandles=tuple(shared),
        boot_cpu=reader.boot_cpu,
    )


Stretch: TypeAlias = tuple[int, int]
"""First byte and number of bytes, in the blob."""


def stretches(blob: bytes, file: str) -> dict[tuple[str, str | None], Stretch]:
    """Where in a blob each node's name (property None) and each property's value stand. Errors as in
    `read_dtb`."""
    reader = _Reader(blob, file)
    reader.structure()
    return reader.stretches


class _Reader:
    """The blocks of one blob, checked against the header before anything in them is read."""

    def __init__(self, blob: bytes, file: str) -> None:
        self.file = file
        self.nodes: list[DtNode] = []
        self.stretches: dict[tuple[str, str | None], Stretch] = {}
        if len(blob) < HEADER_SIZE:
            raise self.error(f"not a device tree blob: {len(blob)} bytes, the header alone has {HEADER_SIZE}")
        (
            magic,
            total,
            self.struct_at,
            self.strings_at,
            self.reservations_at,
            version,
            compatible,
            self.boot_cpu,
            strings_size,
            struct_size,
        ) = struct.unpack_from(">10I", blob)
        if magic != MAGIC:
            raise self.error(f"not a device tree blob: it starts with {magic:#010x}, not {MAGIC:#010x}")
        if total > SIZE_LIMIT:
            raise self.error(f"device tree blob of {total} bytes, more than {SIZE_LIMIT >> 20} MiB")
        if total > len(blob) or total < HEADER_SIZE:
            raise self.error(f"header gives a size of {total} bytes, the file has {len(blob)}")
        if version < OLDEST_VERSION or compatible > NEWEST_COMPATIBLE:
            raise self.error(
                f"device tree blob of version {version}, readable as {compatible}: "
                f"known are {OLDEST_VERSION} and {NEWEST_COMPATIBLE}"
            )
        if version < 17:
            struct_size = max(0, total - self.struct_at)
        for name, start, size, alignment in (
            ("structure", self.struct_at, struct_size, 4),
            ("strings", self.strings_at, strings_size, 1),
            ("memory reservation", self.reservations_at, _RESERVATION.size, 8),
        ):
            if start < HEADER_SIZE or start + size > total:
                raise self.error(
                    f"{name} block at {start:#x} with {size} bytes lies outside the blob's {total}"
                )
            if start % alignment:
                raise self.error(f"{name} block at {start:#x} is not aligned to {alignment} bytes")
        self.blob = blob[:total]
        self.struct_end = self.struct_at + struct_size
        self.strings_end = self.strings_at + strings_size
        self.names: dict[int, str] = {}
        self.path_length = 0

    def error(self, message: str) -> Unreadable:
        return unreadable(FilePlace(self.file), message)

    def reservations(self) -> tuple[tuple[int, int], ...]:
        found: list[tuple[int, int]] = []
        at = self.reservations_at
        while True:
            if at + _RESERVATION.size > len(self.blob):
                raise self.error("the memory reservation block has no end")
            address, size = _RESERVATION.unpack_from(self.blob, at)
            if address == size == 0:
                return tuple(found)
            found.append((address, size))
            at += _RESERVATION.size

    def structure(self) -> DtNode:
        """Walk the structure block; returns the root and leaves all nodes in `nodes`."""
        blob, end = self.blob, self.struct_end
        at = self.struct_at
        depth = 0
        root: DtNode | None = None
        node: DtNode | None = None
        child_names: list[set[str]] = []
        while True:
            if at + 4 > end:
                raise self.error(f"the structure block stops at {at:#x} without an end")
            (tag,) = _CELL.unpack_from(blob, at)
            at += 4
            if tag == PROP:
                if node is None:
                    raise self.error(f"property outside of any node at {at - 4:#x}")
                if at + 8 > end:
                    raise self.error(f"property at {at - 4:#x} is cut off")
                length, name_at = _PROPERTY.unpack_from(blob, at)
                at += 8
                if at + length > end:
                    raise self.error(
                        f"property at {at - 12:#x} in {node.path} has {length} bytes, "
                        f"{end - at} are left of the structure block"
                    )
                name = self.names.get(name_at)
                if name is None:
                    name = self.property_name(name_at)
                if name in node.properties:
                    raise self.error(f"two properties {name} in {node.path}")
                node.properties[name] = blob[at : at + length]
                self.stretches[node.path, name] = (at, length)
                at += length + 3 & ~3
            elif tag == BEGIN_NODE:
                stop = blob.find(b"\0", at, end)
                if stop < 0:
                    raise self.error(f"node name at {at:#x} has no end")
                if node is None and root is not None:
                    raise self.error(f"second root node at {at - 4:#x}")
                if depth == DEPTH_LIMIT:
                    raise self.error(f"nodes nest deeper than {DEPTH_LIMIT} levels at {at - 4:#x}")
                child = self.begin(blob[at:stop], node, at)
                if node is None:
                    root = child
                else:
                    if child.name in child_names[-1]:
                        raise self.error(f"two nodes {child.path}")
                    child_names[-1].add(child.name)
                    node.children.append(child)
                self.stretches[child.path, None] = (at, stop - at)
                child_names.append(set())
                node = child
                depth += 1
                at = stop + 4 & ~3
            elif tag == END_NODE:
                if node is None:
                    raise self.error(f"end of a node that was not begun at {at - 4:#x}")
                node = node.parent
                child_names.pop()
                depth -= 1
            elif tag == END:
                if node is not None:
                    raise self.error(f"node {node.path} has no end")
                if root is None:
                    raise self.error("no root node")
                return root
            elif tag != NOP:
                raise self.error(f"unknown tag {tag:#x} at {at - 4:#x}")

    def begin(self, name_bytes: bytes, parent: DtNode | None, at: int) -> DtNode:
        if parent is None:
            if name_bytes not in (b"", b"/"):
                raise self.error(f"the root node has a name at {at:#x}")
            node = DtNode("/", "", None)
        else:
            name = name_bytes.decode("latin-1")
            if not name or "/" in name or not (name.isascii() and name.isprintable()):
                raise self.error(f"invalid name {name[:40]!r} of a node below {parent.path[:200]} at {at:#x}")
            path = f"{parent.path}/{name}" if parent.parent is not None else f"/{name}"
            node = DtNode(path, name, parent)
        self.nodes.append(node)
        self.path_length += len(node.path)
        if len(self.nodes) > NODE_LIMIT or self.path_length > PATHS_LIMIT:
            raise self.error(f"more than {NODE_LIMIT} nodes, or {PATHS_LIMIT >> 20} MiB of paths")
        return node

    def property_name(self, offset: int) -> str:
        start = self.strings_at + offset
        stop = self.blob.find(b"\0", start, min(self.strings_end, start + PROPERTY_NAME_LIMIT + 1))
        if start >= self.strings_end or stop < 0:
            raise self.error(f"property name at {offset:#x} runs out of the strings block")
        name = self.blob[start:stop].decode("latin-1")
        if not name or not (name.isascii() and name.isprintable()):
            raise self.error(f"invalid property name {name[:40]!r} at {offset:#x} of the strings block")
        self.names[offset] = name
        return name
