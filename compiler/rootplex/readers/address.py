"""Addresses of a device tree: `reg`, `ranges`, and the way from a bus's address to the CPU's.

Devicetree Specification 0.4, §2.3.6-2.3.9; Linux `drivers/of/address.c`. PCI `ranges` have three
address cells, the first of which (phys.hi) carries flags (PCI Bus Binding to IEEE 1275, §2.2.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from rootplex.formats.devicetree import PREFETCHABLE, SPACE_CODES, SPACE_SHIFT
from rootplex.readers.phandles import phandle_refs
from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode, Tree, number
from rootplex.source.place import DtPlace

MAX_CELLS = 4
"""Linux reads no address or size of more cells (`OF_MAX_ADDR_CELLS`)."""

Space: TypeAlias = Literal["config", "io", "mem32", "mem64"]
SPACES: dict[int, Space] = {SPACE_CODES[space]: space for space in get_args(Space)}

Translation: TypeAlias = Literal["cpu", "mbus", "none"]
"""How an address relates to the CPU's: translated; a Marvell MBUS target id (raw on purpose);
or not translatable through the `ranges` above."""

PCI_ADDRESS = 3
"""Cells of an address on a PCI bus (IEEE 1275 PCI binding, 2.2.1.1)."""


class DtReg(Struct, frozen=True):
    """One entry of `reg`. `address` is the parent bus's, `cpu` the CPU's (None: untranslatable); `place` is
    the whole entry's, `at_size` that of its size."""

    index: int
    name: str | None
    address: int
    cpu: int | None
    size: int
    translation: Translation
    cell: int
    place: DtPlace
    at_size: DtPlace


class DtWindow(Struct, frozen=True):
    """One entry of a PCI `ranges` or `dma-ranges`: `pci` bus addresses seen at `cpu_local` on the
    node's parent bus, at `cpu` by the CPU (None: untranslatable). `place` is the whole entry's,
    `at_address` that of its CPU address, `at_size` of its size."""

    phys_hi: int
    space: Space
    prefetchable: bool
    pci: int
    cpu_local: int
    cpu: int | None
    size: int
    translation: Translation
    cell: int
    place: DtPlace
    at_address: DtPlace
    at_size: DtPlace


class DtRange(Struct, frozen=True):
    """One entry of an ordinary bus's `ranges`: child addresses to parent addresses."""

    child: int
    parent: int
    size: int
    cell: int


def is_pci_bus(node: DtNode) -> bool:
    """Whether the node's children have PCI addresses of three cells (Linux `of_bus_pci_match`)."""
    return node.string("device_type") in ("pci", "pciex", "vci", "ht") or node.base_name == "pcie"


def entries(cells: tuple[int, ...], *widths: int) -> Iterator[tuple[int, tuple[tuple[int, ...], ...]]]:
    """Cut cells into entries of fields of the given widths; yields (index of first cell, fields).

    What is left at the end is no entry. Nothing for entries of no cells, or impossible widths.
    """
    total = sum(widths)
    if total == 0 or max(widths) > MAX_CELLS:
        return
    for start in range(0, len(cells) - total + 1, total):
        fields = []
        at = start
        for width in widths:
            fields.append(cells[at : at + width])
            at += width
        yield start, tuple(fields)


def ragged(tree: Tree, node: DtNode, property: str, width: int) -> Iterator[Problem]:
    """The problem of a property that is not a whole number of entries of `width` cells."""
    length = len(node.properties.get(property, b""))
    if width == 0 and length:
        yield Problem("cells", tree.place(node, property), "entries of no cells")
    elif length % (4 * width or 4):
        text = f"{length} bytes are not a whole number of entries of {4 * width}"
        yield Problem("size", tree.place(node, property), text)


def ranges(node: DtNode, property: str = "ranges") -> tuple[DtRange, ...]:
    """The entries of an ordinary bus's `ranges` (or `dma-ranges`). Of addresses of three cells or
    more only the last two count, as in Linux."""
    parent = node.parent
    widths = (node.address_cells, parent.address_cells if parent else 0, node.size_cells)
    return tuple(
        DtRange(number(child[-2:]), number(up[-2:]), number(size[-2:]), cell)
        for cell, (child, up, size) in entries(node.cells(property) or (), *widths)
    )


def to_cpu(node: DtNode, address: int) -> int | None:
    """The CPU address of an address on the bus that `node` sits on: through the `ranges` of every
    bus above; an empty one is 1:1, a missing one cannot be passed.

    None: not translatable, or a bus on the way has impossible cell counts.
    """
    for bus in node.ancestors():
        if bus.parent is None:
            return address
        if "ranges" not in bus.properties:
            return None
        above = through(bus, address)
        if above is None:
            return None
        address = above
    return None


def dma_to_cpu(tree: Tree, node: DtNode, address: int) -> int | None:
    """The CPU address of an address on the bus that DMA of `node` goes out on: as `to_cpu`, through the
    `dma-ranges` of every bus above, where a missing one is 1:1 too (`of_translate_dma_address`)."""
    for bus in dma_ancestors(tree, node):
        if bus.parent is None:
            return address
        above = through(bus, address, "dma-ranges")
        if above is None:
            return None
        address = above
    return None


def through(bus: DtNode, address: int, property: str = "ranges") -> int | None:
    """An address on `bus` as its parent has it: by the entry that holds it, 1:1 without entries. None: no
    entry holds it, or by these cell counts nothing is translated."""
    if not 0 < bus.address_cells <= MAX_CELLS or bus.size_cells == 0:
        return None
    if not bus.properties.get(property):
        return address
    held = (r for r in ranges(bus, property) if r.child <= address < r.child + r.size)
    return next((address - r.child + r.parent for r in held), None)


def dma_ancestors(tree: Tree, node: DtNode) -> Iterator[DtNode]:
    """The buses that DMA of `node` passes, up to the root: the parent of each, or where an interconnect is
    named `dma-mem`, the node that this one leads to (Linux `__of_get_dma_parent`)."""
    passed = set()
    at = dma_parent(tree, node)
    while at is not None and at.path not in passed:
        yield at
        passed.add(at.path)
        at = dma_parent(tree, at)


def dma_parent(tree: Tree, node: DtNode) -> DtNode | None:
    """The bus that DMA of `node` goes out on."""
    names = node.strings("interconnect-names")
    if "dma-mem" in names:
        way = next(
            islice(
                phandle_refs(tree, node, "interconnects", "#interconnect-cells"), names.index("dma-mem"), None
            ),
            None,
        )
        if way is not None and way.target is not None:
            return tree.by_path[way.target]
    return node.parent


def translation(node: DtNode, cpu: int | None) -> Translation:
    """What the outcome of `to_cpu` means for an address on the bus of `node`."""
    if cpu is not None:
        return "cpu"
    under_mbus = any(name.endswith("-mbus") for up in node.ancestors() for name in up.compatible)
    return "mbus" if under_mbus else "none"


def regs(tree: Tree, node: DtNode) -> tuple[DtReg, ...]:
    """The entries of the node's `reg`, by its parent's cell counts."""
    bus = node.parent
    if bus is None or "reg" not in node.properties:
        return ()
    names = node.strings("reg-names")
    found = []
    splits = entries(node.cells("reg") or (), bus.address_cells, bus.size_cells)
    for index, (cell, (address, size)) in enumerate(splits):
        local = number(address[-2:])
        cpu = None if bus.size_cells == 0 else to_cpu(node, local)
        found.append(
            DtReg(
                index=index,
                name=names[index] if index < len(names) else None,
                address=local,
                cpu=cpu,
                size=number(size[-2:]),
                translation=translation(node, cpu),
                cell=cell,
                place=tree.place(node, "reg", cell),
                at_size=tree.place(node, "reg", cell + bus.address_cells),
            )
        )
    return tuple(found)


def reg_problems(tree: Tree, node: DtNode) -> Iterator[Problem]:
    """What is malformed in the node's `reg`."""
    if node.parent is not None:
        yield from ragged(tree, node, "reg", node.parent.address_cells + node.parent.size_cells)


UNIT_ADDRESS = re.compile(r"[^@]+@([0-9a-f]{5,16})")
"""A node's name with a unit address that no index, port or chip select has."""


def cut_problem(tree: Tree, node: DtNode) -> Problem | None:
    """The problem of a `reg` that is written for other cell counts than those of the bus: by them its first
    address is the one in the node's name (Devicetree Specification 0.4, §2.2.1.1), and by the bus's not."""
    bus, cells, unit = node.parent, node.cells("reg"), UNIT_ADDRESS.fullmatch(node.name)
    if bus is None or not cells or unit is None or is_pci_bus(bus):
        return None
    if not bus.address_cells or not bus.size_cells:
        return None
    named = int(unit[1], 16)
    width = bus.address_cells + bus.size_cells
    is_ragged = len(cells) > width and len(cells) % width  # one that is too short is only that
    if number(cells[: bus.address_cells]) == named and not is_ragged:
        return None
    for counts in ((1, 1), (2, 2), (2, 1), (1, 2)):
        if len(cells) % sum(counts) == 0 and number(cells[: counts[0]]) == named:
            has = f"its bus has {bus.address_cells} and {bus.size_cells}"
            text = f"it is written for {counts[0]} address and {counts[1]} size cells, and {has}"
            return Problem("cells", tree.place(node, "reg"), text)
    return None


def windows(tree: Tree, node: DtNode, property: str) -> tuple[DtWindow, ...]:
    """The entries of a PCI host's `ranges` or `dma-ranges`."""
    bus = node.parent
    if bus is None or node.address_cells != 3:
        return ()
    found = []
    splits = entries(node.cells(property) or (), 1, 2, bus.address_cells, node.size_cells)
    for cell, (flags, pci, local_cells, size) in splits:
        local = number(local_cells[-2:])
        cpu = dma_to_cpu(tree, node, local) if property == "dma-ranges" else to_cpu(node, local)
        found.append(
            DtWindow(
                phys_hi=flags[0],
                space=SPACES[flags[0] >> SPACE_SHIFT & 3],
                prefetchable=bool(flags[0] & PREFETCHABLE),
                pci=number(pci),
                cpu_local=local,
                cpu=cpu,
                size=number(size[-2:]),
                translation=translation(node, cpu),
                cell=cell,
                place=tree.place(node, property, cell),
                at_address=tree.place(node, property, cell + PCI_ADDRESS),
                at_size=tree.place(node, property, cell + PCI_ADDRESS + bus.address_cells),
            )
        )
    return tuple(found)


COUNTS = ("#address-cells", "#size-cells", "#interrupt-cells")


def count_problems(tree: Tree, node: DtNode) -> Iterator[Problem]:
    """Cell counts of a node that are not one cell: one too short says nothing, of more the first counts."""
    for name in COUNTS:
        length = len(node.properties.get(name, bytes(4)))
        if length < 4:
            yield Problem(
                "cut-off", tree.place(node, name), f"{length} bytes are no cell, and it counts for nothing"
            )
        elif length > 4:
            yield Problem(
                "size", tree.place(node, name), f"{length} bytes where 4 are expected: the first cell counts"
            )


def bus_problems(tree: Tree, bus: DtNode) -> Iterator[Problem]:
    """What is malformed in a bus on the way to the CPU: its cell counts, `ranges`, `dma-ranges`."""
    yield from count_problems(tree, bus)
    if bus.parent is not None:
        width = bus.address_cells + bus.parent.address_cells + bus.size_cells
        for property in ("ranges", "dma-ranges"):
            yield from ragged(tree, bus, property, width)


def window_problems(tree: Tree, node: DtNode, property: str) -> Iterator[Problem]:
    """What is malformed in a PCI host's `ranges` or `dma-ranges`."""
    bus = node.parent
    if not node.properties.get(property) or bus is None:
        return
    if node.address_cells != 3:
        text = f"#address-cells of a PCI bus is 3, here {node.address_cells}: {property} cannot be read"
        yield Problem("cells", tree.place(node, "#address-cells"), text)
    elif node.size_cells > MAX_CELLS or bus.address_cells > MAX_CELLS:
        text = f"{node.size_cells} size cells or {bus.address_cells} parent address cells are too many"
        yield Problem("cells", tree.place(node, property), text)
    else:
        yield from ragged(tree, node, property, 3 + bus.address_cells + node.size_cells)
