"""MSI and MSI-X under vPCI (§5.3): registers that are Xen's own, the hardware's are not touched.

Only where Xen manages MSI (x86). The pages of an MSI-X table are trapped too, which no
configuration access shows.
"""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.vpci.header import Header
from rootplex.simulator.xen.vpci.registers import Register, Registers, Space

CONTROL = 2
MSI_ENABLE, MSI_64BIT, MSI_MASKABLE = 0x0001, 0x0080, 0x0100
MSI_FIXED = 0x000E | MSI_64BIT | MSI_MASKABLE
MSIX_ENABLE, MSIX_MASK_ALL, MSIX_SIZE = 0x8000, 0x4000, 0x07FF
ENTRY_SIZE = 16


class Msi(Struct):
    """The MSI capability at `offset`: control, address, data and mask bits are emulated."""

    registers: Registers
    space: Space
    offset: int
    control: int = 0
    address: int = 0
    data: int = 0
    mask: int = 0

    @property
    def enabled(self) -> bool:
        return bool(self.control & MSI_ENABLE)

    def set_up(self) -> None:
        """Data and mask bits lie where the 64-bit flag of the hardware's control puts them."""
        control = self.space.read(self.offset + CONTROL, 2)
        wide = bool(control & MSI_64BIT)
        self.control = control & MSI_FIXED
        self._add(CONTROL, 2, "control", ro=0xFFFF & ~(MSI_ENABLE | 0x0070))
        self.registers.add(
            Register(
                offset=self.offset + 4,
                size=4,
                read=lambda: self.address & 0xFFFFFFFF,
                write=lambda value: self._set_address(0, value & ~3),
            )
        )
        if wide:
            self.registers.add(
                Register(
                    offset=self.offset + 8,
                    size=4,
                    read=lambda: self.address >> 32,
                    write=lambda value: self._set_address(32, value),
                )
            )
        data = 12 if wide else 8
        self._add(data, 2, "data")
        if control & MSI_MASKABLE:
            self._add(data + 4, 4, "mask")

    def _set_address(self, shift: int, value: int) -> None:
        self.address = self.address & ~(0xFFFFFFFF << shift) | value << shift

    def _add(self, at: int, size: int, name: str, ro: int = 0) -> None:
        self.registers.add(
            Register(
                offset=self.offset + at,
                size=size,
                read=lambda: int(getattr(self, name)),
                write=lambda value: setattr(self, name, value),
                ro=ro,
            )
        )


class MsiX(Struct):
    """The MSI-X capability at `offset`: enable and mask-all are emulated."""

    registers: Registers
    space: Space
    offset: int
    control: int = 0

    @property
    def enabled(self) -> bool:
        return bool(self.control & MSIX_ENABLE)

    def set_up(self, header: Header) -> int:
        """0, or -ENODEV where table or pending bits name no BAR, or do not fit into it: then the
        capability is to be hidden."""
        self.control = self.space.read(self.offset + CONTROL, 2) & MSIX_SIZE
        vectors = (self.control & MSIX_SIZE) + 1
        for at, size in ((4, vectors * ENTRY_SIZE), (8, (vectors + 63) // 64 * 8)):
            word = self.space.read(self.offset + at, 4)
            bar = next((bar for bar in header.bars if bar.offset == 0x10 + 4 * (word & 7)), None)
            if word & 7 > 5 or bar is None or (word & ~7) + size > bar.size:
                return -Errno.ENODEV
        self.registers.add(
            Register(
                offset=self.offset + CONTROL,
                size=2,
                read=lambda: self.control,
                write=self._write,
                ro=0xFFFF & ~(MSIX_ENABLE | MSIX_MASK_ALL),
            )
        )
        return 0

    def _write(self, value: int) -> None:
        self.control = value
