"""What a device tree says of the platform around the host bridges: memory, controllers, chosen."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.readers.address import DtReg, is_pci_bus, reg_problems, regs
from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.place import DtPlace

ControllerKind: TypeAlias = Literal["gic", "its", "msi", "smmu", "smmuv3", "iommu", "interrupt"]


class DtController(Struct, frozen=True):
    """An interrupt controller, MSI controller or IOMMU. `kind` is the most telling word for it."""

    kind: ControllerKind
    path: str
    compatible: tuple[str, ...]
    phandle: int | None
    enabled: bool
    regs: tuple[DtReg, ...]
    cells: dict[str, int]
    """Those present of `#msi-cells`, `#iommu-cells`, `#interrupt-cells`, `#address-cells`."""
    place: DtPlace


class DtArea(Struct, frozen=True):
    """A stretch of CPU addresses that a node claims: a `reg` entry, memory or a reservation."""

    path: str
    base: int
    size: int
    enabled: bool
    place: DtPlace


class Chosen(Struct, frozen=True):
    """`/chosen`: first cell of `linux,pci-probe-only`, boot arguments, console."""

    probe_only: int | None
    bootargs: str | None
    stdout_path: str | None


class DtPlatform(Struct, frozen=True):
    """The platform: `memory` of enabled memory nodes, `reserved` of `/reserved-memory` and the
    reservation block, `areas` of every other translatable `reg` (the bridges' own among them)."""

    file: str
    model: str | None
    compatible: tuple[str, ...]
    memory: tuple[DtArea, ...]
    reserved: tuple[DtArea, ...]
    controllers: tuple[DtController, ...]
    areas: tuple[DtArea, ...]
    chosen: Chosen
    cpus: int
    psci: bool
    problems: tuple[Problem, ...] = ()


def read_platform(tree: Tree) -> DtPlatform:
    """What the tree says of everything but the host bridges themselves."""
    chosen = tree.by_path.get("/chosen")
    areas: list[DtArea] = []
    memory: list[DtArea] = []
    controllers: list[DtController] = []
    problems: list[Problem] = []
    for node in tree.walk():
        if node.parent is None or _without_cpu_addresses(node):
            continue
        kind = _kind(node)
        if kind is not None:
            controllers.append(_controller(tree, node, kind))
        if "reg" not in node.properties:
            continue
        problems.extend(reg_problems(tree, node))
        found = _areas(tree, node)
        if node.string("device_type") == "memory":
            memory.extend(area for area in found if area.enabled)
        elif node.parent.path != "/reserved-memory":
            areas.extend(found)
    return DtPlatform(
        file=tree.file,
        model=tree.root.string("model"),
        compatible=tree.root.compatible,
        memory=tuple(memory),
        reserved=_reserved(tree),
        controllers=tuple(controllers),
        areas=tuple(areas),
        chosen=Chosen(
            probe_only=chosen.u32("linux,pci-probe-only") if chosen else None,
            bootargs=chosen.string("bootargs") if chosen else None,
            stdout_path=chosen.string("stdout-path") if chosen else None,
        ),
        cpus=_cpu_count(tree),
        psci=any(name.startswith("arm,psci") for node in tree.root.children for name in node.compatible),
        problems=tuple(problems),
    )


# The first pattern that one of a node's compatible strings matches names its kind.
_KINDS: tuple[tuple[str, ControllerKind], ...] = (
    (r"arm,smmu-v3.*", "smmuv3"),
    (r".*\bsmmu.*|arm,mmu-\d+", "smmu"),
    (r"arm,gic-v[35]-its.*", "its"),
    (r"arm,gic-v2m-frame", "msi"),
    (r"arm,gic.*|arm,cortex-a\d+-gic|arm,(arm1176jzf|arm11mp|eb11mp|pl390).*-gic|qcom,msm-.*gic2?", "gic"),
)


def _kind(node: DtNode) -> ControllerKind | None:
    names = node.compatible
    for pattern, kind in _KINDS:
        if any(re.fullmatch(pattern, name) for name in names):
            return kind
    properties = node.properties
    if "#iommu-cells" in properties:
        return "iommu"
    if "msi-controller" in properties:
        return "msi"
    return "interrupt" if "interrupt-controller" in properties else None


_CELL_COUNTS = ("#msi-cells", "#iommu-cells", "#interrupt-cells", "#address-cells")


def _controller(tree: Tree, node: DtNode, kind: ControllerKind) -> DtController:
    counts = {name: value for name in _CELL_COUNTS if (value := node.u32(name)) is not None}
    return DtController(
        kind=kind,
        path=node.path,
        compatible=node.compatible,
        phandle=node.phandle,
        enabled=node.is_enabled,
        regs=regs(tree, node),
        cells=counts,
        place=tree.place(node),
    )


def _without_cpu_addresses(node: DtNode) -> bool:
    """Whether `reg` of this node is no address of the CPU: below a PCI bus, or where sizes have
    no cells (CPUs, I2C, ports)."""
    bus = node.parent
    return bus is not None and (is_pci_bus(bus) or bus.size_cells == 0)


def _areas(tree: Tree, node: DtNode) -> list[DtArea]:
    enabled = node.is_enabled and node.ancestors_enabled
    return [
        DtArea(node.path, reg.cpu, reg.size, enabled, reg.place)
        for reg in regs(tree, node)
        if reg.cpu is not None and reg.size
    ]


def _reserved(tree: Tree) -> tuple[DtArea, ...]:
    """The reservation block (as places of `/memreserve/`), then `/reserved-memory`."""
    block = [
        DtArea("/memreserve/", address, size, True, tree.place("/memreserve/", None, index))
        for index, (address, size) in enumerate(tree.reservations)
    ]
    parent = tree.by_path.get("/reserved-memory")
    nodes = parent.children if parent else []
    return tuple(block + [area for node in nodes for area in _areas(tree, node)])


def _cpu_count(tree: Tree) -> int:
    cpus = tree.by_path.get("/cpus")
    nodes = cpus.children if cpus else []
    return sum(node.string("device_type") == "cpu" and node.is_enabled for node in nodes)
