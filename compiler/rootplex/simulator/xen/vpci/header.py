"""The header of a function under vPCI (§5.2): command register, BARs, expansion ROM.

Dom0's accesses go through to the hardware but for the moments that change what is mapped. A guest
has a command register and BAR addresses of its own, and its mappings must fit the host's pages.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Protocol

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.vpci.registers import Register, Registers, Space

COMMAND, HEADER_TYPE, FIRST_BAR = 0x04, 0x0E, 0x10
MEMORY, INTX_DISABLE = 0x2, 0x400
RESERVED_COMMAND = 0xF800
FIXED_COMMAND = RESERVED_COMMAND | 0x001 | 0x040 | 0x080 | 0x100 | 0x200
"""Command bits a guest cannot change: reserved, I/O, parity, wait, SERR, fast back-to-back."""
LAYOUTS = {0: (6, 0x30), 1: (2, 0x38)}
"""Header type → (number of BARs, offset of the ROM register)."""
PAGE = 4096
ROM_ENABLE = 1

Area = tuple[int, int]
"""(first page address, end), in bytes, page granular."""


def pages_of(base: int, size: int) -> Area:
    """The area rounded out to pages."""
    return base & -PAGE, base + size + PAGE - 1 & -PAGE


class Mappings(Struct):
    """What is mapped into one domain: (host area, guest base) by device. First come, first served:
    what another device has mapped already is left out."""

    areas: dict[Hashable, list[Area]] = field(default_factory=dict)

    def put(self, device: Hashable, wanted: list[Area]) -> list[Area]:
        """Map a device's areas; what was left of them."""
        others = [area for key, areas in self.areas.items() if key != device for area in areas]
        left = list(wanted)
        for start, end in others:
            left = [piece for area in left for piece in _without(area, start, end)]
        self.areas[device] = left
        return left

    def drop(self, device: Hashable) -> None:
        self.areas.pop(device, None)


def _without(area: Area, start: int, end: int) -> list[Area]:
    """An area without [start, end)."""
    parts = [(area[0], min(area[1], start)), (max(area[0], end), area[1])]
    return [part for part in parts if part[0] < part[1]]


class BarState(Struct):
    """One memory BAR. `address` is the host's, `guest` the guest's own; `kind` the low bits."""

    offset: int
    size: int
    address: int
    wide: bool
    kind: int
    guest: int = 0


class Interrupts(Protocol):
    """MSI or MSI-X: while one is enabled, a guest's INTx is off."""

    @property
    def enabled(self) -> bool: ...


class Header(Struct):
    """A function's header. `device` tells its mappings from others'; `valid` is the architecture's
    word on a host BAR's pages (§1.8); `interrupts` its MSI and MSI-X, where they are emulated."""

    registers: Registers
    space: Space
    mappings: Mappings
    device: Hashable
    guest: bool
    valid: Callable[[int, int], bool]
    say: Callable[[str, str], None]
    interrupts: list[Interrupts] = field(default_factory=list)
    bars: list[BarState] = field(default_factory=list)
    mapped: bool = False
    guest_command: int = 0
    crashed: bool = False

    def set_up(self) -> int:
        """Trap what vPCI traps: 0, or -EOPNOTSUPP for a header type other than 0 and 1 (an empty
        slot's is 0x7f)."""
        layout = LAYOUTS.get(self.space.read(HEADER_TYPE, 1) & 0x7F)
        if layout is None:
            return -Errno.EOPNOTSUPP
        command = self.space.read(COMMAND, 2)
        self.space.write(COMMAND, 2, command & ~MEMORY)
        self._find_bars(*layout)
        if self.guest:
            self.registers.add(
                Register(
                    offset=COMMAND,
                    size=2,
                    read=lambda: self.guest_command,
                    write=self._write_guest_command,
                    rsvdp=FIXED_COMMAND,
                )
            )
            return 0
        self.registers.add(
            Register(
                offset=COMMAND, size=2, read=lambda: self.space.read(COMMAND, 2), write=self._write_command
            )
        )
        self.space.write(COMMAND, 2, command)
        if command & MEMORY:
            self._map()
        return 0

    def _find_bars(self, count: int, rom: int) -> None:
        index = 0
        while index < count:
            offset = FIRST_BAR + 4 * index
            value = self.space.read(offset, 4)
            wide = value & 0x7 == 0x4 and index + 1 < count
            if value & 1:
                self._empty(offset)
            else:
                self._memory_bar(offset, wide, value & 0xF)
            index += 2 if wide else 1
        if self.guest:
            self._empty(rom)
        else:
            self._memory_bar(rom, wide=False, kind=0, rom=True)

    def _empty(self, offset: int) -> None:
        """I/O BARs, empty BARs and the ROM: read 0 for a guest, not trapped for Dom0."""
        if self.guest:
            self.registers.add(Register(offset=offset, size=4, read=lambda: 0))

    def _memory_bar(self, offset: int, wide: bool, kind: int, *, rom: bool = False) -> None:
        address, size = self._sized(offset, wide, rom)
        if size == 0:
            self._empty(offset)
            if wide:
                self._empty(offset + 4)
            return
        bar = BarState(offset, size, address, wide, kind)
        self.bars.append(bar)
        for half in range(2 if wide else 1):
            read = partial(self._read_guest_bar, bar, half) if self.guest else None
            write = partial(self._write_guest_bar if self.guest else self._write_bar, bar, half)
            at = offset + 4 * half
            self.registers.add(
                Register(offset=at, size=4, read=read or partial(self.space.read, at, 4), write=write)
            )

    def _sized(self, offset: int, wide: bool, rom: bool) -> tuple[int, int]:
        """(address, size) by writing ones."""
        address = mask = 0
        for half in range(2 if wide else 1):
            at = offset + 4 * half
            value = self.space.read(at, 4)
            self.space.write(at, 4, 0xFFFFFFFF & ~(ROM_ENABLE if rom else 0))
            mask |= self.space.read(at, 4) << 32 * half
            self.space.write(at, 4, value)
            address |= value << 32 * half
        mask &= ~(0x7FF if rom else 0xF)
        return address & ~(0x7FF if rom else 0xF), mask & -mask

    def _write_command(self, value: int) -> None:
        """Dom0: only a change of the memory bit matters; the rest is the hardware's."""
        if bool(value & MEMORY) != self.mapped:
            if value & MEMORY:
                self._map()
            else:
                self._unmap()
        self.space.write(COMMAND, 2, value)

    def _write_guest_command(self, value: int) -> None:
        if any(one.enabled for one in self.interrupts):
            value |= INTX_DISABLE
        self.guest_command = value
        if bool(value & MEMORY) != self.mapped:
            if value & MEMORY and self._map():
                self.crashed = True
                self.say("guest-crashed", "a BAR could not be mapped: the guest is crashed")
                return
            if not value & MEMORY:
                self._unmap()
        self.space.write(COMMAND, 2, value)

    def _write_bar(self, bar: BarState, half: int, value: int) -> None:
        """Dom0: through to the hardware, unless the BAR is mapped."""
        at = bar.offset + 4 * half
        if self.mapped:
            if value != self.space.read(at, 4):
                self.say("mapped-bar-write", f"write to BAR at {at:#x} ignored while it is mapped")
            return
        self.space.write(at, 4, value)
        shift = 32 * half
        bits = self.space.read(at, 4) & (0xFFFFFFFF if half else ~0xF)
        bar.address = bar.address & ~(0xFFFFFFFF << shift) | bits << shift

    def _read_guest_bar(self, bar: BarState, half: int) -> int:
        value = bar.guest >> 32 * half & 0xFFFFFFFF
        return value if half else value | bar.kind

    def _write_guest_bar(self, bar: BarState, half: int, value: int) -> None:
        shift = 32 * half
        address = bar.guest & ~(0xFFFFFFFF << shift) | value << shift
        width = 64 if bar.wide else 32
        bar.guest = address & -bar.size & (1 << width) - 1

    def _map(self) -> int:
        """Map every BAR: 0, or -EINVAL where a guest's BAR has another offset in its page than the
        host's. Host BARs that are not valid stay unmapped, with a warning."""
        wanted = []
        for bar in self.bars:
            if self.guest and bar.guest % PAGE != bar.address % PAGE:
                return -Errno.EINVAL
            start, end = pages_of(bar.address, bar.size)
            if self.valid(start, end):
                wanted.append((start, end))
            else:
                self.say(
                    "invalid-bar",
                    f"BAR at {bar.offset:#x} [{start:#x}, {end:#x}) is in no window: not mapped",
                )
        self.mappings.put(self.device, wanted)
        self.mapped = True
        return 0

    def _unmap(self) -> None:
        self.mappings.drop(self.device)
        self.mapped = False
