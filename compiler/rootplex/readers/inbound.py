"""What DMA of the devices on a bus is limited to, by device tree.

Linux drivers/of/address.c, of_dma_get_range, for a device on a PCI bus with the host bridge's node
(drivers/pci/pci-driver.c, pci_dma_configure).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct

from rootplex.readers.address import (
    PCI_ADDRESS,
    DtRange,
    dma_ancestors,
    dma_to_cpu,
    is_pci_bus,
    ranges,
    through,
    windows,
)
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.place import Place


class BusStretch(Struct, frozen=True):
    """A stretch of the addresses on a PCI bus, and what the CPU has it at: of a window, or of memory and what
    else requests of devices come to. `place` is that of the whole entry."""

    bus: int
    cpu: int
    size: int
    place: Place

    @property
    def offset(self) -> int:
        """What is added to an address of the bus."""
        return self.cpu - self.bus

    @property
    def last(self) -> int:
        """The last address on the bus."""
        return self.bus + self.size - 1

    def common(self, first: int, last: int) -> tuple[int, int] | None:
        """The first and last of these addresses of the bus that are in it; None without any."""
        low, high = max(self.bus, first), min(self.last, last)
        return (low, high) if low <= high else None

    def of_cpu(self, first: int, last: int) -> tuple[int, int] | None:
        """Where on the bus these addresses of the CPU are, as far as they are in it; None without any."""
        return self.common(first - self.offset, last - self.offset)


def inbound(tree: Tree, bridge: DtNode) -> tuple[BusStretch, ...] | None:
    """What `dma-ranges` say of a host bridge's devices; None where nothing limits them.

    The nearest ones that are not empty count: the bridge's own, or those of a bus above, as far as every bus
    between has empty ones. Entries that a bus above does not pass are left out; without any that it passes
    nothing is limited (`of_dma_get_range` fails, and `of_dma_configure_id` goes on).
    """
    node = _limiting(tree, bridge)
    if node is None:
        return None
    found = [
        BusStretch(each.bus, each.cpu, each.size, each.place)
        for each in _entries(tree, node)
        if each.cpu is not None
    ]
    return tuple(found) or None


class _Entry(Struct, frozen=True):
    """One entry of a node's `dma-ranges`: on the bus, on the bus above (`local`), for the CPU."""

    node: DtNode
    bus: int
    local: int
    cpu: int | None
    size: int
    place: Place


def _entries(tree: Tree, node: DtNode) -> Iterator[_Entry]:
    """The entries that are not empty, of a PCI bus or of another."""
    if is_pci_bus(node) or node.address_cells == PCI_ADDRESS:
        for window in windows(tree, node, "dma-ranges"):
            if window.size:
                yield _Entry(node, window.pci, window.cpu_local, window.cpu, window.size, window.place)
        return
    for each in ranges(node, "dma-ranges"):
        if each.size:
            cpu = dma_to_cpu(tree, node, each.parent)
            place = tree.place(node, "dma-ranges", each.cell)
            yield _Entry(node, each.child, each.parent, cpu, each.size, place)


def narrowest(tree: Tree) -> int | None:
    """The last address of the CPU that the narrowest `dma-ranges` of the tree reach, of whatever node is on;
    None where none limits (`of_dma_get_max_cpu_address`)."""
    ends = []
    for node in tree.walk():
        if node.properties.get("dma-ranges") and node.is_enabled and node.ancestors_enabled:
            reached = [each.cpu + each.size - 1 for each in _entries(tree, node) if each.cpu is not None]
            ends += [max(reached)] if reached else []
    return min(ends, default=None)


def _limiting(tree: Tree, bridge: DtNode) -> DtNode | None:
    """The node whose `dma-ranges` count. That the bridge has none is no obstacle; that a bus has none is."""
    if bridge.properties.get("dma-ranges"):
        return bridge
    for bus in dma_ancestors(tree, bridge):
        value = bus.properties.get("dma-ranges")
        if value is None:
            return None
        if value:
            return bus
    return None


MANY = 1024
"""How many entries of a node are held against the buses above: no board has as many (RPX0521)."""


class Unpassed(Struct, frozen=True):
    """An entry of `dma-ranges` that the buses above do not pass whole: the first `passed` bytes of its
    `size`. `bus` is the node whose `dma-ranges` stand in the way."""

    place: Place
    bus: DtNode
    address: int
    size: int
    passed: int


def unpassed(tree: Tree, bridge: DtNode) -> Iterator[Unpassed]:
    """The entries that count for a bridge's devices and that `dma-ranges` of a bus above cut, each once, at
    the first bus that does. Linux translates the first address alone."""
    node = _limiting(tree, bridge)
    passing: dict[str, list[DtRange]] = {}
    for entry in () if node is None else islice(_entries(tree, node), MANY):
        address = entry.local
        for bus in dma_ancestors(tree, entry.node):
            if bus.parent is None:
                break
            if not bus.properties.get("dma-ranges"):
                continue
            if bus.path not in passing:
                passing[bus.path] = sorted(ranges(bus, "dma-ranges"), key=lambda each: each.child)
            passed = _passed(passing[bus.path], address)
            if passed < entry.size:
                yield Unpassed(entry.place, bus, address, entry.size, passed)
                break
            address = through(bus, address, "dma-ranges") or 0


def _passed(passing: Iterable[DtRange], address: int) -> int:
    """How many bytes from an address on a bus its `dma-ranges`, by address, pass: over entries that follow
    each other."""
    end = address
    for each in passing:
        if each.child <= end < each.child + each.size:
            end = each.child + each.size
    return end - address
