"""The register engine of vPCI (§5.1): emulated registers over hardware, or over nothing.

Registers are sorted and never overlap. What an access touches between them goes to the hardware
for Dom0; for a guest it reads all ones and is dropped.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.access import ones

CONFIG_SPACE = 4096


class Space(Protocol):
    """The hardware's registers of one function: sizes 1, 2, 4."""

    def read(self, register: int, size: int) -> int: ...

    def write(self, register: int, size: int, value: int) -> None: ...


class Register(Struct, frozen=True, kw_only=True):
    """One emulated register. `read` absent: all ones; `write` absent: dropped; one of the two must
    be there. Masks: `ro` bits keep their value; `rw1c` bits are not written back by partial writes;
    `rsvdp` bits read 0 and keep their value; `rsvdz` bits read 0 and are written 0."""

    offset: int
    size: int
    read: Callable[[], int] | None = None
    write: Callable[[int], None] | None = None
    ro: int = 0
    rw1c: int = 0
    rsvdp: int = 0
    rsvdz: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size

    @property
    def is_valid(self) -> bool:
        """Size 1, 2 or 4, aligned, inside configuration space, a handler, masks apart and inside."""
        masks = (self.ro, self.rw1c, self.rsvdp, self.rsvdz)
        together = self.ro | self.rw1c | self.rsvdp | self.rsvdz
        return (
            self.size in (1, 2, 4)
            and self.offset % self.size == 0
            and 0 <= self.offset < CONFIG_SPACE
            and (self.read is not None or self.write is not None)
            and sum(masks) == together
            and together <= ones(self.size)
        )

    def value(self) -> int:
        """What the register holds, reserved bits and all."""
        return ones(self.size) if self.read is None else self.read() & ones(self.size)

    def shown(self) -> int:
        """What a read of the whole register gives."""
        return self.value() & ~(self.rsvdp | self.rsvdz)

    def store(self, offset: int, size: int, value: int) -> None:
        """Write `size` bytes at `offset` within the register: read, merge, write."""
        kept = self.ro | self.rsvdp
        if size != self.size or kept:
            old = self.value() & ~self.rw1c
            shift = 8 * offset
            value = old & ~(ones(size) << shift) | value << shift
            value = value & ~(kept | self.rsvdz) | old & kept
        if self.write is not None:
            self.write(value & ~self.rsvdz & ones(self.size))


class Registers(Struct):
    """The registers of one function. `hardware` None: the owner is a guest."""

    hardware: Space | None = None
    registers: list[Register] = field(default_factory=list)

    def add(self, register: Register) -> int:
        """0, -EINVAL (not a valid register) or -EEXIST (overlaps one that is there)."""
        if not register.is_valid:
            return -Errno.EINVAL
        if any(one.offset < register.end and register.offset < one.end for one in self.registers):
            return -Errno.EEXIST
        insort(self.registers, register, key=lambda one: one.offset)
        return 0

    def remove(self, start: int, size: int) -> int:
        """Take out every register in the range: 0, or -ERANGE where it cuts one (none is taken)."""
        end = start + size
        touched = [one for one in self.registers if one.offset < end and start < one.end]
        if any(one.offset < start or one.end > end for one in touched):
            return -Errno.ERANGE
        self.registers = [one for one in self.registers if one not in touched]
        return 0

    def _parts(self, offset: int, size: int) -> Iterator[tuple[Register | None, int, int]]:
        """The access cut at register borders: (register or gap, start, end)."""
        at, end = offset, offset + size
        for register in self.registers:
            if register.end <= at:
                continue
            if register.offset >= end:
                break
            if at < register.offset:
                yield None, at, register.offset
                at = register.offset
            stop = min(end, register.end)
            yield register, at, stop
            at = stop
        if at < end:
            yield None, at, end

    def read(self, offset: int, size: int) -> int:
        """Any of the sizes 1, 2, 4, across registers and gaps."""
        value = 0
        for register, start, end in self._parts(offset, size):
            if register is None:
                part = self._read_gap(start, end - start)
            else:
                part = register.shown() >> 8 * (start - register.offset)
            value |= (part & ones(end - start)) << 8 * (start - offset)
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        for register, start, end in self._parts(offset, size):
            part = value >> 8 * (start - offset) & ones(end - start)
            if register is not None:
                register.store(start - register.offset, end - start, part)
            elif self.hardware is not None:
                for at, length in _pieces(start, end - start):
                    self.hardware.write(at, length, part >> 8 * (at - start) & ones(length))

    def _read_gap(self, start: int, size: int) -> int:
        if self.hardware is None:
            return ones(size)
        value = 0
        for at, length in _pieces(start, size):
            value |= (self.hardware.read(at, length) & ones(length)) << 8 * (at - start)
        return value


def _pieces(start: int, size: int) -> tuple[tuple[int, int], ...]:
    """A gap as the hardware takes it: three bytes are 1 + 2 from an odd address, 2 + 1 from an even."""
    if size != 3:
        return ((start, size),)
    return ((start, 1), (start + 1, 2)) if start & 1 else ((start, 2), (start + 2, 1))
