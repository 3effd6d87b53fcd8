"""The capability lists under vPCI (§5.3): Dom0 sees them all, a guest MSI and MSI-X only.

Pointers are emulated. Dom0's writes to them still reach the hardware; the headers of extended
capabilities are read-only. What fails to be set up is unlinked; the first extended capability
cannot be, and gets id 0 instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct, field

from rootplex.simulator.xen.vpci.registers import Register, Registers, Space

STATUS, POINTER, EXTENDED = 0x06, 0x34, 0x100
HAS_LIST = 0x10
STATUS_RO, STATUS_RW1C, STATUS_RSVDZ = 0x06F8, 0xF900, 0x0006
LIMIT, EXTENDED_LIMIT = 48, (4096 - 256) // 8
MSI, MSIX = 0x05, 0x11
FOR_GUESTS = frozenset({MSI, MSIX})


def legacy_list(space: Space) -> Iterator[tuple[int, int]]:
    """(id, offset) of the hardware's legacy list."""
    if not space.read(STATUS, 2) & HAS_LIST:
        return
    offset = space.read(POINTER, 1) & 0xFC
    for _ in range(LIMIT):
        if offset < 0x40:
            return
        id_ = space.read(offset, 1)
        if id_ == 0xFF:
            return
        yield id_, offset
        offset = space.read(offset + 1, 1) & 0xFC


def extended_list(space: Space) -> Iterator[tuple[int, int]]:
    """(header dword, offset) of the hardware's extended list."""
    offset = EXTENDED
    for _ in range(EXTENDED_LIMIT):
        header = space.read(offset, 4)
        if header in (0, 0xFFFFFFFF):
            return
        yield header, offset
        offset = header >> 20 & 0xFFC
        if offset < EXTENDED:
            return


class Capabilities(Struct):
    """The lists of one function as its owner sees them: `links` of (id, offset) in order, and the
    extended `headers` by offset."""

    registers: Registers
    space: Space
    guest: bool
    links: list[tuple[int, int]] = field(default_factory=list)
    headers: dict[int, int] = field(default_factory=dict)

    def set_up(self, *, extended: bool) -> None:
        """Emulate the lists. `extended`: the function has extended configuration space."""
        self.links = [
            (id_, offset) for id_, offset in legacy_list(self.space) if not self.guest or id_ in FOR_GUESTS
        ]
        self._add_pointer(POINTER, lambda: self._next(None))
        for id_, offset in self.links:
            if self.guest:
                self.registers.add(Register(offset=offset, size=1, read=partial(_constant, id_)))
            self._add_pointer(offset + 1, partial(self._next, offset))
        if self.guest:
            self._add_guest_status()
            self.registers.add(Register(offset=EXTENDED, size=4, read=partial(_constant, 0)))
        elif extended:
            self.headers = {offset: header for header, offset in extended_list(self.space)}
            for offset in self.headers:
                self.registers.add(
                    Register(offset=offset, size=4, read=partial(self.headers.__getitem__, offset))
                )

    def _add_pointer(self, offset: int, read: Callable[[], int]) -> None:
        write = None if self.guest else partial(self.space.write, offset, 1)
        self.registers.add(Register(offset=offset, size=1, read=read, write=write))

    def _add_guest_status(self) -> None:
        """A guest's status register: without a list the bit that says so reads 0."""
        hidden = 0 if self.links else HAS_LIST
        self.registers.add(
            Register(
                offset=STATUS,
                size=2,
                read=lambda: self.space.read(STATUS, 2),
                write=partial(self.space.write, STATUS, 2),
                ro=STATUS_RO & ~hidden,
                rw1c=STATUS_RW1C,
                rsvdp=hidden,
                rsvdz=STATUS_RSVDZ,
            )
        )

    def _next(self, after: int | None) -> int:
        """The offset of the link after one (None: the first); 0 at the end."""
        offsets = [offset for _, offset in self.links]
        at = 0 if after is None else offsets.index(after) + 1 if after in offsets else len(offsets)
        return offsets[at] if at < len(offsets) else 0

    def hide(self, id_: int) -> None:
        """Unlink a legacy capability whose set-up failed."""
        self.links = [link for link in self.links if link[0] != id_]


def _constant(value: int) -> int:
    return value
