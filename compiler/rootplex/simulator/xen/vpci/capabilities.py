"""The capability lists under vPCI (§5.3): Dom0 sees them all, a guest MSI and MSI-X only.

Pointers are emulated. Dom0's writes to them still reach the hardware; the headers of extended
capabilities are read-only. What fails to be set up is unlinked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.vpci.registers import CONFIG_SPACE, Register, Registers, Space

STATUS, POINTER, EXTENDED = 0x06, 0x34, 0x100
HAS_LIST = 0x10
STATUS_RO, STATUS_RW1C, STATUS_RSVDZ = 0x06F8, 0xF900, 0x0006
FIRST, LIMIT = 0x40, 48
MSI, MSIX = 0x05, 0x11
FOR_GUESTS = frozenset({MSI, MSIX})


def extended_list(space: Space) -> Iterator[tuple[int, int]]:
    """(header dword, offset) of the hardware's extended list, up to and with the last; it stops where it
    comes to a place again, or to nothing at all."""
    offset, seen = EXTENDED, set[int]()
    while offset >= EXTENDED and offset not in seen:
        header = space.read(offset, 4)
        if header == 0xFFFFFFFF:
            return
        yield header, offset
        seen.add(offset)
        offset = header >> 20 & 0xFFC


class Capabilities(Struct):
    """The lists of one function as its owner sees them: by the offset of a pointer what it reads (low bits
    and all), and the extended `headers` by offset."""

    registers: Registers
    space: Space
    guest: bool
    pointers: dict[int, int] = field(default_factory=dict)
    headers: dict[int, int] = field(default_factory=dict)

    def set_up(self) -> int:
        """`vpci_init_capability_list`: 0, or -EEXIST for a list that comes to a capability again."""
        error = self._set_up_list()
        if error == 0 and self.guest:
            self._add_guest_status()
        return error

    def set_up_extended(self, *, reached: bool) -> int:
        """`vpci_init_ext_capability_list`, from the beginning. `reached`: the function has extended
        configuration space that can be accessed."""
        self.registers.remove(EXTENDED, CONFIG_SPACE - EXTENDED)
        self.headers.clear()
        if not reached:
            return 0
        if self.guest:
            return self.registers.add(Register(offset=EXTENDED, size=4, read=partial(_constant, 0)))
        for header, offset in extended_list(self.space):
            read = partial(self.headers.__getitem__, offset)
            error = self.registers.add(Register(offset=offset, size=4, read=read))
            if error:
                return 0 if error == -Errno.EEXIST else error
            self.headers[offset] = header
        return 0

    def _set_up_list(self) -> int:
        if not self.space.read(STATUS, 2) & HAS_LIST:
            return 0
        hops = Hops(self.space, FOR_GUESTS if self.guest else None)
        pointer = POINTER
        while True:
            found = hops.next(pointer)
            if error := self._add_pointer(pointer, found):
                return error
            at = found & ~3
            if not at or hops.left <= 0:
                return 0
            if self.guest:
                read = partial(self.space.read, at, 1)
                if error := self.registers.add(Register(offset=at, size=1, read=read)):
                    return error
            pointer = at + 1

    def _add_pointer(self, offset: int, value: int) -> int:
        self.pointers[offset] = value
        read = partial(self.pointers.__getitem__, offset)
        write = None if self.guest else partial(self.space.write, offset, 1)
        return self.registers.add(Register(offset=offset, size=1, read=read, write=write))

    def _add_guest_status(self) -> None:
        """A guest's status register: without a list the bit that says so reads 0."""
        hidden = HAS_LIST if self.pointers.get(POINTER) == 0 else 0
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

    def hide(self, at: int) -> None:
        """`vpci_capability_hide`: unlink the legacy capability at an offset. Dom0's accesses to its pointer
        are the hardware's from then on; a guest's to its id, too, are none."""
        before = next((pointer for pointer, value in self.pointers.items() if value == at), None)
        if before is None or at + 1 not in self.pointers:
            return
        self.pointers[before] = self.pointers.pop(at + 1)
        self.registers.remove(at + 1, 1)
        if self.guest:
            self.registers.remove(at, 1)


class Hops(Struct):
    """`pci_find_next_cap_ttl` over one list: `wanted` ids, all where None; `left` hops are taken at most."""

    space: Space
    wanted: frozenset[int] | None
    left: int = LIMIT

    def next(self, pointer: int) -> int:
        """What the pointer at an offset leads to, with its low bits; 0: nothing."""
        while self.left > 0:
            self.left -= 1
            found = self.space.read(pointer, 1)
            if found < FIRST:
                break
            id_ = self.space.read(found & ~3, 1)
            if id_ == 0xFF:
                break
            if self.wanted is None or id_ in self.wanted:
                return found
            pointer = (found & ~3) + 1
        return 0


def _constant(value: int) -> int:
    return value
