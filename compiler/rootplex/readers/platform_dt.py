"""What a device tree says of the platform around the host bridges: memory, controllers, chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rootplex.readers.address import DtReg
from rootplex.readers.problem import Problem
from rootplex.source.place import DtPlace

ControllerKind: TypeAlias = Literal["gic", "its", "msi", "smmu", "smmuv3", "iommu", "interrupt"]


@dataclass(frozen=True, slots=True)
class DtController:
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


@dataclass(frozen=True, slots=True)
class DtArea:
    """A stretch of CPU addresses that a node claims: a `reg` entry, memory or a reservation."""

    path: str
    base: int
    size: int
    enabled: bool
    place: DtPlace


@dataclass(frozen=True, slots=True)
class Chosen:
    """`/chosen`: first cell of `linux,pci-probe-only`, boot arguments, console."""

    probe_only: int | None
    bootargs: str | None
    stdout_path: str | None


@dataclass(frozen=True, slots=True)
class DtPlatform:
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
