"""A device tree in memory: nodes with their properties as bytes, in document order.

Values are decoded where they are used, by the property's name: nothing is guessed from the bytes.
Cells are 32-bit big endian numbers (Devicetree Specification 0.4, §2.2.4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct, field

from rootplex.source.place import DtPlace

# Devicetree Specification 0.4, §2.3.5: what holds where no node says.
DEFAULT_ADDRESS_CELLS = 2
DEFAULT_SIZE_CELLS = 1


def cells_of(value: bytes) -> tuple[int, ...]:
    """All whole 32-bit cells of a property's bytes; a ragged tail of 1-3 bytes is left out."""
    count = len(value) // 4
    return struct.unpack_from(f">{count}I", value)


def number(cells: tuple[int, ...]) -> int:
    """Cells read as one big endian number, of any width; 0 for none."""
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value


class DtNode(Struct, frozen=True, eq=False):
    """One node. `name` has the unit address and is empty for the root, whose `path` is `/`.

    `properties` keeps the blob's order; an empty property is `b""`. Nodes compare by identity and
    are not changed once the tree has been read.
    """

    path: str
    name: str
    parent: DtNode | None
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[DtNode] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"DtNode({self.path!r})"

    def cells(self, name: str) -> tuple[int, ...] | None:
        """The property's whole cells; None where it is absent."""
        value = self.properties.get(name)
        return None if value is None else cells_of(value)

    def u32(self, name: str) -> int | None:
        """The property's first cell; None where it is absent or shorter than a cell."""
        value = self.properties.get(name, b"")
        return int.from_bytes(value[:4], "big") if len(value) >= 4 else None

    def number(self, name: str) -> int | None:
        """A property of one or two cells as a number; None where it is absent or has no cell."""
        cells = self.cells(name)
        return number(cells[:2]) if cells else None

    def strings(self, name: str) -> tuple[str, ...]:
        """The property's strings, empty ones too; () where it is absent. Bad bytes become �."""
        value = self.properties.get(name)
        if not value:
            return ()
        # No byte of a longer sequence is 0, and a broken one does not swallow it: split after decoding.
        return tuple(value.decode("utf-8", "replace").removesuffix("\0").split("\0"))

    def string(self, name: str) -> str | None:
        """The property's first string; None where it is absent or empty."""
        strings = self.strings(name)
        return strings[0] if strings else None

    @property
    def base_name(self) -> str:
        """The name without its unit address."""
        return self.name.partition("@")[0]

    @property
    def compatible(self) -> tuple[str, ...]:
        """The compatible strings, most specific first."""
        return self.strings("compatible")

    @property
    def phandle(self) -> int | None:
        """The node's phandle (`phandle`, or the older `linux,phandle`)."""
        own = self.u32("phandle")
        return own if own is not None else self.u32("linux,phandle")

    @property
    def is_enabled(self) -> bool:
        """Whether the node's own `status` is absent, "okay" or "ok" (an empty one is not)."""
        value = self.properties.get("status")
        return value is None or value.partition(b"\0")[0] in (b"okay", b"ok")

    @property
    def ancestors_enabled(self) -> bool:
        """Whether every node above is enabled: Linux creates no devices below a disabled one."""
        return all(node.is_enabled for node in self.ancestors())

    @property
    def address_cells(self) -> int:
        """How many cells an address of this node's children has.

        As Linux and Xen count: this node's `#address-cells`, else that of the nearest node above
        (the specification inherits nothing), else 2.
        """
        return self._cell_count("#address-cells", DEFAULT_ADDRESS_CELLS)

    @property
    def size_cells(self) -> int:
        """How many cells a size of this node's children has; as `address_cells`, else 1."""
        return self._cell_count("#size-cells", DEFAULT_SIZE_CELLS)

    def _cell_count(self, name: str, default: int) -> int:
        node: DtNode | None = self
        while node is not None:
            own = node.u32(name)
            if own is not None:
                return own
            node = node.parent
        return default

    def ancestors(self) -> Iterator[DtNode]:
        """The parent, its parent, … up to the root."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> Iterator[DtNode]:
        """This node and everything below, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


class Tree(Struct, frozen=True, eq=False):
    """A whole device tree. `file` names it in places; `reservations` are (address, size) of the
    memory reservation block. Where two nodes claim a phandle the first in document order has it,
    and `shared_phandles` names the others."""

    file: str
    root: DtNode
    reservations: tuple[tuple[int, int], ...]
    by_path: dict[str, DtNode]
    by_phandle: dict[int, DtNode]
    shared_phandles: tuple[DtNode, ...] = ()
    boot_cpu: int = 0

    def __repr__(self) -> str:
        return f"Tree({self.file!r})"

    def place(self, node: DtNode | str, property: str | None = None, cell: int | None = None) -> DtPlace:
        """The place of a node (or path), a property of it, or one cell of that."""
        return DtPlace(self.file, node if isinstance(node, str) else node.path, property, cell)

    def walk(self) -> Iterator[DtNode]:
        """Every node in document order, the root first."""
        return self.root.walk()

    @property
    def aliases(self) -> dict[str, str]:
        """The properties of `/aliases`: alias to path."""
        node = self.by_path.get("/aliases")
        names = () if node is None else node.properties
        return {name: node.string(name) or "" for name in names} if node else {}

    @property
    def labels(self) -> dict[str, str]:
        """Label to path, from `/__symbols__` (blobs made with `dtc -@`); {} otherwise."""
        node = self.by_path.get("/__symbols__")
        return {name: node.string(name) or "" for name in node.properties} if node else {}

    def find(self, path_or_alias: str) -> DtNode | None:
        """The node at a full path, or at the path behind an alias (`serial0`, `serial0/x`)."""
        if path_or_alias.startswith("/"):
            return self.by_path.get(path_or_alias)
        alias, _, rest = path_or_alias.partition("/")
        target = self.aliases.get(alias)
        return None if target is None else self.by_path.get(f"{target}/{rest}" if rest else target)
