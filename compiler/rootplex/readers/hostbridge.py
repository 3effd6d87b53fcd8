"""What a device tree says of its PCI host bridges, in document order.

A host bridge is a node with `device_type = "pci"` whose parent has none, or one whose compatible
is a known host controller's (`controllers`); nodes of controllers in endpoint mode (`…-ep`) and
the root port nodes below a bridge are not. Disabled ones are listed too: they keep their domain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rootplex.readers.address import DtReg, DtWindow
from rootplex.readers.controllers import Controller
from rootplex.readers.intx import InterruptMap
from rootplex.readers.problem import Problem
from rootplex.readers.ridmap import RidMap
from rootplex.readers.tree import DtNode
from rootplex.source.place import DtPlace

Listing: TypeAlias = Literal["absent", "empty", "entries"]


@dataclass(frozen=True, slots=True)
class PhandleRef:
    """A reference with arguments, as in `msi-parent` and `iommus`; `target` None: no such node."""

    phandle: int
    target: str | None
    target_enabled: bool
    arguments: tuple[int, ...]
    cell: int
    place: DtPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class DtHostBridge:
    """One host bridge node. Values are raw: nothing is cut to width, defaulted or clamped here."""

    file: str
    node: DtNode = field(repr=False)
    path: str
    compatible: tuple[str, ...]
    status: str | None
    enabled: bool
    """Its own status is absent, okay or ok."""
    ancestors_enabled: bool
    """So are all nodes above; Linux makes a device only where both hold."""
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
    children: dict[int, DtNode] = field(repr=False)
    """Child nodes by devfn (bits 15:8 of their first `reg` cell); the first of equals stays."""
    external_facing: tuple[DtNode, ...]
    """Nodes below (and the bridge itself) with `external-facing`."""
    problems: tuple[Problem, ...] = ()

    def place(self, property: str | None = None, cell: int | None = None) -> DtPlace:
        """The place of the node, a property of it, or one cell of that."""
        return DtPlace(self.file, self.path, property, cell)

    def reg_named(self, name: str) -> DtReg | None:
        """The `reg` entry of that name in `reg-names`."""
        return next((reg for reg in self.regs if reg.name == name), None)
