"""What bridges refer to: each node that is asked for becomes one entry, under one name."""

from __future__ import annotations

from collections.abc import Callable

from rootplex.formats.acpi import SMMU_MODELS
from rootplex.formats.devicetree import RISCV_IOMMU
from rootplex.frontends.document import (
    NOT_ON_FIRST_BUS,
    Missing,
    Names,
    address,
    flag,
    leaf,
    listing,
    record,
    region,
    size,
    tree,
)
from rootplex.readers.address import regs
from rootplex.readers.phandles import phandle_refs
from rootplex.readers.platform_dt import DtPlatform
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.node import Node
from rootplex.source.place import Place

TRIGGERS = {1: "edge-rising", 2: "edge-falling", 4: "level-high", 8: "level-low"}
"""The flags of an interrupt specifier (dt-bindings/interrupt-controller/irq.h)."""

_SPI, _PPI = 0, 1
_LISTS = ("interrupt_controllers", "msi_controllers", "iommus")
_CELLS = {
    "interrupt_controllers": "#interrupt-cells",
    "msi_controllers": "#msi-cells",
    "iommus": "#iommu-cells",
}
_NAMES = {
    "interrupt_controllers": "interrupt-controller",
    "msi_controllers": "msi-controller",
    "iommus": "iommu",
}
"""What nodes are called where nothing else is described."""
_SMMU_V2 = tuple(f"arm,{model}" for model in SMMU_MODELS)
_V3_LINES = {"eventq": "eventq", "priq": "priq", "cmdq-sync": "cmdq_sync", "gerror": "gerror"}


class DtControllers:
    """The controllers of one tree, entered when a bridge asks for them by path."""

    def __init__(self, tree: Tree, platform: DtPlatform, names: Names, missing: list[Missing]) -> None:
        self.tree = tree
        self.names = names
        self.missing = missing
        self.bridges: dict[str, str] = {}
        """Path of a host bridge's node → its name."""
        self._facts = {each.path: each for each in platform.controllers}
        self._names: dict[tuple[str, str], str] = {}
        self._entries: dict[str, dict[str, Node]] = {kind: {} for kind in _LISTS}

    def entries(self) -> dict[str, Node | None]:
        """The three lists, as far as they have entries; GICs first among the interrupt controllers,
        since the first is the one that the root names."""
        out: dict[str, Node | None] = {}
        for kind, entries in self._entries.items():
            nodes = sorted(entries.values(), key=lambda node: _kind(node) == "dt-node")
            out[kind] = listing(nodes, nodes[0].place) if nodes else None
        return out

    def interrupt(self, path: str) -> str:
        """The name of an interrupt controller."""
        return self._name("interrupt_controllers", path, self._interrupt)

    def msi(self, path: str) -> str:
        """The name of an MSI controller."""
        return self._name("msi_controllers", path, self._msi)

    def iommu(self, path: str) -> str:
        """The name of an IOMMU."""
        return self._name("iommus", path, self._iommu)

    def line(self, node: DtNode, specifier: tuple[int, ...]) -> tuple[int, str | None] | None:
        """(number, trigger) of an interrupt specifier at a controller, as the language counts; None
        where the language has no words for it (a private interrupt, more cells than are known)."""
        cells = node.u32("#interrupt-cells") or 0
        if cells >= 3:
            if specifier[0] != _SPI or any(specifier[3:]):
                return None
            return specifier[1], TRIGGERS.get(specifier[2] & 0xF)
        if cells == 2:
            trigger = TRIGGERS.get(specifier[1] & 0xF)
            return None if trigger is None else (specifier[0], trigger)
        return (specifier[0], None) if cells == 1 else None

    def _name(self, kind: str, path: str, make: Callable[[DtNode, str], Node]) -> str:
        key = (kind, path)
        if key not in self._names:
            node = self.tree.by_path[path]
            labels = {where: label for label, where in self.tree.labels.items()}
            wanted = labels.get(path) or _short(node)
            self._names[key] = self.names.take(wanted, "controller")
            self._entries[kind][path] = make(node, self._names[key])
        return self._names[key]

    def _fields(self, node: DtNode, name: str, kind: str) -> dict[str, Node | None]:
        place = self.tree.place(node)
        # a child of a bridge's node stays one, below whatever status the bridge has
        inside = node.parent is not None and node.parent.path in self.bridges
        enabled = node.is_enabled and (inside or node.ancestors_enabled)
        off = None if enabled else flag(False, self.tree.place(node, "status"))
        return {"name": leaf(name, place), "kind": leaf(kind, place), "enabled": off}

    def _record(self, node: DtNode, fields: dict[str, Node | None]) -> Node:
        off = fields.pop("enabled")
        return record(self.tree.place(node), {**fields, "enabled": off}, node.path)

    def _blocks(self, node: DtNode) -> list[tuple[int, int, Place]]:
        """(CPU address, size, place) of the `reg` entries, up to the first one without an address."""
        found: list[tuple[int, int, Place]] = []
        for reg in regs(self.tree, node):
            if reg.cpu is None or not reg.size:
                break
            found.append((reg.cpu, reg.size, reg.place))
        return found

    def _interrupt(self, node: DtNode, name: str) -> Node:
        blocks = self._blocks(node)
        fact = self._facts.get(node.path)
        cells = node.u32("#interrupt-cells")
        if fact is not None and fact.kind == "gic" and len(blocks) >= 2 and cells and cells >= 3:
            third = any(each.startswith("arm,gic-v3") for each in node.compatible)
            kind, second = ("arm-gic-v3", "redistributors") if third else ("arm-gic-v2", "cpu_interface")
            if third and (node.u32("#redistributor-regions") or 1) > 1:
                self.missing.append(
                    Missing(
                        f"redistributors of {node.path} behind the first region",
                        "the language has one region",
                        self.tree.place(node, "reg"),
                    )
                )
            fields = self._fields(node, name, kind)
            for key, (base, length, place) in zip(("distributor", second), blocks, strict=False):
                fields[key] = region(base, length, place)
            own = node.cells("interrupts")
            if own is not None and len(own) >= 3 and own[0] == _PPI:
                fields["maintenance"] = leaf(own[1], self.tree.place(node, "interrupts"))
            return self._record(node, fields)
        return self._vendor(node, name, "interrupt_controllers")

    def _msi(self, node: DtNode, name: str) -> Node:
        blocks = self._blocks(node)
        fact = self._facts.get(node.path)
        kind = None if fact is None else fact.kind
        if kind == "its" and blocks and node.u32("#msi-cells") in (None, 1):
            fields = self._fields(node, name, "arm-gic-v3-its")
            self._base(fields, blocks[0])
            return self._record(node, fields)
        first, count = node.u32("arm,msi-base-spi"), node.u32("arm,msi-num-spis")
        if "arm,gic-v2m-frame" in node.compatible and blocks and first is not None and count:
            fields = self._fields(node, name, "arm-gic-v2m")
            self._base(fields, blocks[0])
            fields["spi_base"] = leaf(first, self.tree.place(node, "arm,msi-base-spi"))
            fields["spi_count"] = leaf(count, self.tree.place(node, "arm,msi-num-spis"))
            return self._record(node, fields)
        return self._vendor(node, name, "msi_controllers")

    def _iommu(self, node: DtNode, name: str) -> Node:
        bridge = None if node.parent is None else self.bridges.get(node.parent.path)
        if RISCV_IOMMU.intersection(node.compatible) and bridge is not None and node.cells("reg"):
            fields = self._fields(node, name, "riscv-iommu")
            self._function(fields, node, bridge)
            return self._record(node, fields)
        blocks = self._blocks(node)
        if blocks and node.u32("#iommu-cells") == 1:
            if "arm,smmu-v3" in node.compatible:
                fields = self._fields(node, name, "arm-smmu-v3")
                self._base(fields, blocks[0])
                fields["interrupts"] = self._named_lines(node)
                self._own_messages(fields, node)
                return self._record(node, fields)
            model = next((each.removeprefix("arm,") for each in node.compatible if each in _SMMU_V2), None)
            if model is not None:
                fields = self._fields(node, name, "arm-smmu-v2")
                self._base(fields, blocks[0])
                if model != "smmu-v2":
                    fields["model"] = leaf(model, self.tree.place(node, "compatible"))
                fields["interrupts"] = self._numbered_lines(node)
                return self._record(node, fields)
            if "riscv,iommu" in node.compatible:
                fields = self._fields(node, name, "riscv-iommu")
                self._base(fields, blocks[0])
                fields["interrupts"] = self._numbered_lines(node)
                self._own_messages(fields, node)
                return self._record(node, fields)
        return self._vendor(node, name, "iommus")

    def _own_messages(self, fields: dict[str, Node | None], node: DtNode) -> None:
        """Where an SMMU's own messages go, by the first entry of `msi-parent`."""
        for reference in phandle_refs(self.tree, node, "msi-parent", "#msi-cells"):
            if reference.target is None or reference.lacking or len(reference.arguments) > 1:
                return
            fields["msi_controller"] = leaf(self.msi(reference.target), reference.place)
            if any(reference.arguments):
                fields["device_id"] = leaf(reference.arguments[0], reference.place)
            return

    def _base(self, fields: dict[str, Node | None], block: tuple[int, int, Place]) -> None:
        base, length, place = block
        fields["base"] = leaf(address(base), place)
        fields["size"] = leaf(size(length), place)

    def _vendor(self, node: DtNode, name: str, kind: str) -> Node:
        """A `dt-node`: what the node says of itself."""
        place = self.tree.place(node)
        fields = self._fields(node, name, "dt-node")
        fields["compatible"] = tree(list(node.compatible), self.tree.place(node, "compatible"))
        if node.base_name != _NAMES[kind] and not node.base_name.startswith(f"{_NAMES[kind]}-"):
            fields["node"] = leaf(node.base_name, place)
        blocks = self._blocks(node)
        bridge = None if node.parent is None else self.bridges.get(node.parent.path)
        if bridge is not None:
            self._function(fields, node, bridge)
        elif any(above.path in self.bridges for above in node.ancestors()):
            self.missing.append(Missing(f"{name}: which function it is", NOT_ON_FIRST_BUS, place))
        elif blocks:
            self._base(fields, blocks[0])
        cells = node.u32(_CELLS[kind])
        if cells is not None:
            fields["cells"] = leaf(cells, self.tree.place(node, _CELLS[kind]))
        if kind == "interrupt_controllers":
            width = node.u32("#address-cells")
            if width is not None:
                fields["address_cells"] = leaf(width, self.tree.place(node, "#address-cells"))
            lines = self._own_lines(node)
            if lines is not None:
                controller, numbers = lines
                place = self.tree.place(node, "interrupts")
                fields["interrupts"] = tree(list(numbers), place)
                fields["controller"] = leaf(self.interrupt(controller.path), place)
        return self._record(node, fields)

    def _function(self, fields: dict[str, Node | None], node: DtNode, bridge: str) -> None:
        """Which function of a bridge's first bus the node is, where it says so."""
        fields["parent"] = leaf(bridge, self.tree.place(node))
        reg = node.cells("reg")
        if reg:
            place = self.tree.place(node, "reg")
            fields["dev"] = leaf(reg[0] >> 11 & 31, place)
            fields["fn"] = leaf(reg[0] >> 8 & 7, place) if reg[0] >> 8 & 7 else None

    def _own_lines(self, node: DtNode) -> tuple[DtNode, tuple[int, ...]] | None:
        """A node's own interrupts and their controller, where the language can say all of them."""
        lines = self._lines(node)
        if lines is None:
            return None
        controller, found = lines
        return (controller, found) if found else None

    def _lines(self, node: DtNode) -> tuple[DtNode, tuple[int, ...]] | None:
        cells = node.cells("interrupts")
        parent = interrupt_parent(self.tree, node)
        width = None if parent is None else parent.u32("#interrupt-cells")
        if not cells or parent is None or not width:
            return None
        found = []
        for at in range(0, len(cells) - width + 1, width):
            line = self.line(parent, cells[at : at + width])
            if line is None:
                return None
            found.append(line[0])
        return parent, tuple(found)

    def _numbered_lines(self, node: DtNode) -> Node | None:
        lines = self._lines(node)
        if lines is None:
            return None
        self.interrupt(lines[0].path)
        return tree(list(lines[1]), self.tree.place(node, "interrupts"))

    def _named_lines(self, node: DtNode) -> Node | None:
        lines = self._lines(node)
        if lines is None:
            return None
        self.interrupt(lines[0].path)
        place = self.tree.place(node, "interrupts")
        names = node.strings("interrupt-names")
        found = {
            _V3_LINES[name]: number
            for name, number in zip(names, lines[1], strict=False)
            if name in _V3_LINES
        }
        return tree(found, place) if found else None


def interrupt_parent(tree: Tree, node: DtNode) -> DtNode | None:
    """The interrupt parent that a node or the nearest one above names (Devicetree 0.4, §2.4.1)."""
    at: DtNode | None = node
    for _ in range(64):
        if at is None:
            return None
        phandle = at.u32("interrupt-parent")
        if phandle is not None:
            return tree.by_phandle.get(phandle)
        at = at.parent
        if at is not None and at is not node and "#interrupt-cells" in at.properties:
            return at
    return None


def _kind(node: Node) -> object:
    kind = node.get("kind")
    return None if kind is None else kind.value


def _short(node: DtNode) -> str:
    """A name for a node without a label: what it is, else its own name."""
    for compatible, short in (
        ("arm,gic-v3-its", "its"),
        ("arm,gic-v2m-frame", "v2m"),
        ("arm,smmu-v3", "smmu"),
        ("arm,gic-v3", "gic"),
        ("arm,gic-400", "gic"),
        ("arm,cortex-a15-gic", "gic"),
        *((each, "smmu") for each in _SMMU_V2),
    ):
        if compatible in node.compatible:
            return short
    return node.base_name
