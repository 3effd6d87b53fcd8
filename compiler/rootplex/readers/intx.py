"""Legacy interrupts of a device tree: `interrupt-map` and the way of an INTx pin through it.

Follows Linux `pci/of.c:of_irq_parse_pci` and `of/irq.c:of_irq_parse_raw`; the map itself is
Devicetree Specification 0.4, §2.4.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.place import DtPlace


class InterruptMapEntry(Struct, frozen=True):
    """One entry. `key` is the child's unit address and interrupt specifier, `parent_address` and
    `specifier` the parent's; `parent` is the node behind `phandle`, None where there is none."""

    key: tuple[int, ...]
    phandle: int
    parent: str | None
    parent_enabled: bool
    parent_address: tuple[int, ...]
    specifier: tuple[int, ...]
    cell: int
    """Index of the entry's first cell in the property."""
    place: DtPlace


class InterruptMap(Struct, frozen=True):
    """An `interrupt-map`. `mask` is all ones where no `interrupt-map-mask` stands. Entries end at
    the first malformed one, which is a problem: nothing after it can be found."""

    node: str
    address_cells: int
    interrupt_cells: int
    mask: tuple[int, ...]
    mask_present: bool
    entries: tuple[InterruptMapEntry, ...]
    place: DtPlace
    problems: tuple[Problem, ...] = ()


class Hop(Struct, frozen=True):
    """One function on the way from the root bus down to a device: the bus it sits on, its
    device and function numbers (`devfn` = device << 3 | function), and whether ARI is active on
    that bus (then its slot counts as 0 in the swizzle)."""

    bus: int
    devfn: int
    ari: bool = False


class IntxRoute(Struct, frozen=True):
    """Where a pin ends. Routed: `controller` (path) and `specifier` (cells). Else both None and
    `reason` says why. `nexus` is the node whose map was searched, `pin` (1-4) and `unit` what it
    was searched with; `entries` are the map entries taken, one for each nexus passed."""

    controller: str | None
    specifier: tuple[int, ...] | None
    pin: int
    unit: Hop
    nexus: str | None
    entries: tuple[InterruptMapEntry, ...]
    reason: str | None
    place: DtPlace


_NEXUS_LIMIT = 64


def interrupt_map(tree: Tree, node: DtNode) -> InterruptMap | None:
    """The `interrupt-map` of a node; None where it has none."""
    cells = node.cells("interrupt-map")
    if cells is None:
        return None
    interrupt_cells = node.u32("#interrupt-cells")
    widths = (node.address_cells, 1 if interrupt_cells is None else interrupt_cells)
    place = tree.place(node, "interrupt-map")
    problems: list[Problem] = []
    if interrupt_cells is None:
        problems.append(Problem("cells", tree.place(node), "interrupt-map without #interrupt-cells"))
    key_width = sum(widths)
    entries: list[InterruptMapEntry] = []
    at = 0
    while at < len(cells):
        entry_place = tree.place(node, "interrupt-map", at)
        if at + key_width >= len(cells):
            problems.append(Problem("cut-off", entry_place, "interrupt-map stops in the middle of an entry"))
            break
        phandle = cells[at + key_width]
        parent = tree.by_phandle.get(phandle)
        parent_interrupt_cells = None if parent is None else parent.u32("#interrupt-cells")
        if parent is None or parent_interrupt_cells is None:
            what = f"no node has phandle {phandle:#x}"
            if parent is not None:
                what = f"{parent.path} has no #interrupt-cells"
            problems.append(
                Problem("reference", entry_place, f"{what}: the rest of interrupt-map cannot be read")
            )
            break
        # An interrupt parent without #address-cells has none: nothing is inherited here.
        parent_address_cells = parent.u32("#address-cells") or 0
        start = at + key_width + 1
        end = start + parent_address_cells + parent_interrupt_cells
        if end > len(cells):
            problems.append(Problem("cut-off", entry_place, "interrupt-map stops in the middle of an entry"))
            break
        entries.append(
            InterruptMapEntry(
                key=cells[at : at + key_width],
                phandle=phandle,
                parent=parent.path,
                parent_enabled=parent.is_enabled,
                parent_address=cells[start : start + parent_address_cells],
                specifier=cells[start + parent_address_cells : end],
                cell=at,
                place=entry_place,
            )
        )
        at = end
    mask = node.cells("interrupt-map-mask")
    if mask is not None and len(mask) < key_width:
        text = f"interrupt-map-mask has {len(mask)} cells, a key {key_width}"
        problems.append(Problem("size", tree.place(node, "interrupt-map-mask"), text))
    ones = (0xFFFFFFFF,) * min(key_width, len(cells))
    return InterruptMap(
        node=node.path,
        address_cells=widths[0],
        interrupt_cells=widths[1],
        mask=((mask or ()) + ones[len(mask or ()) :])[: len(ones)],
        mask_present=mask is not None,
        entries=tuple(entries),
        place=place,
        problems=tuple(problems),
    )


class InterruptMaps(Struct, frozen=True):
    """The interrupt maps of a tree, each read when it is first met: many pins go through one."""

    tree: Tree
    _known: dict[str, InterruptMap | None] = field(default_factory=dict)

    def of(self, node: DtNode) -> InterruptMap | None:
        """The node's map; None where it has none."""
        if node.path not in self._known:
            self._known[node.path] = interrupt_map(self.tree, node)
        return self._known[node.path]


PCI_ADDRESS = 20
"""Bytes of a function's address in `reg`: five cells (PCI Bus Binding to IEEE 1275, §4.1.1)."""


def devfn_of(node: DtNode) -> int | None:
    """The function that a child node is for: bits 15:8 of the first `reg` cell, whatever its bus. None
    without five cells (Linux `of_pci_get_devfn`)."""
    reg = node.properties.get("reg", b"")
    return None if len(reg) < PCI_ADDRESS else reg[2]


def child_at(node: DtNode, devfn: int) -> DtNode | None:
    """The child node for a function."""
    return next((child for child in node.children if devfn_of(child) == devfn), None)


def swizzle(pin: int, hop: Hop) -> int:
    """The pin (1-4) on the bus above, for a pin of a function (PCI-to-PCI bridge specification
    §9.1); a bus with ARI has one device, number 0."""
    slot = 0 if hop.ari else hop.devfn >> 3
    return (pin - 1 + slot) % 4 + 1


def route_intx(maps: InterruptMaps, bridge: DtNode, hops: Sequence[Hop], pin: int) -> IntxRoute:
    """Where INTx `pin` (1-4; 0: none) of a function goes. `hops` lead from the root bus (first)
    to the function (last); bus numbers are those the system gave, for they are in the map's key."""
    nodes = _nodes_on_the_way(bridge, hops)
    unit = hops[-1]
    own = nodes[-1]
    if own is not None:
        by_node = _own_interrupt(maps, own, unit, pin)
        if by_node is not None:
            return by_node
    if not 1 <= pin <= 4:
        if pin == 0:
            place = maps.tree.place(bridge)
            return IntxRoute(None, None, 0, unit, None, (), "the function has no interrupt pin", place)
        pin = 1
    if own is not None and "interrupt-map" in own.properties:
        return _resolve(maps, own, _unit_address(unit), (swizzle(pin, unit),), unit, pin)
    depth = len(hops) - 1
    while depth > 0 and nodes[depth - 1] is None:
        pin = swizzle(pin, hops[depth])
        depth -= 1
    start = bridge if depth == 0 else nodes[depth - 1]
    assert start is not None  # the loop stops at a hop with a node, or at the bridge
    return _resolve(maps, start, _unit_address(hops[depth]), (pin,), hops[depth], pin)


def _nodes_on_the_way(bridge: DtNode, hops: Sequence[Hop]) -> list[DtNode | None]:
    """The node of each hop, None from the first hop on that has none."""
    found: list[DtNode | None] = []
    node: DtNode | None = bridge
    for hop in hops:
        node = None if node is None else child_at(node, hop.devfn)
        found.append(node)
    return found


def _unit_address(hop: Hop) -> tuple[int, ...]:
    return (hop.bus << 16 | hop.devfn << 8, 0, 0)


def _own_interrupt(maps: InterruptMaps, node: DtNode, unit: Hop, pin: int) -> IntxRoute | None:
    """What the function's own node says of its first interrupt; None where it says nothing."""
    tree = maps.tree
    extended = node.cells("interrupts-extended")
    if extended:
        parent = tree.by_phandle.get(extended[0])
        width = None if parent is None else parent.u32("#interrupt-cells")
        specifier = extended[1 : 1 + (width or 0)]
    else:
        cells = node.cells("interrupts")
        if not cells:
            return None
        parent = interrupt_parent(tree, node)
        width = None if parent is None else parent.u32("#interrupt-cells")
        specifier = cells[: width or 0]
    if parent is None or width is None or len(specifier) < width:
        return None
    address = node.cells("reg") or ()
    route = _resolve(maps, parent, address[: parent.address_cells], specifier, unit, pin)
    return route if route.controller is not None else None


def interrupt_parent(tree: Tree, node: DtNode) -> DtNode | None:
    """The nearest node up the interrupt tree that takes interrupts (Linux `of_irq_find_parent`)."""
    seen: set[str] = set()
    at: DtNode | None = node
    while at is not None and at.path not in seen:
        seen.add(at.path)
        phandle = at.u32("interrupt-parent")
        at = at.parent if phandle is None else tree.by_phandle.get(phandle)
        if at is not None and "#interrupt-cells" in at.properties:
            return at
    return None


def _resolve(
    maps: InterruptMaps,
    start: DtNode,
    address: tuple[int, ...],
    specifier: tuple[int, ...],
    unit: Hop,
    pin: int,
) -> IntxRoute:
    """Up the interrupt tree from `start` to the first controller, through the maps on the way."""
    tree = maps.tree
    taken: list[InterruptMapEntry] = []
    nexus: str | None = None

    def end(controller: DtNode | None, reason: str | None, place: DtPlace) -> IntxRoute:
        return IntxRoute(
            controller=None if controller is None else controller.path,
            specifier=None if controller is None else specifier,
            pin=pin,
            unit=unit,
            nexus=nexus,
            entries=tuple(taken),
            reason=reason,
            place=place,
        )

    at: DtNode | None = start
    if "#interrupt-cells" not in start.properties:
        at = interrupt_parent(tree, start)
    for _ in range(_NEXUS_LIMIT):
        if at is None:
            break
        if "interrupt-controller" in at.properties:
            return end(at, None, taken[-1].place if taken else tree.place(at))
        map = maps.of(at)
        if map is None:
            at = interrupt_parent(tree, at)
            continue
        nexus = at.path
        key = address[: map.address_cells] + specifier
        entry = _matching(map, key)
        if entry is None:
            shown = " ".join(f"{cell:#x}" for cell in key)
            return end(None, f"no entry of interrupt-map matches {shown}", map.place)
        taken.append(entry)
        address, specifier = entry.parent_address, entry.specifier
        at = tree.by_phandle[entry.phandle]
    reason = "the interrupt tree ends without a controller" if at is None else "the interrupt tree loops"
    return end(None, reason, taken[-1].place if taken else tree.place(start))


def _matching(map: InterruptMap, key: tuple[int, ...]) -> InterruptMapEntry | None:
    """The first entry with an enabled parent that equals the key under the mask."""
    for entry in map.entries:
        if len(entry.key) != len(key) or not entry.parent_enabled:
            continue
        if all((have ^ want) & mask == 0 for have, want, mask in zip(entry.key, key, map.mask, strict=True)):
            return entry
    return None
