"""The header of a function under vPCI (§5.2): command register, BARs, expansion ROM.

Dom0's accesses go through to the hardware but for the moments that change what is mapped. A guest
has a command register and BAR addresses of its own, and its mappings must fit the host's pages. What
becomes mapped does so when the access is over (`defer_map`), which no single access can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.outcome import NoticeKind
from rootplex.simulator.xen.vpci.registers import Register, Registers, Space

COMMAND, HEADER_TYPE, FIRST_BAR = 0x04, 0x0E, 0x10
MEMORY, INTX_DISABLE = 0x2, 0x400
RESERVED_COMMAND = 0xF800
FIXED_COMMAND = RESERVED_COMMAND | 0x001 | 0x040 | 0x080 | 0x100 | 0x200
"""Command bits a guest cannot change: reserved, I/O, parity, wait, SERR, fast back-to-back."""
LAYOUTS = {0: (6, 0x30), 1: (2, 0x38)}
"""Header type → (number of BARs, offset of the ROM register)."""
TAKEN_FROM_GUESTS = 0x003F
"""Command bits that are off when a guest gets the device: I/O to palette snooping."""
IS_IO, BAR_TYPE, WIDE, PREFETCHABLE = 0x1, 0x6, 0x4, 0x8
FLAGS, ROM_FLAGS = 0xF, 0x7FF
PAGE = 4096
ROM_ENABLE = 1
WORD, LONG = 0xFFFFFFFF, (1 << 64) - 1

Area = tuple[int, int]
"""(first page address, end), in bytes, page granular."""


def pages_of(base: int, size: int) -> Area:
    """The area rounded out to pages."""
    return base & -PAGE, base + size + PAGE - 1 & -PAGE


class MemoryBar(Struct):
    """A memory BAR, or the expansion ROM. `address` is the host's, `shown` the owner's (Dom0's is the same);
    `flags` its type and whether it is prefetchable; `mapped`: its pages are in the owner's memory."""

    offset: int
    size: int
    address: int
    shown: int
    flags: int = 0
    rom: bool = False
    mapped: bool = False

    @property
    def wide(self) -> bool:
        return bool(self.flags & WIDE)

    @property
    def pages(self) -> Area:
        return pages_of(self.address, self.size)


class Interrupts(Protocol):
    """MSI or MSI-X: while one is enabled, a guest's INTx is off."""

    @property
    def enabled(self) -> bool: ...


class Header(Struct):
    """A function's header. `valid` is the architecture's word on a host BAR's pages (§1.8); `permitted` tells
    whether its owner may have them mapped; `interrupts` its MSI and MSI-X, where they are emulated;
    `decodes`: memory decoding is on, as Xen has it; `crashed`: it has cost its guest the life."""

    registers: Registers
    space: Space
    guest: bool
    valid: Callable[[int, int], bool]
    permitted: Callable[[int, int], bool]
    say: Callable[[NoticeKind], None]
    interrupts: list[Interrupts] = field(default_factory=list)
    bars: list[MemoryBar] = field(default_factory=list)
    decodes: bool = False
    rom_enabled: bool = False
    guest_command: int = 0
    crashed: bool = False

    def mapped(self) -> Iterator[Area]:
        """The pages of the host that are in the owner's memory."""
        return (bar.pages for bar in self.bars if bar.mapped)

    def set_up(self) -> int:
        """`vpci_init_header`: 0, or -EOPNOTSUPP for a header type other than 0 and 1 (an empty slot's is
        0x7f)."""
        layout = LAYOUTS.get(self.space.read(HEADER_TYPE, 1) & 0x7F)
        if layout is None:
            return -Errno.EOPNOTSUPP
        before = self.space.read(COMMAND, 2)
        command = self.guest_command = before & ~TAKEN_FROM_GUESTS if self.guest else before
        self.registers.add(
            Register(
                offset=COMMAND,
                size=2,
                read=(lambda: self.guest_command) if self.guest else partial(self.space.read, COMMAND, 2),
                write=self._write_command,
                rsvdp=FIXED_COMMAND if self.guest else 0,
            )
        )
        if self.guest or command & MEMORY:
            self.space.write(COMMAND, 2, command & ~MEMORY)
        self._find_bars(layout[0])
        self._find_rom(layout[1])
        if command & MEMORY:
            self._switch(command)
        return 0

    def _find_bars(self, count: int) -> None:
        below: MemoryBar | None = None
        for index in range(count):
            offset = FIRST_BAR + 4 * index
            if below is not None and below.wide:
                self._trap(offset, below, half=1)
                below = None
                continue
            below = None
            value = self.space.read(offset, 4)
            if value & IS_IO:
                self._show_nothing(offset)
                continue
            wide = value & BAR_TYPE == WIDE
            address, size = self.sized(offset, FLAGS, wide=wide, last=index == count - 1)
            if size == 0:
                self._show_nothing(offset)
                continue
            flags = value & PREFETCHABLE | (WIDE if wide else 0)
            below = MemoryBar(offset, size, address, address, flags)
            self.bars.append(below)
            self._trap(offset, below, half=0)

    def _find_rom(self, offset: int) -> None:
        if self.guest:
            self._show_nothing(offset)
            return
        address, size = self.sized(offset, ROM_FLAGS)
        if size == 0:
            return
        rom = MemoryBar(offset, size, address, address, rom=True)
        self.rom_enabled = bool(self.space.read(offset, 4) & ROM_ENABLE)
        self.bars.append(rom)
        read = partial(self.space.read, offset, 4)
        self.registers.add(Register(offset=offset, size=4, read=read, write=partial(self._write_rom, rom)))

    def _show_nothing(self, offset: int) -> None:
        """I/O BARs, BARs that are not there, and the ROM: read 0 for a guest, not trapped for Dom0."""
        if self.guest:
            self.registers.add(Register(offset=offset, size=4, read=lambda: 0))

    def _trap(self, offset: int, bar: MemoryBar, half: int) -> None:
        read = partial(self._read_guest_bar, bar, half) if self.guest else partial(self.space.read, offset, 4)
        write = partial(self._write_bar, bar, half)
        self.registers.add(Register(offset=offset, size=4, read=read, write=write))

    def sized(self, at: int, flags: int, *, wide: bool = False, last: bool = False) -> tuple[int, int]:
        """`pci_size_mem_bar`: (address, size) by writing ones. A 64-bit BAR in the last register is none,
        and keeps the ones."""
        low, high = self.space.read(at, 4), 0
        self.space.write(at, 4, WORD)
        if wide and last:
            return 0, 0
        if wide:
            high = self.space.read(at + 4, 4)
            self.space.write(at + 4, 4, WORD)
        mask = self.space.read(at, 4) & ~flags
        if wide:
            mask |= self.space.read(at + 4, 4) << 32
            self.space.write(at + 4, 4, high)
        elif mask:
            mask |= WORD << 32
        self.space.write(at, 4, low)
        return low & ~flags | high << 32, -mask & LONG

    def _write_command(self, value: int) -> None:
        """`cmd_write`: only a change of the memory bit matters; the rest is the hardware's."""
        if self.guest:
            if any(one.enabled for one in self.interrupts):
                value |= INTX_DISABLE
            self.guest_command = value
        if bool(value & MEMORY) != self.decodes:
            self._switch(value)
        else:
            self.space.write(COMMAND, 2, value)

    def _switch(self, command: int) -> None:
        """`modify_bars` for all BARs, and the `modify_decoding` that follows. Nothing changes where a guest's
        BAR has another offset in its page than the host's."""
        on = bool(command & MEMORY)
        bars = [bar for bar in self.bars if not bar.rom or self.rom_enabled]
        for bar in bars:
            if bar.mapped != on and self._is_valid(bar) and bar.shown % PAGE != bar.address % PAGE:
                self.say("bar-offset")
                return
        new = [bar.pages for bar in bars if bar.mapped != on and self.valid(*bar.pages)]
        if on and not all(self.permitted(*pages) for pages in new):
            self._give_up(command)
            return
        self._decode(bars, command)

    def _decode(self, bars: Iterable[MemoryBar], command: int) -> None:
        """`modify_decoding`."""
        on = bool(command & MEMORY)
        for bar in bars:
            if self.valid(*bar.pages):
                bar.mapped = on
        self.space.write(COMMAND, 2, command)
        self.decodes = on

    def _give_up(self, command: int) -> None:
        """`vpci_process_pending` where a mapping fails: memory is not decoded, and a guest is crashed."""
        self.say("mapping-denied")
        self._decode([bar for bar in self.bars if not bar.rom or self.rom_enabled], command & ~MEMORY)
        self.crashed = self.guest

    def _is_valid(self, bar: MemoryBar) -> bool:
        if not (valid := self.valid(*bar.pages)):
            self.say("invalid-bar")
        return valid

    def _write_bar(self, bar: MemoryBar, half: int, value: int) -> None:
        """`bar_write` and `guest_mem_bar_write`: Dom0's go through to the hardware. A mapped one stays."""
        shift = 32 * half
        if not half:
            value &= ~FLAGS
        shown = bar.shown & ~(WORD << shift) | value << shift
        if self.guest:
            shown &= -bar.size
        if bar.mapped:
            if shown != bar.shown:
                self.say("mapped-bar-write")
            return
        bar.shown = shown
        if not self.guest:
            bar.address = shown
            self.space.write(bar.offset + 4 * half, 4, value if half else value | bar.flags)

    def _read_guest_bar(self, bar: MemoryBar, half: int) -> int:
        value = bar.shown >> 32 * half & WORD
        return value if half else value | bar.flags

    def _write_rom(self, rom: MemoryBar, value: int) -> None:
        """`rom_write`: while it is mapped, only a write that takes it out of the memory."""
        on, address = bool(value & ROM_ENABLE), value & ~ROM_FLAGS
        if rom.mapped and on:
            self.say("mapped-bar-write")
            return
        rom.address = rom.shown = address
        if not self.decodes or rom.mapped == on:
            self.rom_enabled = on
            self.space.write(rom.offset, 4, value)
            return
        if self._is_valid(rom):
            if on and not self.permitted(*rom.pages):
                self._give_up(0)
                return
            rom.mapped = on
        self.rom_enabled = on
        self.space.write(rom.offset, 4, rom.address | on)
