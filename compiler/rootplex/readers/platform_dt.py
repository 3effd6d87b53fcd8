"""What a device tree says of the platform around the host bridges: memory, controllers, chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.address import DtReg, cut_problem, is_pci_bus, reg_problems, regs
from rootplex.readers.problem import Problem
from rootplex.readers.reach import unreachable
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.place import DtPlace

ControllerKind: TypeAlias = Literal[
    "gic", "its", "v2m", "msi", "smmu-v2", "smmu-v3", "riscv-iommu", "iommu", "interrupt"
]


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
    unreachable: Problem | None = None
    """Why no driver comes up for it, at the place to mend; None where one can."""

    @property
    def base(self) -> int | None:
        """Where the CPU sees its first registers."""
        return self.regs[0].cpu if self.regs else None


class DtArea(Struct, frozen=True):
    """A stretch of CPU addresses that a node claims: a `reg` entry, memory or a reservation."""

    path: str
    base: int
    size: int
    enabled: bool
    place: DtPlace


class Chosen(Struct, frozen=True):
    """`/chosen`: first cell of `linux,pci-probe-only`, boot arguments."""

    probe_only: int | None
    bootargs: str | None


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
    problems: tuple[Problem, ...] = ()
    cut_otherwise: tuple[Problem, ...] = ()
    """Every `reg` that is written for other cell counts than its bus has: nothing is read from them."""
    foreign: str | None = None
    """What the processors are called, where that is of an architecture whose Linux is not simulated."""


@lru_cache(maxsize=4)
def read_platform(tree: Tree) -> DtPlatform:
    """What the tree says of everything but the host bridges themselves; read once for all who ask."""
    chosen = tree.by_path.get("/chosen")
    areas: list[DtArea] = []
    memory: list[DtArea] = []
    controllers: list[DtController] = []
    problems: list[Problem] = []
    cut_otherwise: list[Problem] = []
    for node in tree.walk():
        if node.parent is None or is_pci_bus(node.parent):
            continue
        kind = _kind(node)
        if kind in ARM_KINDS or (kind is not None and not _without_sizes(node)):
            controllers.append(_controller(tree, node, kind))
        if "reg" not in node.properties or _without_sizes(node):
            continue
        otherwise = cut_problem(tree, node)
        if otherwise is not None:
            cut_otherwise.append(otherwise)
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
        controllers=tuple(_with_their_gic(controllers)),
        areas=tuple(areas),
        chosen=Chosen(
            probe_only=chosen.u32("linux,pci-probe-only") if chosen else None,
            bootargs=chosen.string("bootargs") if chosen else None,
        ),
        problems=tuple(problems),
        cut_otherwise=tuple(cut_otherwise),
        foreign=foreign_processor(tree),
    )


# The first pattern that one of a node's compatible strings matches names its kind.
_KINDS: tuple[tuple[str, ControllerKind], ...] = (
    (r"arm,smmu-v3.*", "smmu-v3"),
    (r"riscv,(pci-)?iommu", "riscv-iommu"),
    (r".*\bsmmu.*|arm,mmu-\d+", "smmu-v2"),
    (r"arm,gic-v[35]-its.*", "its"),
    (r"arm,gic-v2m-frame", "v2m"),
    (r"arm,gic.*|arm,cortex-a\d+-gic|arm,(arm1176jzf|arm11mp|eb11mp|pl390).*-gic|qcom,msm-.*gic2?", "gic"),
)


ARM_KINDS: tuple[ControllerKind, ...] = ("gic", "its", "v2m", "smmu-v2", "smmu-v3")


@lru_cache(maxsize=1024)
def _named_kind(names: tuple[str, ...]) -> ControllerKind | None:
    """What a `compatible` says; boards share nearly all of theirs."""
    matching = (kind for pattern, kind in _KINDS if any(re.fullmatch(pattern, name) for name in names))
    return next(matching, None)


def _kind(node: DtNode) -> ControllerKind | None:
    if (kind := _named_kind(node.compatible)) is not None:
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
    blocks = regs(tree, node)
    return DtController(
        kind=kind,
        path=node.path,
        compatible=node.compatible,
        phandle=node.phandle,
        enabled=node.is_enabled,
        regs=blocks,
        cells=counts,
        place=tree.place(node),
        unreachable=unreachable(tree, node, kind, blocks),
    )


def _with_their_gic(controllers: list[DtController]) -> Iterator[DtController]:
    """The drivers of ITSs and GICv2m frames start from their GIC's; where one frame fails, that of all
    frames gives up (`gicv2m_of_init`)."""
    lost = {each.path: each.unreachable for each in controllers if each.unreachable is not None}
    frame = next((lost[each.path] for each in controllers if each.kind == "v2m" and each.path in lost), None)
    for each in controllers:
        if each.kind in ("its", "v2m"):
            above = lost.get(each.path.rpartition("/")[0])
            each = replace(
                each, unreachable=above or each.unreachable or (each.kind == "v2m" and frame) or None
            )
        yield each


def _without_sizes(node: DtNode) -> bool:
    """Whether `reg` of this node is no address of the CPU, since sizes have no cells (CPUs, I2C, ports)."""
    return node.parent is not None and node.parent.size_cells == 0


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


_FOREIGN = re.compile(
    r"loong|PowerPC|powerpc|mips|mti,|sparc|opencores|xlnx,microblaze|snps,(arc|nsim)|csky|intel,"
)


def foreign_processor(tree: Tree) -> str | None:
    """The name of a processor that is none of Arm or RISC-V; None where all are, or nothing tells."""
    cpus = tree.by_path.get("/cpus")
    nodes = cpus.children if cpus else []
    words = [*(name for cpu in nodes for name in cpu.compatible), *(cpu.name for cpu in nodes)]
    return next((word for word in words if _FOREIGN.match(word)), None)
