"""MSI and MSI-X under vPCI (§5.3): registers that are Xen's own; of the hardware's the controls are written.

Only where Xen manages MSI (x86). The pages of an MSI-X table are trapped too, which no
configuration access shows.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.vpci.header import WORD, Header
from rootplex.simulator.xen.vpci.registers import Register, Registers, Space

CONTROL = 2
MSI_ENABLE, MSI_64BIT, MSI_MASKABLE = 0x0001, 0x0080, 0x0100
OFFERED, LOWEST_OFFERED = 0x000E, 0x0002
WANTED, LOWEST_WANTED = 0x0070, 0x0010
MSIX_ENABLE, MSIX_MASK_ALL, MSIX_SIZE = 0x8000, 0x4000, 0x07FF
ENTRY_SIZE = 16


class Msi(Struct):
    """The MSI capability at `offset`: control, address, data and mask bits are emulated. `most`: the vectors
    that the function offers; `vectors`: those that its owner wants."""

    registers: Registers
    space: Space
    offset: int
    most: int = 1
    vectors: int = 1
    enabled: bool = False
    wide: bool = False
    maskable: bool = False
    address: int = 0
    data: int = 0
    mask: int = 0

    def set_up(self) -> None:
        """`init_msi`: data and mask bits lie where the 64-bit flag of the hardware's control puts them."""
        control = self.space.read(self.offset + CONTROL, 2)
        self.most = 1 << (control & OFFERED) // LOWEST_OFFERED
        self.wide, self.maskable = bool(control & MSI_64BIT), bool(control & MSI_MASKABLE)
        self._add(CONTROL, 2, self._control, self._write_control)
        self._add(4, 4, lambda: self.address & WORD, lambda value: self._set_address(0, value))
        if self.wide:
            self._add(8, 4, lambda: self.address >> 32, lambda value: self._set_address(32, value))
        data = 12 if self.wide else 8
        self._add(data, 2, lambda: self.data, lambda value: setattr(self, "data", value))
        if self.maskable:
            self._add(data + 4, 4, lambda: self.mask, lambda value: setattr(self, "mask", value))

    def _add(self, at: int, size: int, read: Callable[[], int], write: Callable[[int], None]) -> None:
        self.registers.add(Register(offset=self.offset + at, size=size, read=read, write=write))

    def _control(self) -> int:
        """`control_read`."""
        return (
            (self.most.bit_length() - 1) * LOWEST_OFFERED
            | (self.vectors.bit_length() - 1) * LOWEST_WANTED
            | (MSI_ENABLE if self.enabled else 0)
            | (MSI_MASKABLE if self.maskable else 0)
            | (MSI_64BIT if self.wide else 0)
        )

    def _write_control(self, value: int) -> None:
        """`control_write`; that Xen can have the vectors is taken for granted."""
        before = self.enabled, self.vectors
        self.vectors = min(1 << (value & WANTED) // LOWEST_WANTED, self.most)
        self.enabled = bool(value & MSI_ENABLE)
        if self.enabled != before[0] or (self.enabled and self.vectors != before[1]):
            self.space.write(self.offset + CONTROL, 2, self._control())

    def _set_address(self, shift: int, value: int) -> None:
        self.address = self.address & ~(WORD << shift) | value << shift


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
        """`control_write`: a change of the two bits reaches the hardware."""
        if value != self.control:
            self.control = value
            self.space.write(self.offset + CONTROL, 2, value)
