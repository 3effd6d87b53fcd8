"""A host bridge node to an entry of `host_bridges`."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.formats.devicetree import GENERIC
from rootplex.formats.pci import BUS_SIZE
from rootplex.frontends.devicetree.controllers import DtControllers, interrupt_parent
from rootplex.frontends.devicetree.ids import iommu_of, msi_of
from rootplex.frontends.devicetree.intx import intx_of
from rootplex.frontends.devicetree.properties import vendor_properties
from rootplex.frontends.document import Hex, Missing, address, flag, leaf, listing, record, size, tree
from rootplex.readers.address import DtReg, DtWindow
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.node import Node
from rootplex.source.place import DtPlace


def bridge_record(bridge: DtHostBridge, name: str, controllers: DtControllers, *, preserve: bool) -> Node:
    """The entry; what the language cannot say goes to the controllers's list. `preserve`: `/chosen` asks
    the kernel to keep what firmware set up."""
    writer = _Bridge(bridge, name, controllers)
    fields: dict[str, Node | None] = {
        "name": leaf(name, bridge.place()),
        "enabled": writer.enabled(),
        "segment": writer.segment(),
        "bus_range": writer.bus_range(),
        "config": writer.config(),
        "windows": writer.windows(),
        "dma_windows": writer.dma_windows(),
        "intx": intx_of(bridge, controllers, name),
        "msi": msi_of(bridge, controllers, name),
        "iommu": iommu_of(bridge, controllers, name),
        "dma_coherent": writer.coherent(),
        "proximity": writer.proximity(),
        "preserve_boot_config": writer.preserve(everywhere=preserve),
    }
    fields["dt"] = writer.dt()
    writer.below()
    return record(bridge.place(), fields, bridge.path)


class _Bridge:
    """One node, read key by key."""

    def __init__(self, bridge: DtHostBridge, name: str, controllers: DtControllers) -> None:
        self.bridge = bridge
        self.name = name
        self.controllers = controllers
        self.kept: list[str] = []
        """Properties that are kept as the vendor wrote them, beside what the keys say."""
        self.out: dict[str, Node] = {}
        """Properties that compile would write and the vendor did not, or otherwise."""

    def missing(self, what: str, why: str, property: str, cell: int | None = None) -> None:
        place = self.bridge.place(property, cell)
        self.controllers.missing.append(Missing(f"{self.name}: {what}", why, place))

    def enabled(self) -> Node | None:
        if self.bridge.is_on:
            return None
        remark = "" if not self.bridge.enabled else "a node above it is disabled"
        return flag(False, self.bridge.place("status"), remark or f"status = {self.bridge.status!r}")

    def segment(self) -> Node | None:
        domain = self.bridge.domain
        if domain is None:
            return None
        if domain > 0xFFFF:
            self.missing(
                "segment", f"linux,pci-domain is {domain:#x}, wider than 16 bits", "linux,pci-domain"
            )
            return None
        return leaf(domain, self.bridge.place("linux,pci-domain"), "linux,pci-domain")

    def bus_range(self) -> Node | None:
        cells = self.bridge.bus_range
        if cells is None:
            self.out["bus-range"] = flag(False, self.bridge.place())
            return None
        if len(cells) != 2 or max(cells) > 0xFF or cells[0] > cells[1]:
            self.missing("bus_range", "bus-range is no range of buses", "bus-range")
            self.kept.append("bus-range")
            return None
        place = self.bridge.place("bus-range")
        return listing(
            (leaf(Hex(cell), self.bridge.place("bus-range", i)) for i, cell in enumerate(cells)), place
        )

    def kind(self) -> str:
        controller = self.bridge.controller
        return "windowed" if controller is None else controller.layout

    def config(self) -> Node:
        bridge = self.bridge
        kind = self.kind()
        place = bridge.place("reg" if bridge.regs else "compatible")
        remark = (
            None
            if bridge.controller is None
            else f"{bridge.controller.compatible}: {bridge.controller.driver}"
        )
        if bridge.controller is None:
            why = "no driver is known for its compatible; taken as one that cannot be mapped"
            self.missing("how configuration space is reached", why, "compatible")
        fields: dict[str, Node | None] = {
            "kind": None if kind == "ecam" else leaf(kind, bridge.place("compatible"))
        }
        fields |= self._config_base(kind)
        compatible = list(bridge.compatible)
        if compatible != [GENERIC.get(kind)]:
            fields["compatible"] = tree(
                compatible[0] if len(compatible) == 1 else compatible, bridge.place("compatible")
            )
        fields["registers"] = self._registers()
        return record(place, fields, remark)

    def _config_base(self, kind: str) -> dict[str, Node | None]:
        reg = self.bridge.config_reg
        if reg is None or reg.cpu is None or not reg.size:
            why = "the node has no register of its own" if reg is None else "its address is none of the CPU's"
            self.missing("config.base", why, "reg")
            return {}
        first, last = self._buses()
        needed = (last - first + 1) * BUS_SIZE.get(kind, 0)
        return {
            "base": leaf(address(reg.cpu), reg.place),
            "size": None if reg.size == needed else leaf(size(reg.size), reg.place),
        }

    def _buses(self) -> tuple[int, int]:
        cells = self.bridge.bus_range
        if cells is None or len(cells) != 2 or max(cells) > 0xFF or cells[0] > cells[1]:
            return 0, 0xFF
        return cells[0], cells[1]

    def _registers(self) -> Node | None:
        """All blocks with their names; without names, what lies beside the first is kept as `reg`."""
        regs = self.bridge.regs
        known = [(reg, reg.cpu) for reg in regs if reg.cpu is not None]
        if len(known) < len(regs):
            self.missing("registers", "some addresses are none of the CPU's", "reg")
            return None
        place = self.bridge.place("reg-names")
        if regs and all(reg.name for reg in regs):
            items = (
                record(
                    reg.place,
                    {
                        "name": leaf(reg.name or "", place),
                        "base": leaf(address(cpu), reg.place),
                        "size": leaf(size(reg.size), reg.place),
                    },
                )
                for reg, cpu in known
            )
            return listing(items, place)
        if len(regs) > 1:
            self.out["reg"] = tree(_reg_cells([(cpu, reg) for reg, cpu in known]), self.bridge.place("reg"))
        return None

    def windows(self) -> Node | None:
        if self.bridge.ranges == "absent":
            return None
        nodes = [node for window in self.bridge.windows for node in self._window(window)]
        return listing(nodes, self.bridge.place("ranges"))

    def _window(self, window: DtWindow) -> Iterator[Node]:
        what = f"ranges[{window.cell}]"
        if window.space == "config":
            self.missing(what, "it is configuration space, which is no window", "ranges", window.cell)
        elif not window.size:
            self.missing(what, "it has no bytes", "ranges", window.cell)
        elif window.cpu is None:
            why = f"its address {window.cpu_local:#x} is none of the CPU's"
            if window.translation == "mbus":
                why = f"{window.cpu_local:#x} is an MBUS target; the driver gives it an address"
            self.missing(what, why, "ranges", window.cell)
        else:
            if window.prefetchable and window.space == "io":
                self.missing(f"{what} prefetchable", "I/O is never that", "ranges", window.cell)
            place = window.place
            prefetchable = window.prefetchable and window.space != "io"
            yield record(
                place,
                {
                    "space": leaf(window.space, place),
                    "pci": leaf(address(window.pci), place),
                    "cpu": None if window.cpu == window.pci else leaf(address(window.cpu), place),
                    "size": leaf(size(window.size), place),
                    "prefetchable": flag(True, place) if prefetchable else None,
                },
                what,
            )

    def dma_windows(self) -> Node | None:
        """What limits DMA: the bridge's own `dma-ranges`, or those of a bus above. Own ones that lead nowhere
        are listed."""
        bridge = self.bridge
        for window in bridge.dma_windows:
            if window.cpu is None or not window.size:
                why = "it has no bytes" if window.cpu is not None else "its address is none of the CPU's"
                self.missing(f"dma-ranges[{window.cell}]", why, "dma-ranges", window.cell)
        if bridge.inbound is None:
            if bridge.dma_ranges == "empty":
                self.kept.append("dma-ranges")
            return None
        nodes = []
        for way in bridge.inbound:
            fields = {
                "pci": leaf(address(way.bus), way.place),
                "cpu": None if way.cpu == way.bus else leaf(address(way.cpu), way.place),
                "size": leaf(size(way.size), way.place),
            }
            assert isinstance(way.place, DtPlace)
            what = f"dma-ranges[{way.place.cell}]"
            own = way.place.node == bridge.path
            nodes.append(record(way.place, fields, what if own else f"{what} of {way.place.node}"))
        return listing(nodes, bridge.place("dma-ranges" if bridge.dma_ranges != "absent" else None))

    def coherent(self) -> Node | None:
        if self.bridge.dma_coherent is True:
            return None
        return flag(False, self.bridge.place(), "no dma-coherent here or above")

    def proximity(self) -> Node | None:
        number = self.bridge.numa_node_id
        return None if number is None else leaf(number, self.bridge.place("numa-node-id"))

    def preserve(self, *, everywhere: bool) -> Node | None:
        if everywhere:
            place = self.bridge.place()
            place = type(place)(place.file, "/chosen", "linux,pci-probe-only")
            return flag(True, place, "/chosen: linux,pci-probe-only")
        if self.bridge.probe_only is not None:
            self.kept.append("linux,pci-probe-only")
        return None

    def dt(self) -> Node | None:
        """Vendor properties; and those of ours that the vendor does not have."""
        bridge, tree_ = self.bridge, self.controllers.tree
        if not any(each.target == bridge.path for each in bridge.msi_parent):
            self.kept.append("msi-controller")
        if bridge.dma_coherent is False and "dma-noncoherent" in bridge.node.properties:
            self.kept.append("dma-noncoherent")
        interrupts = self._own_interrupts()
        kept = vendor_properties(
            tree_, bridge.node, self.kept, self.controllers.missing, self.name, done=frozenset(interrupts)
        )
        properties = {**kept, **interrupts, **self.out}
        if not properties:
            return None
        place = bridge.place()
        return record(place, {"properties": record(place, dict(properties))})

    def _own_interrupts(self) -> dict[str, Node]:
        """`interrupts` of the node itself, where its controller is the GIC: compile makes it the root's."""
        node, tree_ = self.bridge.node, self.controllers.tree
        cells = node.cells("interrupts")
        parent = interrupt_parent(tree_, node)
        width = 0 if parent is None else parent.u32("#interrupt-cells") or 0
        if not cells or parent is None or width < 3:
            return {}
        lines = [cells[at : at + width] for at in range(0, len(cells), width)]
        if "gic" not in " ".join(parent.compatible) or any(any(line[3:]) for line in lines):
            return {}
        self.controllers.interrupt(parent.path)
        kept = {
            "interrupts": tree(
                [Hex(cell) for line in lines for cell in line[:3]], self.bridge.place("interrupts")
            )
        }
        names = list(node.strings("interrupt-names"))
        if names:
            kept["interrupt-names"] = tree(names, self.bridge.place("interrupt-names"))
        return kept

    def below(self) -> None:
        """Nodes of functions: they say where a function is, not what it is."""
        functions = [child for child in self.bridge.node.children if child.string("device_type") == "pci"]
        functions += [child for child in self.bridge.children.values() if child not in functions]
        if functions:
            paths = ", ".join(child.name for child in functions[:8])
            why = "a device tree says where a function is, and not what kind it is"
            self.missing(f"devices ({paths})", why, "compatible")


def _reg_cells(blocks: list[tuple[int, DtReg]]) -> list[int]:
    """`reg` below a root of two address and two size cells."""
    cells: list[int] = []
    for cpu, reg in blocks:
        cells += [Hex(cpu >> 32), Hex(cpu & 0xFFFFFFFF), Hex(reg.size >> 32), Hex(reg.size & 0xFFFFFFFF)]
    return cells
