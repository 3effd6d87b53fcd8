"""Addresses of a device tree: `reg`, `ranges`, and the way from a bus's address to the CPU's.

Devicetree Specification 0.4, §2.3.6-2.3.9; Linux `drivers/of/address.c`. PCI `ranges` have three
address cells, the first of which (phys.hi) carries flags (PCI Bus Binding to IEEE 1275, §2.2.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rootplex.source.place import DtPlace

Space: TypeAlias = Literal["config", "io", "mem32", "mem64"]
SPACES: tuple[Space, ...] = ("config", "io", "mem32", "mem64")
PREFETCHABLE = 0x40000000

Translation: TypeAlias = Literal["cpu", "mbus", "none"]
"""How an address relates to the CPU's: translated; a Marvell MBUS target id (raw on purpose);
or not translatable through the `ranges` above."""


@dataclass(frozen=True, slots=True)
class DtReg:
    """One entry of `reg`. `address` is the parent bus's, `cpu` the CPU's (None: untranslatable)."""

    index: int
    name: str | None
    address: int
    cpu: int | None
    size: int
    translation: Translation
    cell: int
    place: DtPlace


@dataclass(frozen=True, slots=True)
class DtWindow:
    """One entry of a PCI `ranges` or `dma-ranges`: `pci` bus addresses seen at `cpu_local` on the
    node's parent bus, at `cpu` by the CPU (None: untranslatable)."""

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

    @property
    def space_code(self) -> int:
        """The ss bits of phys.hi: 0 configuration, 1 I/O, 2 32-bit, 3 64-bit memory."""
        return self.phys_hi >> 24 & 3


@dataclass(frozen=True, slots=True)
class DtRange:
    """One entry of an ordinary bus's `ranges`: child addresses to parent addresses."""

    child: int
    parent: int
    size: int
    cell: int
