"""The nodes that host bridges refer to: interrupt controllers, MSI controllers, IOMMUs.

Bindings: arm,gic.yaml, arm,gic-v3.yaml, arm,smmu.yaml, arm,smmu-v3.yaml of the kernel's
Documentation/devicetree/bindings; compatibles and properties as QEMU 7.2 writes them where it has
the device.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from rootplex.backends.devicetree.tree import Node, Property, Ref, Row, cells, flag, rows, text, wide, word
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import (
    Controller,
    DtNode,
    GicV2,
    GicV2m,
    GicV3,
    Its,
    RiscvIommu,
    SmmuV2,
    SmmuV3,
)
from rootplex.model.numbers import Region
from rootplex.model.platform import Platform
from rootplex.source.place import Place

TRIGGER = {"edge-rising": 1, "edge-falling": 2, "level-high": 4, "level-low": 8}
"""The second cell behind an interrupt number (dt-bindings/interrupt-controller/irq.h)."""

_BOUND = (GicV3, GicV2, Its, GicV2m, SmmuV3, SmmuV2, RiscvIommu, DtNode)
"""What there is a binding for; an I/O APIC, VT-d and an AMD IOMMU stand in ACPI only."""

_SPI, _PPI = 0, 1
_ADDRESS = (cells("#address-cells", 2), cells("#size-cells", 2), flag("ranges"))


Vendor: TypeAlias = tuple[DtNode, str, str]
"""A vendor's own controller, its node's name, and the property that has its cells."""


class Controllers(Struct, frozen=True):
    """Those of a platform that a device tree can have, by name.

    `shown` are the ones that its tree has; `bridges` the host bridges of it that take messages themselves;
    `plain` the MSI controllers that have no #msi-cells;
    `default` is the interrupt controller that the root names: a GIC (the base machine's before
    others), else the first vendor's. `vendors` are the vendors' own by the bridge that they are below (None:
    none), `by_name` all its host bridges.
    """

    shown: dict[str, Controller]
    bridges: frozenset[str]
    plain: frozenset[str]
    default: str | None
    vendors: dict[str | None, list[Vendor]]
    by_name: dict[str, HostBridge]

    def __contains__(self, name: str) -> bool:
        return name in self.shown

    def address_cells(self, name: str) -> int:
        """The controller's #address-cells: the width of its unit address in an interrupt map."""
        controller = self.shown[name]
        if isinstance(controller, DtNode):
            return controller.address_cells or 0
        return 2

    def interrupt(self, name: str, irq: int, trigger: str) -> tuple[int, ...]:
        """The interrupt specifier of line `irq`: as many cells as the controller takes."""
        controller = self.shown[name]
        width = (controller.cells or 1) if isinstance(controller, DtNode) else 3
        if width < 3:
            return (irq, TRIGGER[trigger])[:width]
        return (_SPI, irq, TRIGGER[trigger], *(0,) * (width - 3))

    def id_cells(self, name: str) -> int:
        """Cells of an id of an MSI controller or IOMMU in a map: its #msi-cells or #iommu-cells."""
        controller = self.shown[name]
        if isinstance(controller, DtNode) and controller.cells is not None:
            return controller.cells
        return 1

    def msi_parent_cells(self, name: str) -> int:
        """Cells behind an MSI controller in `msi-parent`: its #msi-cells, none where it has no such."""
        controller = self.shown.get(name)
        if isinstance(controller, DtNode):
            return controller.cells or 0
        return int(isinstance(controller, Its) and name not in self.plain)


VANILLA_6_1 = "linux-6.1-vanilla"


def controllers(platform: Platform) -> Controllers:
    """The controllers that the platform's device tree has.

    A built-in IOMMU is there only where a bridge uses it, as QEMU has it only when asked. A child
    node of a bridge goes with its bridge.
    """
    bridges = platform.bridges_in("dt")
    names = {None, *(bridge.name for bridge in bridges)}
    used = {entry.target for bridge in bridges if bridge.iommu for entry in bridge.iommu.entries}
    everything = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    shown: dict[str, Controller] = {
        each.name: each
        for each in everything
        if isinstance(each, _BOUND)
        and (not isinstance(each, DtNode | RiscvIommu) or each.parent in names)
        and not (isinstance(each, SmmuV3 | RiscvIommu) and each.built_in and each.name not in used)
    }
    parents = frozenset(bridge.msi.controller for bridge in bridges if bridge.msi and bridge.msi.parent)
    plain = parents if platform.xen.dom0.kernel == VANILLA_6_1 else frozenset()
    top = [
        each
        for each in platform.interrupt_controllers
        if each.name in shown and not (isinstance(each, DtNode) and each.parent)
    ]
    top.sort(key=lambda each: (isinstance(each, DtNode), not each.built_in))
    own = frozenset(bridge.name for bridge in bridges if bridge.name in parents)
    vendors: dict[str | None, list[Vendor]] = {}
    for attribute, kind, width in _VENDOR:
        for each in getattr(platform, attribute):
            if isinstance(each, DtNode) and not each.built_in:
                vendors.setdefault(each.parent, []).append((each, kind, width))
    by_name = {bridge.name: bridge for bridge in bridges}
    return Controllers(shown, own, plain, top[0].name if top else None, vendors, by_name)


def root_nodes(platform: Platform, known: Controllers) -> tuple[Node, ...]:
    """The controllers' nodes below the root; ITSs and MSI frames stand inside the root's GIC."""
    frames = tuple(_msi(each, known) for each in platform.msi_controllers if isinstance(each, Its | GicV2m))
    gics = [each for each in platform.interrupt_controllers if isinstance(each, GicV3 | GicV2)]
    out = [_gic(each, frames if each.name == known.default else ()) for each in gics]
    out += () if gics else frames
    units = [unit for unit in platform.iommus if unit.name in known]
    out += [_smmu(unit, known) for unit in units if isinstance(unit, SmmuV3 | SmmuV2)]
    out += [
        _riscv_iommu(unit, known) for unit in units if isinstance(unit, RiscvIommu) and unit.parent is None
    ]
    return (*out, *_vendor_nodes(known, None))


def child_nodes(platform: Platform, known: Controllers, bridge: str) -> tuple[Node, ...]:
    """The controllers that are child nodes of this bridge."""
    functions = [
        _riscv_function(unit, known.by_name[bridge])
        for unit in platform.iommus
        if isinstance(unit, RiscvIommu) and unit.parent == bridge
    ]
    return (*functions, *_vendor_nodes(known, bridge))


def region(base: int, size: int, base_at: Place, size_at: Place) -> Row:
    """One entry of `reg` below the root: two cells each."""
    return (*wide(base, base_at), *wide(size, size_at))


def _reg(controller: Controller, base: int, size: int) -> Property:
    return rows(
        "reg", region(base, size, controller.at("base"), controller.at("size")), source=controller.at("base")
    )


def _part_of(controller: Controller, name: str, part: Region) -> Row:
    return region(part.base, part.size, controller.at(f"{name}.base"), controller.at(f"{name}.size"))


def _node(
    controller: Controller, name: str, properties: Iterable[Property], children: tuple[Node, ...] = ()
) -> Node:
    """A controller's node, switched off where it is not enabled."""
    status = () if controller.enabled else (text("status", "disabled", source=controller.at("enabled")),)
    return Node(
        name=name,
        properties=(*properties, *status),
        children=children,
        key=controller.name,
        source=controller.at(),
    )


def _gic(gic: GicV3 | GicV2, frames: tuple[Node, ...]) -> Node:
    second = "redistributors" if isinstance(gic, GicV3) else "cpu_interface"
    own = (
        (text("compatible", "arm,gic-v3"), cells("#redistributor-regions", 1))
        if isinstance(gic, GicV3)
        else (text("compatible", "arm,gic-400"),)
    )
    registers = rows(
        "reg",
        _part_of(gic, "distributor", gic.distributor),
        _part_of(gic, second, getattr(gic, second)),
        source=gic.at("distributor"),
    )
    maintenance: tuple[Property, ...] = ()
    if gic.maintenance is not None:
        line = (_PPI, gic.maintenance, TRIGGER["level-high"])
        maintenance = (cells("interrupts", *line, source=gic.at("maintenance")),)
    return _node(
        gic,
        f"interrupt-controller@{gic.distributor.base:x}",
        (
            *own,
            registers,
            flag("interrupt-controller"),
            cells("#interrupt-cells", 3),
            *_ADDRESS,
            *maintenance,
        ),
        frames,
    )


def _msi(frame: Its | GicV2m, known: Controllers) -> Node:
    own: tuple[Property, ...]
    if isinstance(frame, GicV2m):
        own = (
            text("compatible", "arm,gic-v2m-frame"),
            cells("arm,msi-base-spi", frame.spi_base, source=frame.at("spi_base")),
            cells("arm,msi-num-spis", frame.spi_count, source=frame.at("spi_count")),
        )
    elif frame.name in known.plain:
        # The first 6.1 takes a bridge's `msi-parent` only at a controller without #msi-cells
        # (drivers/of/irq.c:of_msi_get_domain); a map reads one cell all the same.
        own = (text("compatible", "arm,gic-v3-its"),)
    else:
        own = (text("compatible", "arm,gic-v3-its"), cells("#msi-cells", 1))
    kind = "v2m" if isinstance(frame, GicV2m) else "msi-controller"
    return _node(
        frame,
        f"{kind}@{frame.base:x}",
        (*own, _reg(frame, frame.base, frame.size), flag("msi-controller")),
    )


def _smmu(unit: SmmuV3 | SmmuV2, known: Controllers) -> Node:
    wires = _wires_v3(unit, known) if isinstance(unit, SmmuV3) else _wires_v2(unit, known)
    properties = (
        text("compatible", "arm,smmu-v3" if isinstance(unit, SmmuV3) else f"arm,{unit.model}"),
        _reg(unit, unit.base, unit.size),
        *wires,
        *(_own_messages(unit, known) if isinstance(unit, SmmuV3) else ()),
        cells("#iommu-cells", 1),
        flag("dma-coherent"),
    )
    return _node(unit, f"iommu@{unit.base:x}", properties)


def _wires_v3(unit: SmmuV3, known: Controllers) -> tuple[Property, ...]:
    """The lines that are there, by name."""
    irqs = {"eventq": unit.eventq, "priq": unit.priq, "cmdq-sync": unit.cmdq_sync, "gerror": unit.gerror}
    there = {name: irq for name, irq in irqs.items() if irq is not None}
    if not there or known.default is None:
        return ()
    names = [name.replace("-", "_") for name in there]
    lines = [known.interrupt(known.default, irq, "edge-rising") for irq in there.values()]
    return (
        _interrupts(unit, zip(names, lines, strict=True)),
        text("interrupt-names", *there, source=unit.at("interrupts")),
    )


def _own_messages(unit: SmmuV3, known: Controllers) -> tuple[Property, ...]:
    """Where the unit's own messages go, with its DeviceID at an ITS."""
    if unit.msi_controller is None or unit.msi_controller not in known:
        return ()
    id = (word(unit.device_id, unit.at("device_id")),) * known.msi_parent_cells(unit.msi_controller)
    return (cells("msi-parent", Ref(unit.msi_controller), *id, source=unit.at("msi_controller")),)


def _wires_v2(unit: SmmuV2, known: Controllers) -> tuple[Property, ...]:
    """The first interrupt is the global one, the others are the context banks'."""
    if not unit.interrupts or known.default is None:
        return ()
    lines = [known.interrupt(known.default, irq, "level-high") for irq in unit.interrupts]
    return (cells("#global-interrupts", 1), _numbered_interrupts(unit, lines))


def _riscv_iommu(unit: RiscvIommu, known: Controllers) -> Node:
    """One with registers of its own (riscv,iommu.yaml). Its lines name their controller, which the root of a
    RISC-V machine does not."""
    wires: tuple[Property, ...] = ()
    if unit.interrupts and known.default is not None:
        lines = [known.interrupt(known.default, irq, "edge-rising") for irq in unit.interrupts]
        wires = (cells("interrupt-parent", Ref(known.default)), _numbered_interrupts(unit, lines))
    if unit.msi_controller is not None and unit.msi_controller in known:
        behind = known.msi_parent_cells(unit.msi_controller)
        source = unit.at("msi_controller")
        wires += (cells("msi-parent", Ref(unit.msi_controller), *(0,) * behind, source=source),)
    base = unit.base or 0
    properties = (
        text("compatible", "riscv,iommu"),
        _reg(unit, base, unit.size),
        cells("#iommu-cells", 1),
        *wires,
    )
    return _node(unit, f"iommu@{base:x}", properties)


def _riscv_function(unit: RiscvIommu, parent: HostBridge) -> Node:
    """One that is a PCI function: its node is known by `reg`, and names vendor and device before the rest."""
    devfn = unit.devfn or 0
    here = (each for each in parent.devices if each.dev << 3 | each.fn == devfn)
    own = next((f"pci{each.vendor:x},{each.device:x}" for each in here), None)
    properties = (
        text("compatible", *(() if own is None else (own,)), "riscv,pci-iommu"),
        cells("reg", parent.bus_range.first << 16 | devfn << 8, 0, 0, 0, 0, source=unit.at("dev")),
        cells("#iommu-cells", 1),
    )
    return _node(unit, f"iommu@{devfn >> 3:x}" + (f",{devfn & 7}" if devfn & 7 else ""), properties)


def _interrupts(owner: Controller, lines: Iterable[tuple[str, tuple[int, ...]]]) -> Property:
    """`interrupts` of lines, each with the name or number of its entry in the description."""
    return rows(
        "interrupts",
        *(tuple(word(cell, owner.at(f"interrupts.{entry}")) for cell in line) for entry, line in lines),
        source=owner.at("interrupts"),
    )


def _numbered_interrupts(owner: Controller, lines: Iterable[tuple[int, ...]]) -> Property:
    return _interrupts(owner, ((str(place), line) for place, line in enumerate(lines)))


_VENDOR = (
    ("interrupt_controllers", "interrupt-controller", "#interrupt-cells"),
    ("msi_controllers", "msi-controller", "#msi-cells"),
    ("iommus", "iommu", "#iommu-cells"),
)
"""The list a vendor's controller stands in, its node's name, and the property that has its cells."""


def _vendor_nodes(known: Controllers, parent: str | None) -> tuple[Node, ...]:
    bus = 0 if parent is None else known.by_name[parent].bus_range.first
    return tuple(
        _vendor(each, known, kind, width, bus) for each, kind, width in known.vendors.get(parent, ())
    )


def _vendor(node: DtNode, known: Controllers, kind: str, width: str, bus: int) -> Node:
    """A vendor's own controller. Below a bridge, whose first bus is `bus`, it has no address: there `reg` is
    PCI's and says which function it is."""
    # a vendor's controller that is a child of a bridge's node may go without
    out = [text("compatible", *node.compatible, source=node.at("compatible"))] if node.compatible else []
    called = node.node or kind
    name = called if node.parent is not None or node.node else f"{kind}-{node.name}"
    if node.base is not None and node.size is not None and node.parent is None:
        out.append(_reg(node, node.base, node.size))
        name = f"{called}@{node.base:x}"
    if node.devfn is not None and node.parent is not None:
        out.append(cells("reg", bus << 16 | node.devfn << 8, 0, 0, 0, 0, source=node.at("dev")))
        name = f"{called}@{node.devfn >> 3:x}" + (f",{node.devfn & 7}" if node.devfn & 7 else "")
    if kind != "iommu":
        out.append(flag(kind))
    if kind == "interrupt-controller":
        # said even where it is 0: an interrupt map is read by it
        out.append(cells("#address-cells", node.address_cells or 0, source=node.at("address_cells")))
        out.append(cells(width, node.cells or 1, source=node.at("cells")))
    elif node.cells is not None:
        out.append(cells(width, node.cells, source=node.at("cells")))
    parent = node.controller or known.default
    if node.interrupts and parent is not None and parent in known:
        # named even where it is the root's: below a bridge the bridge would be asked
        out.append(cells("interrupt-parent", Ref(parent), source=node.at("controller")))
        lines = (known.interrupt(parent, irq, "level-high") for irq in node.interrupts)
        out.append(_numbered_interrupts(node, lines))
    return _node(node, name, out)
