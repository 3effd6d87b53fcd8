"""Sizing of BARs, ROMs and bridge windows (linux.md §4.8; PCI Local Bus 3.0 §6.2.5.1)."""

from __future__ import annotations

from rootplex.simulator.function import Bar
from rootplex.simulator.linux.access import Accessor

COMMAND, DECODE_BITS = 0x04, 0x3
ALL_ONES = 0xFFFFFFFF
BAR_COUNT = {0: 6, 1: 2, 2: 1}
"""BARs by header type."""

ROM_REGISTER = {0: 0x30, 1: 0x38}
ROM_INDEX, FIRST_VF_INDEX = 6, 7
ROM_MASK = 0xFFFFF800
IO_WINDOW, PREFETCH_WINDOW, PREFETCH_UPPER = 0x1C, 0x24, 0x28


def size_bars(access: Accessor, bus: int, devfn: int, header: int) -> list[Bar]:
    """The sized BARs and ROM of a function, with decoding off while they are sized. `pci` is what
    firmware wrote, None for 0."""
    command = access.read(bus, devfn, COMMAND, 2)
    if command & DECODE_BITS:
        access.write(bus, devfn, COMMAND, 2, command & ~DECODE_BITS)
    bars = size_block(access, bus, devfn, 0x10, BAR_COUNT[header], 0)
    rom = ROM_REGISTER.get(header)
    if rom is not None:
        bar = _rom(access, bus, devfn, rom)
        if bar is not None:
            bars.append(bar)
    if command & DECODE_BITS:
        access.write(bus, devfn, COMMAND, 2, command)
    return bars


def size_block(access: Accessor, bus: int, devfn: int, start: int, count: int, first_index: int) -> list[Bar]:
    """The BARs of a block of `count` registers; indices count from `first_index`."""
    bars: list[Bar] = []
    slot = 0
    while slot < count:
        register = start + 4 * slot
        value, readback = _probe(access, bus, devfn, register, ALL_ONES)
        kind = readback
        wide = not kind & 1 and kind & 6 == 4 and slot + 1 < count
        if wide:
            upper, upper_readback = _probe(access, bus, devfn, register + 4, ALL_ONES, keep_ones=True)
            value, readback = value | upper << 32, readback | upper_readback << 32
        mask = ~3 if kind & 1 else ~0xF
        size = _lowest_bit(value & mask, readback & mask, (1 << (64 if wide else 32)) - 1 & mask)
        if size:
            space = "io" if kind & 1 else "mem64" if wide else "mem32"
            address = value & mask & ~(size - 1)
            prefetchable = bool(kind & 8) and not kind & 1
            bars.append(Bar(first_index + slot, space, prefetchable, size, address or None))
        slot += 2 if wide else 1
    return bars


def _probe(
    access: Accessor, bus: int, devfn: int, register: int, ones: int, keep_ones: bool = False
) -> tuple[int, int]:
    """(value, what reads back after writing ones); all ones count as nothing there, except in the
    upper half of a 64-bit BAR."""
    value = access.read(bus, devfn, register, 4)
    access.write(bus, devfn, register, 4, ones)
    readback = access.read(bus, devfn, register, 4)
    access.write(bus, devfn, register, 4, value)
    if keep_ones:
        return value, readback
    return 0 if value == ALL_ONES else value, 0 if readback == ALL_ONES else readback


def _lowest_bit(value: int, readback: int, mask: int) -> int:
    """The size from what reads back; 0 where nothing can be set."""
    size = readback & -readback
    if size == 0 or (value == readback and (value | size - 1) & mask != mask):
        return 0
    return size


def _rom(access: Accessor, bus: int, devfn: int, register: int) -> Bar | None:
    value, readback = _probe(access, bus, devfn, register, ALL_ONES & ~1)
    size = _lowest_bit(value & ROM_MASK, readback & ROM_MASK, ROM_MASK)
    return Bar(ROM_INDEX, "mem32", True, size, value & ROM_MASK or None) if size else None


def bridge_windows(access: Accessor, bus: int, devfn: int) -> tuple[str, ...]:
    """The windows that a bridge implements: memory always, I/O and prefetchable where the registers
    can be written (`probe.c:pci_read_bridge_windows`; PCI-to-PCI Bridge 1.2 §3.2.5)."""
    found = ["mem"]
    io = access.read(bus, devfn, IO_WINDOW, 2)
    if not io:
        access.write(bus, devfn, IO_WINDOW, 2, 0xE0F0)
        io = access.read(bus, devfn, IO_WINDOW, 2)
        access.write(bus, devfn, IO_WINDOW, 2, 0)
    if io:
        found.append("io")
    prefetch = access.read(bus, devfn, PREFETCH_WINDOW, 4)
    if not prefetch:
        access.write(bus, devfn, PREFETCH_WINDOW, 4, 0xFFE0FFF0)
        prefetch = access.read(bus, devfn, PREFETCH_WINDOW, 4)
        access.write(bus, devfn, PREFETCH_WINDOW, 4, 0)
    if prefetch:
        found.append("pref64" if prefetch & 0xF == 1 and _has_upper(access, bus, devfn) else "pref32")
    return tuple(found)


def _has_upper(access: Accessor, bus: int, devfn: int) -> bool:
    value = access.read(bus, devfn, PREFETCH_UPPER, 4)
    access.write(bus, devfn, PREFETCH_UPPER, 4, ALL_ONES)
    readback = access.read(bus, devfn, PREFETCH_UPPER, 4)
    access.write(bus, devfn, PREFETCH_UPPER, 4, value)
    return bool(readback)
