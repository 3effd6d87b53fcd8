"""Resizable BARs under vPCI (§5.3): Dom0 only. A mapped BAR is not resized; a size that the
capability does not offer is warned about, and written all the same."""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from rootplex.simulator.xen.vpci.header import FIRST_BAR, FLAGS, Header, MemoryBar
from rootplex.simulator.xen.vpci.registers import Register, Registers, Space

EXTENDED_ID = 0x15
LARGEST_COUNT = 6
SIZE_SHIFT = 8
SIZE_BITS = 0x3F
SMALLEST = 20
"""Size code 0 is 1 MiB."""


class ResizableBars(Struct):
    """The capability at `offset`: one (capability, control) pair of dwords a BAR."""

    registers: Registers
    space: Space
    header: Header
    offset: int

    def set_up(self) -> None:
        count = self.space.read(self.offset + 8, 4) >> 5 & 7
        for index in range(min(count, LARGEST_COUNT)):
            at = self.offset + 8 + 8 * index
            number = self.space.read(at, 4) & 7
            bar = next((bar for bar in self.header.bars if bar.offset == FIRST_BAR + 4 * number), None)
            if bar is not None:
                read, write = partial(self.space.read, at, 4), partial(self._write, bar, at)
                self.registers.add(Register(offset=at, size=4, read=read, write=write))

    def _write(self, bar: MemoryBar, control: int, value: int) -> None:
        code = value >> SIZE_SHIFT & SIZE_BITS
        if bar.mapped:
            if bar.size != 1 << SMALLEST + code:
                self.header.say("rebar-mapped")
            return
        if not self.space.read(control - 4, 4) >> 4 & 1 << code:
            self.header.say("rebar-size")
        self.space.write(control, 4, value)
        bar.address, bar.size = self.header.sized(bar.offset, FLAGS, wide=bar.wide)
        bar.shown = bar.address
