"""One function's configuration registers: reset values, write masks, write-1-to-clear bits.

Sizing a BAR, moving bus numbers, switching ACS or MSI all follow from the mask; nothing here knows
those registers. Only what moves other functions is told apart: the bus numbers of a type 1 header
(PCI-to-PCI Bridge 1.2 §3.2.5) and the SR-IOV control (PCIe 6.0 §9.3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rootplex.formats.pci import VF_ENABLE, ExtendedCapability, SriovRegister
from rootplex.simulator.hardware.image import MASK_CELLS

BUS_NUMBERS = 0x18 >> 2
HEADER_CELL = 0x0C >> 2
EXTENDED_START = 0x100
SIZE_MASK = (0, 0xFF, 0xFFFF, 0, 0xFFFFFFFF)

_UNTOUCHED: Mapping[int, int] = MappingProxyType({})


class HardwareFunction:
    """A function: registers as 32-bit cells of the image, with what was written since on top.

    `below` are the functions of its secondary bus, `virtual` its VFs in order. `reroute` is called
    when a register that moves other functions changes.
    """

    __slots__ = (
        "base",
        "below",
        "cells",
        "changed",
        "clears",
        "devfn",
        "id",
        "reroute",
        "routing",
        "sriov",
        "virtual",
    )

    def __init__(
        self, id: str, devfn: int, cells: memoryview, base: int, w1c: tuple[tuple[int, int, int], ...]
    ) -> None:
        self.id = id
        self.devfn = devfn
        self.cells = cells
        self.base = base
        self.changed: Mapping[int, int] = _UNTOUCHED
        self.clears: Mapping[int, int] = _clear_bits(w1c) if w1c else _UNTOUCHED
        self.reroute: Callable[[], None] = _nothing
        self.below: list[HardwareFunction] | None = (
            [] if cells[base + HEADER_CELL] >> 16 & 0x7F == 1 else None
        )
        self.routing: tuple[int, ...] = () if self.below is None else (BUS_NUMBERS,)
        self.virtual: list[tuple[int, HardwareFunction]] = []
        self.sriov = 0

    def find_sriov(self) -> None:
        """Look for the SR-IOV capability; done for functions that have VFs in the image."""
        offset = EXTENDED_START
        for _ in range(480):
            header = self.cells[self.base + (offset >> 2)]
            if header & 0xFFFF == ExtendedCapability.SRIOV and offset <= 4096 - 0x40:
                self.sriov = offset
                self.routing += ((offset + SriovRegister.CONTROL) >> 2, (offset + SriovRegister.NUM_VFS) >> 2)
                return
            offset = header >> 20 & ~3
            if offset < EXTENDED_START:
                return

    def read(self, register: int, size: int) -> int:
        """The register's value; it must not cross a 32-bit cell."""
        cell = register >> 2
        if cell in self.changed:
            value = self.changed[cell]
        else:
            value = self.cells[self.base + cell]
        if size == 4:
            return value
        return value >> ((register & 3) << 3) & SIZE_MASK[size]

    def write(self, register: int, size: int, value: int) -> None:
        """Write by byte lanes: masked bits change, write-1-to-clear bits clear, others stay."""
        cell = register >> 2
        shift = (register & 3) << 3
        lanes = SIZE_MASK[size] << shift
        value = value << shift & lanes
        old = self.changed.get(cell)
        if old is None:
            old = self.cells[self.base + cell]
        clears = self.clears.get(cell, 0)
        writable = self.cells[self.base + MASK_CELLS + cell] & lanes & ~clears
        new = (old & ~writable | value & writable) & ~(value & clears)
        if new == old:
            return
        if self.changed is _UNTOUCHED:
            self.changed = {}
        self.changed[cell] = new  # type: ignore[index]
        if cell in self.routing:
            self.reroute()

    def bus_numbers(self) -> tuple[int, int]:
        """Secondary and subordinate bus number as they stand."""
        value = self.read(BUS_NUMBERS << 2, 4)
        return value >> 8 & 0xFF, value >> 16 & 0xFF

    def virtual_at(self, bus: int) -> list[tuple[int, HardwareFunction]]:
        """(RID, VF) of the VFs that answer now, the PF being on `bus`."""
        if not self.sriov or not self.read(self.sriov + SriovRegister.CONTROL, 2) & VF_ENABLE:
            return []
        number = self.read(self.sriov + SriovRegister.NUM_VFS, 2)
        where = self.read(self.sriov + SriovRegister.FIRST_VF_OFFSET, 4)
        offset, stride = where & 0xFFFF, where >> 16
        first = (bus << 8 | self.devfn) + offset
        return [(first + index * stride & 0xFFFF, vf) for index, vf in self.virtual if index < number]


def _nothing() -> None:
    pass


def _clear_bits(w1c: tuple[tuple[int, int, int], ...]) -> dict[int, int]:
    bits: dict[int, int] = {}
    for offset, _, mask in w1c:
        bits[offset >> 2] = bits.get(offset >> 2, 0) | mask << ((offset & 3) << 3)
    return bits
