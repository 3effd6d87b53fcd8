"""What a device tree says of its PCI host bridges, in document order.

A host bridge is a node with `device_type = "pci"` whose parent has none, or one whose compatible
is a known host controller's (`controllers`); nodes of controllers in endpoint mode (`…-ep`) and
the root port nodes below a bridge are not. Disabled ones are listed too: they keep their domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.formats.devicetree import CONFIG_REG_NAMES, FIXED_CELLS, MapCells
from rootplex.readers.address import (
    DtReg,
    DtWindow,
    count_problems,
    cut_problem,
    reg_problems,
    regs,
    window_problems,
    windows,
)
from rootplex.readers.buses import ALL_BUSES, Buses
from rootplex.readers.controllers import Controller, known_controller
from rootplex.readers.inbound import BusStretch, inbound
from rootplex.readers.intx import InterruptMap, devfn_of, interrupt_map
from rootplex.readers.phandles import PhandleRef, phandle_refs
from rootplex.readers.platform_dt import foreign_processor
from rootplex.readers.problem import Problem
from rootplex.readers.reach import without_compatible
from rootplex.readers.ridmap import RidMap, RidMapEntry, map_rid, rid_map
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.place import DtPlace

Listing: TypeAlias = Literal["absent", "empty", "entries"]


class DtHostBridge(Struct, frozen=True, kw_only=True):
    """One host bridge node. Values are raw: nothing is cut to width, defaulted or clamped here."""

    file: str
    node: DtNode
    path: str
    compatible: tuple[str, ...]
    status: str | None
    enabled: bool
    """Its own status is absent, okay or ok."""
    ancestors_enabled: bool
    """So are all nodes above; Linux makes a device only where both hold."""
    skipped: DtNode | None
    """The node, it or one above, without a `compatible`: Linux passes over it and all below."""
    device_type: str | None
    controller: Controller | None
    """What is known of the first compatible string that is known; None: unknown controller."""
    domain: int | None
    """First cell of `linux,pci-domain`, all 32 bits; None: absent or too short."""
    bus_range: tuple[int, ...] | None
    """All cells of `bus-range`, however many."""
    regs: tuple[DtReg, ...]
    ranges: Listing
    windows: tuple[DtWindow, ...]
    """All entries of `ranges`, also those of size 0 and of configuration space."""
    dma_ranges: Listing
    dma_windows: tuple[DtWindow, ...]
    inbound: tuple[BusStretch, ...] | None
    """What DMA of its devices is limited to; None: nothing limits it, and the bus has the CPU's addresses."""
    interrupt_map: InterruptMap | None
    msi_map: RidMap | None
    """The node's own, or that of the nearest ancestor that has one (see its `node`)."""
    msi_parent: tuple[PhandleRef, ...]
    has_msi_parent: bool
    iommu_map: RidMap | None
    iommus: tuple[PhandleRef, ...]
    dma_coherent: bool | None
    """The nearest `dma-coherent` (True) or `dma-noncoherent` (False) going up; None: neither."""
    numa_node_id: int | None
    probe_only: int | None
    """First cell of the node's own `linux,pci-probe-only`."""
    ats_supported: bool
    xen_passthrough: bool
    children: dict[int, DtNode]
    """Child nodes by devfn (bits 15:8 of their first `reg` cell); the first of equals stays."""
    external_facing: tuple[tuple[int, ...], ...]
    """The ways, by devfn from the first bus down, to the nodes below with `external-facing`."""
    problems: tuple[Problem, ...] = ()

    def place(self, property: str | None = None, cell: int | None = None) -> DtPlace:
        """The place of the node, a property of it, or one cell of that."""
        return DtPlace(self.file, self.path, property, cell)

    @property
    def maps(self) -> tuple[RidMap, ...]:
        """Its maps of requester ids: `iommu-map`, `msi-map`, where it has them."""
        return tuple(map for map in (self.iommu_map, self.msi_map) if map is not None)

    @property
    def is_on(self) -> bool:
        """Whether a kernel makes a device of it: it and all nodes above are enabled, and none
        is passed over."""
        return self.enabled and self.ancestors_enabled and self.skipped is None

    @property
    def segment(self) -> int | None:
        """The segment number that it asks for: the low 16 bits of `linux,pci-domain`."""
        return None if self.domain is None else self.domain & 0xFFFF

    @property
    def buses(self) -> Buses | None:
        """Its buses; 0 to 0xff where `bus-range` is absent, None where that holds none (cut off, reversed,
        beyond 0xff)."""
        if self.bus_range is None:
            return ALL_BUSES
        first, last = self.bus_range[:2] if len(self.bus_range) >= 2 else (1, 0)
        return Buses(first, last) if first <= last <= ALL_BUSES.last else None

    def reg_named(self, name: str) -> DtReg | None:
        """The `reg` entry of that name in `reg-names`."""
        return next((reg for reg in self.regs if reg.name == name), None)

    @property
    def is_own_msi_controller(self) -> bool:
        """Whether its driver takes the messages of the bridge itself (drivers/pci/of.c,
        pci_host_bridge_of_msi_domain: a domain directly attached to the host bridge). Of a driver that is not
        known the tree is believed."""
        when = "named" if self.controller is None else self.controller.own_messages
        if when == "named":
            return bool(self.msi_parent) and self.msi_parent[0].target == self.path
        own_map = "msi-map" in self.node.properties
        return when == "always" or (when == "unnamed" and not self.has_msi_parent and not own_map)

    @property
    def own_iommus(self) -> dict[str, int]:
        """The IOMMUs that are functions of its first bus, and to which its map leads: path and requester id.
        The kernel finds child nodes by devfn, bits 15:8 of `reg` (linux.md §1.9)."""
        map = self.iommu_map
        led_to = set() if map is None else {entry.target for entry in map.entries}
        first = (self.buses or ALL_BUSES).first
        return {node.path: first << 8 | devfn for devfn, node in self.children.items() if node.path in led_to}

    def behind_itself(self, path: str) -> RidMapEntry | None:
        """The entry that maps an IOMMU of its own to itself: its driver waits for the IOMMU that it is to
        make (`driver_deferred_probe_check_state`). None where the map leaves it out."""
        rid = self.own_iommus.get(path)
        if rid is None or self.iommu_map is None:
            return None
        entry = map_rid(self.iommu_map, rid).entry
        return entry if entry is not None and entry.target == path else None

    @property
    def missing_block(self) -> str | None:
        """The name that the controller's driver looks for and `reg-names` does not have; None: none."""
        name = None if self.controller is None else self.controller.config_block
        return None if name is None or self.reg_named(name) is not None else name

    @property
    def config_reg(self) -> DtReg | None:
        """The `reg` entry that the controller's configuration space lies in: the one named for
        it where names are given, else the first."""
        named = (self.reg_named(name) for name in CONFIG_REG_NAMES)
        first = self.regs[0] if self.regs else None
        return next((reg for reg in named if reg is not None), first)


@lru_cache(maxsize=4)
def pci_host_bridges(tree: Tree, map_cells: MapCells) -> tuple[DtHostBridge, ...]:
    """All host bridges, in document order. `map_cells` is how the reader that is meant counts the
    cells of `iommu-map` and `msi-map`. Read once for all who ask."""
    foreign = foreign_processor(tree) is not None
    return tuple(_bridge(tree, node, map_cells, foreign=foreign) for node in host_bridge_nodes(tree))


def host_bridge_nodes(tree: Tree) -> Iterator[DtNode]:
    """The nodes of host bridges, in document order."""
    below: set[str] = set()
    for node in tree.walk():
        parent = node.parent
        inside = parent is not None and parent.path in below
        known = known_controller(node.compatible) is not None
        endpoint = any(name.endswith("-ep") for name in node.compatible)
        if not endpoint and (known or (node.string("device_type") == "pci" and not inside)):
            below.add(node.path)
            yield node
        elif inside:
            below.add(node.path)


def _bridge(tree: Tree, node: DtNode, map_cells: MapCells, *, foreign: bool) -> DtHostBridge:
    interrupts = interrupt_map(tree, node)
    iommu_map = rid_map(tree, node, "iommu-map", map_cells)
    msi_map = _nearest_msi_map(tree, node, map_cells)
    msi_parent = tuple(phandle_refs(tree, node, "msi-parent", "#msi-cells"))
    otherwise = cut_problem(tree, node)
    problems = [
        *count_problems(tree, node),
        *([otherwise] if otherwise else reg_problems(tree, node)),
        *window_problems(tree, node, "ranges"),
        *window_problems(tree, node, "dma-ranges"),
        *(problem for map in (interrupts, iommu_map, msi_map) if map for problem in map.problems),
        *_short_properties(tree, node),
        *_unresolved(tree, node, msi_parent),
    ]
    return DtHostBridge(
        file=tree.file,
        node=node,
        path=node.path,
        compatible=node.compatible,
        status=node.string("status"),
        enabled=node.is_enabled,
        ancestors_enabled=node.ancestors_enabled,
        skipped=None if foreign else without_compatible(node),
        device_type=node.string("device_type"),
        controller=known_controller(node.compatible),
        domain=node.u32("linux,pci-domain"),
        bus_range=node.cells("bus-range"),
        regs=() if otherwise else regs(tree, node),
        ranges=_listing(node, "ranges"),
        windows=windows(tree, node, "ranges"),
        dma_ranges=_listing(node, "dma-ranges"),
        dma_windows=windows(tree, node, "dma-ranges"),
        inbound=inbound(tree, node),
        interrupt_map=interrupts,
        msi_map=msi_map,
        msi_parent=msi_parent,
        has_msi_parent="msi-parent" in node.properties,
        iommu_map=iommu_map,
        iommus=tuple(phandle_refs(tree, node, "iommus", "#iommu-cells")),
        dma_coherent=_dma_coherent(node),
        numa_node_id=node.u32("numa-node-id"),
        probe_only=node.u32("linux,pci-probe-only"),
        ats_supported="ats-supported" in node.properties,
        xen_passthrough="xen,passthrough" in node.properties,
        children=_children(node),
        external_facing=tuple(_external_facing(node, ())),
        problems=tuple(problems),
    )


def _listing(node: DtNode, property: str) -> Listing:
    value = node.properties.get(property)
    if value is None:
        return "absent"
    return "entries" if value else "empty"


def _nearest_msi_map(tree: Tree, node: DtNode, map_cells: MapCells) -> RidMap | None:
    """Linux walks up the devices above a host bridge until one has an `msi-map`."""
    for at in (node, *node.ancestors()):
        if "msi-map" in at.properties:
            return rid_map(tree, at, "msi-map", map_cells)
    return None


def _dma_coherent(node: DtNode) -> bool | None:
    for at in (node, *node.ancestors()):
        if "dma-coherent" in at.properties:
            return True
        if "dma-noncoherent" in at.properties:
            return False
    return None


def _external_facing(node: DtNode, way: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for child in node.children:
        reg = child.u32("reg")
        if reg is None:
            continue
        here = (*way, reg >> 8 & 0xFF)
        if "external-facing" in child.properties:
            yield here
        yield from _external_facing(child, here)


def _children(node: DtNode) -> dict[int, DtNode]:
    found: dict[int, DtNode] = {}
    for child in node.children:
        devfn = devfn_of(child)
        if devfn is not None:
            found.setdefault(devfn, child)
    return found


def _short_properties(tree: Tree, node: DtNode) -> Iterator[Problem]:
    for name, count in FIXED_CELLS.items():
        value = node.properties.get(name)
        if value is not None and len(value) != 4 * count:
            yield Problem(
                "size", tree.place(node, name), f"{name} has {len(value)} bytes, {4 * count} are expected"
            )


def _unresolved(tree: Tree, node: DtNode, references: tuple[PhandleRef, ...]) -> Iterator[Problem]:
    for reference in references:
        if reference.target is None:
            yield Problem("reference", reference.place, f"no node has phandle {reference.phandle:#x}")
