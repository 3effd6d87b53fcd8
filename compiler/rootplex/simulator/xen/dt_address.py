"""Addresses of a device tree as Xen reads them (`common/device-tree/device-tree.c`).

Not Linux's reading (`readers.address`): below a PCI bus a function's addresses are its
`assigned-addresses`, a bus without `ranges` has no addresses at all, and a number of more than two
cells is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from rootplex.readers.tree import DtNode, Tree, number
from rootplex.simulator.xen.outcome import stop

Cells = tuple[int, ...]
Bus = Literal["pci", "default"]

MAX_CELLS = 4
ALL_ONES = (1 << 64) - 1
PCI_TYPES = ("pci", "pciex", "vci", "ht")
PCI_NAMES = ("pci", "pcie")
SPACE = 0x03000000
"""The bits of a PCI address's first cell that tell I/O from memory."""


class Address(Struct, frozen=True):
    """One entry: its index, the first of its cells in the property, its address in bytes on the CPU's
    bus (None: it cannot be translated), and its size."""

    index: int
    cell: int
    cpu: int | None
    size: int


class Addresses:
    """The addresses of a tree's nodes. `strict`: a number of more than two cells is an assertion
    (`Stopped`); else its low 64 bits count, as before 4.21 (`dt_read_number`)."""

    def __init__(self, tree: Tree, *, strict: bool) -> None:
        self._tree = tree
        self._strict = strict

    def of(self, node: DtNode) -> tuple[str, tuple[Address, ...]]:
        """The property that holds a node's addresses, and all entries that Xen counts
        (`dt_number_of_address`, `dt_device_get_address`)."""
        bus = None if node.parent is None else _bus(node.parent)
        name = "assigned-addresses" if bus == "pci" else "reg"
        cells = node.cells(name)
        if bus is None or cells is None:
            return name, ()
        width, sizes = _counts(bus, node)
        if not _is_sane(width, sizes):
            return name, ()
        found = []
        for index, at in enumerate(range(0, len(cells) - width - sizes + 1, width + sizes)):
            size = self._number(node, cells[at + width : at + width + sizes])
            found.append(Address(index, at, self.translated(node, cells[at : at + width]), size))
        return name, tuple(found)

    def named(self, node: DtNode, name: str | None) -> Address | None:
        """The entry that `reg-names` calls so; without a name the first."""
        names = node.strings("reg-names")
        if name is not None and name not in names:
            return None
        index = 0 if name is None else names.index(name)
        return next((one for one in self.of(node)[1] if one.index == index), None)

    def ranges_of(self, node: DtNode) -> Iterator[Address]:
        """The windows of a bus, seen by the CPU, where `ranges_fault` has none."""
        bus, parent = _bus(node), node.parent
        cells = node.cells("ranges")
        if bus is None or parent is None or not cells:
            return
        width, sizes = _counts(bus, node)
        above, _ = _counts(_bus(parent), parent)
        one = width + above + sizes
        for index, at in enumerate(range(0, len(cells) - one + 1, one)):
            start = at + width
            size = self._number(node, cells[start + above : at + one])
            yield Address(index, at, self.translated(node, cells[start : start + above]), size)

    def translated(self, node: DtNode, cells: Cells) -> int | None:
        """`__dt_translate_address`: through the `ranges` of every bus above; None where one has none,
        or none that holds the address."""
        parent = node.parent
        bus = None if parent is None else _bus(parent)
        if parent is None or bus is None:
            return None
        width, sizes = _counts(bus, node)
        if not _is_sane(width, sizes):
            return None
        address = cells[:width]
        here = parent
        while here.parent is not None:
            above = _bus(here.parent)
            if above is None:
                return None
            up, up_sizes = _counts(above, here)
            if not _is_sane(up, up_sizes):
                return None
            moved = self._through(here, bus, above, address, sizes, up)
            if moved is None:
                return None
            address, bus, sizes, here = moved, above, up_sizes, here.parent
        found = self._number(node, address)
        return None if found == ALL_ONES else found

    def _through(
        self, node: DtNode, bus: Bus, above: Bus, address: Cells, sizes: int, up: int
    ) -> Cells | None:
        """`dt_translate_one`: an address on the bus of `node` as one on the bus above it."""
        cells = node.cells("ranges")
        if cells is None:
            return None
        if not node.properties["ranges"]:
            return self._moved(node, above, (0,) * up, self._number(node, address))
        width = len(address)
        one = width + up + sizes
        for at in range(0, len(cells) - one + 1, one):
            entry = cells[at : at + one]
            offset = self._offset(node, bus, address, entry, up)
            if offset is not None:
                return self._moved(node, above, entry[width : width + up], offset)
        return None

    def _offset(self, node: DtNode, bus: Bus, address: Cells, entry: Cells, up: int) -> int | None:
        """How far into an entry an address lies; None where it does not."""
        width = len(address)
        first = 1 if bus == "pci" else 0
        if bus == "pci" and _space(address[0]) != _space(entry[0]):
            return None
        start, size = self._number(node, entry[first:width]), self._number(node, entry[width + up :])
        here = self._number(node, address[first:])
        if bus == "default" and width > 2 and entry[:width] != address:
            return None
        return here - start if start <= here < (start + size & ALL_ONES) else None

    def _moved(self, node: DtNode, bus: Bus, cells: Cells, offset: int) -> Cells:
        """An address on a bus, further by an offset."""
        first = 1 if bus == "pci" else 0
        value = self._number(node, cells[first:]) + offset & ALL_ONES
        width = len(cells) - first
        low = (value >> 32, value & 0xFFFFFFFF)[2 - min(width, 2) :]
        return (*cells[:first], *(0,) * (width - len(low)), *low)

    def _number(self, node: DtNode, cells: Cells) -> int:
        """`dt_read_number`."""
        if self._strict and len(cells) > 2:
            cause = f"an address of {node.path} is read as a number of {len(cells)} cells"
            raise stop("assertion", cause, "§1.6", self._tree.place(node))
        return number(cells[-2:])


def ranges_fault(node: DtNode) -> str | None:
    """Why `dt_for_each_range` gives up on a bus as a whole (-EINVAL); None where it does not."""
    if _bus(node) is None:
        return None
    if "ranges" not in node.properties:
        return "no ranges"
    if not node.properties["ranges"]:
        return None
    if not _is_sane(*_counts(_bus(node), node)):
        return "impossible cell counts"
    parent = node.parent
    above = None if parent is None else _bus(parent)
    if above is None:
        return "ranges below a bus that has none"
    return None if _is_sane(*_counts(above, parent or node)) else "impossible cell counts above"


def _space(flags: int) -> int:
    """The kind of space that Xen tells apart: 0 neither, 1 I/O, 2 memory of either width."""
    return min((flags & SPACE) >> 24, 2)


def _bus(node: DtNode) -> Bus | None:
    """`dt_match_bus`: a PCI bus by its type or its name, the root, or a bus with `ranges`."""
    if node.string("device_type") in PCI_TYPES or node.base_name in PCI_NAMES:
        return "pci"
    return "default" if node.parent is None or "ranges" in node.properties else None


def _counts(bus: Bus | None, node: DtNode) -> tuple[int, int]:
    """The cells of an address and of a size on the bus that `node` sits on."""
    if bus == "pci":
        return 3, 2
    above = node.parent or node
    return above.address_cells, above.size_cells


def _is_sane(width: int, sizes: int) -> bool:
    return 0 < width <= MAX_CELLS and sizes > 0
