"""Random configuration accesses of a Dom0 under vPCI, between reports, removals and assignments.

On x86 a PVH Dom0 has vPCI. On Arm a released Xen never has it: `has_vpci(d)`
(`arch/arm/include/asm/domain.h`) is a constant. The mode needs a hypervisor in which it is
`(d)->domain_id < DOMID_FIRST_RESERVED`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

Json = dict[str, Any]
Step = tuple[str, Json | None]

POINTER, HAS_LIST = 0x34, 0x10
COMMAND, CACHE_LINE, ROM, BRIDGE_ROM, INTERRUPT = 0x04, 0x0C, 0x30, 0x38, 0x3C
ACS, ACS_OFFERED = 0x0D, 0x7F
SRIOV, VF_BARS = 0x10, 0x24
COMMAND_BITS = 0x0547
"""I/O, memory, bus master, parity, SERR, INTx off: what may be tried without a device going away."""
HIGH_WINDOW = 0x80_0000_0000
CAPABILITY_MSI, CAPABILITY_MSIX = 0x05, 0x11
MSI_WANTED = 0x0070
MSIX_CONTROL = 0xC000
"""Of the controls (PCI Express Base 6.0 §7.7.1.2, §7.7.2.2): the vectors wanted; all that can be written."""


class Ground(Struct, frozen=True):
    """A machine: the ECAM base, the functions' pages by rid, a window for BARs, and addresses outside of it;
    whether there are x86's ports, and MSI is Xen's."""

    ecam: int
    pages: Mapping[int, bytes]
    window: int
    elsewhere: tuple[int, ...]
    x86: bool


def arm(ecam: int, pages: Mapping[int, bytes]) -> Ground:
    """QEMU's virt. Outside the window: nothing, the GIC, memory, the window's end, nothing."""
    return Ground(
        ecam, pages, 0x1000_0000, (0, 0x0800_0000, 0x4000_0000, 0x3FFF_0000, 0xF000_0000), x86=False
    )


def q35(ecam: int, pages: Mapping[int, bytes]) -> Ground:
    """QEMU's q35: outside is what no bridge passes down."""
    return Ground(ecam, pages, 0xD000_0000, (0x5000_0000, 0xF800_0000), x86=True)


def load(at: int, size: int) -> Step:
    return "load", {"addr": at, "size": size}


def store(at: int, value: int, size: int) -> Step:
    return "store", {"addr": at, "value": value & (1 << 8 * size) - 1, "size": size}


def header_registers(page: bytes) -> tuple[int, ...]:
    """The dwords that Dom0 writes: command, cache line, BARs, ROM, and an endpoint's interrupt line."""
    if page[0x0E] & 0x7F == 1:
        return COMMAND, CACHE_LINE, 0x10, 0x14, BRIDGE_ROM
    return COMMAND, CACHE_LINE, *range(0x10, 0x28, 4), ROM, INTERRUPT


def _extended(page: bytes, id_: int) -> tuple[int, ...]:
    """Where the extended capability of that id is, if there is one."""
    at, seen = 0x100, set[int]()
    while at >= 0x100 and at not in seen:
        seen.add(at)
        header = int.from_bytes(page[at : at + 4], "little")
        if header & 0xFFFF == id_:
            return (at,)
        at = header >> 20 & 0xFFC
    return ()


def as_firmware_left_it(page: bytes) -> bytes:
    """A page that a kernel has read, without what the kernel did: ACS is off, BARs of VFs are nowhere."""
    made = bytearray(page)
    for at in _extended(page, ACS):
        made[at + 6 : at + 8] = bytes(2)
    for at in _extended(page, SRIOV):
        wide = False
        for bar in range(at + VF_BARS, at + VF_BARS + 24, 4):
            flags = 0 if wide else made[bar] & 0xF
            made[bar : bar + 4] = bytes([flags, 0, 0, 0])
            wide = flags & 7 == 4
    return bytes(made)


def writable(
    pages: Mapping[int, bytes],
    where: Callable[[int, int], int],
    ask: Callable[[Sequence[Step]], Sequence[int]],
) -> Json:
    """The bits of each function's header and messages that a write changes (rid, register, mask),
    asked of the hardware at the addresses `where` says: ones and zeros are written, and what was there. Those
    of MSI-X's and ACS' controls are what their specification says."""
    asked: list[tuple[int, int]] = []
    steps: list[Step] = []
    for rid, page in pages.items():
        messages = [at for at in _capabilities(page) if page[at] == CAPABILITY_MSI]
        bits = dict.fromkeys(header_registers(page), 0xFFFF_FFFF) | {COMMAND: COMMAND_BITS}
        for at in messages:
            bits |= dict.fromkeys([register for register, _ in _message_registers(page, at)], 0xFFFF_FFFF)
            bits[at] = MSI_WANTED << 16
        for register, ones in bits.items():
            at, before = where(rid, register), int.from_bytes(page[register : register + 4], "little")
            steps += [store(at, ones, 4), load(at, 4), store(at, 0, 4), load(at, 4), store(at, before, 4)]
            asked.append((rid, register))
    answers = ask(steps)
    masks: Json = {}
    for index, (rid, register) in enumerate(asked):
        ones, zeros = answers[5 * index + 1], answers[5 * index + 3]
        if mask := ones & ~zeros:
            masks.setdefault(f"{rid:x}", {})[f"{register:x}"] = mask
    for rid, page in pages.items():
        for at in _capabilities(page):
            if page[at] == CAPABILITY_MSIX:
                masks.setdefault(f"{rid:x}", {})[f"{at:x}"] = MSIX_CONTROL << 16
        for at in _extended(page, ACS):
            masks.setdefault(f"{rid:x}", {})[f"{at + 4:x}"] = (page[at + 4] & ACS_OFFERED) << 16
    return masks


class Drawing:
    """Steps for a machine, the same for the same seed."""

    def __init__(self, seed: int, ground: Ground, *, removes: bool, iommu: bool) -> None:
        self._random = random.Random(seed)
        self._ground, self._rids = ground, list(ground.pages)
        self._removes, self._iommu = removes, iommu

    def _where(self, rid: int, register: int, size: int) -> int:
        """By ECAM, or now and then by the ports (rid << 8 | register)."""
        if self._ground.x86 and register < 0x100 and size <= 4 and self._random.random() < 0.2:
            return rid << 8 | register
        return self._ground.ecam + (rid << 12) + register

    def steps(self, count: int) -> Iterator[Step]:
        for domain in (1, 2):
            yield "domain", {"domain": domain, "iommu": self._iommu}
        for number in range(count):
            kind = self._random.random()
            if kind < 0.12:
                yield self._call()
            elif kind < 0.55:
                yield self._load()
            else:
                yield self._store()
            if number % 50 == 49:
                yield "dump", {}

    def _call(self) -> Step:
        if self._ground.x86 and self._random.random() < 0.15:
            return self._area()
        rid = self._random.choice(self._rids)
        where = {"seg": 0, "bus": rid >> 8, "devfn": rid & 0xFF}
        choice = self._random.random()
        if choice < 0.5:
            return "pci_device_add", where | {"flags": 0}
        if choice < 0.65 and self._removes:
            return "pci_device_remove", where
        name = self._random.choice(("assign_device", "deassign_device"))
        return name, {"domain": self._random.choice((1, 1, 2)), "dev": 0, "flags": 0, "machine_sbdf": rid}

    def _area(self) -> Step:
        """MCFG's only entry, switched on or off; or another."""
        start, end = self._random.choice(((0, 255),) * 5 + ((0, 127), (5, 3)))
        base = self._random.choice((*(self._ground.ecam,) * 5, 0xC000_0000))
        entry = {
            "address": base,
            "segment": self._random.choice((0, 0, 0, 1)),
            "start_bus": start,
            "end_bus": end,
        }
        return "pci_mmcfg_reserved", entry | {"flags": self._random.choice((0, 1, 1, 1, 2))}

    def _size(self, register: int) -> int:
        return self._random.choice([size for size in (1, 2, 4, 4, 8) if register % size == 0])

    def _load(self) -> Step:
        rid = (
            self._random.choice(self._rids) if self._random.random() < 0.9 else self._random.randrange(0x600)
        )
        register = self._random.randrange(self._random.choice((0x40, 0x40, 0x100, 0x200, 0x1000)))
        size = self._size(register)
        return load(self._where(rid, register, size), size)

    def _store(self) -> Step:
        rid = self._random.choice(self._rids)
        register, value, size = self._written(self._ground.pages[rid])
        return store(self._where(rid, register, size), value, size)

    def _written(self, page: bytes) -> tuple[int, int, int]:
        """(register, value, size) of a store that no function minds."""
        choice = self._random.random()
        if choice < 0.08:
            return self._pointer(page)
        if choice < 0.2 and self._ground.x86 and (messages := self._message(page)):
            return messages
        if choice < 0.4:
            bits = self._random.choice((0, 2, 2, 6, 6, 0x402, COMMAND_BITS, self._random.randrange(1 << 11)))
            return COMMAND, bits & COMMAND_BITS, self._random.choice((1, 2, 2, 2, 4))
        register = self._random.choice(header_registers(page)[1:])
        size = self._random.choice((4, 4, 4, 4, 2, 1))
        if not self._ground.x86:
            return register + self._random.randrange(0, 4, size), self._address(), size
        # What a BAR on memory does to MSI-X's table is not simulated: such a BAR is not made.
        value = self._random.choice((0, 0, 0x80)) if register in _upper_halves(page) else self._in_a_hole()
        return register, value, size

    def _message(self, page: bytes) -> tuple[int, int, int] | None:
        """To the registers of MSI and MSI-X, which is never switched on without a good address."""
        found = {page[at]: at for at in _capabilities(page)}
        if at := found.get(CAPABILITY_MSIX, 0):
            return at + 2, self._random.choice((0, 0x4000, 0xC000, 0x07FF)), 2
        if not (at := found.get(CAPABILITY_MSI, 0)):
            return None
        if self._random.random() < 0.2:
            return at + 2, self._random.getrandbits(16) & 0xFFFE, 2
        register, size = self._random.choice(_message_registers(page, at))
        return register, self._random.getrandbits(8 * size), size

    def _address(self) -> int:
        window = self._ground.window
        base = self._random.choice((window, window, window, HIGH_WINDOW, *self._ground.elsewhere))
        value = base + self._random.randrange(16) * self._random.choice((0x1000, 0x4000, 0x20000, 0x100000))
        extra = self._random.choice((0, 0, 0, 1, 0x800, 0xF))
        return self._random.choice(
            (value | extra, value | extra, value >> 32, 0xFFFF_FFFF, 0xFFFF_F800, 0x80, 0)
        )

    def _in_a_hole(self) -> int:
        base = self._random.choice((self._ground.window, self._ground.window, *self._ground.elsewhere))
        steps = self._random.choice((0x1000, 0x4000, 0x20000, 0x100000))
        return base + self._random.randrange(16) * steps | self._random.choice((0, 0, 0, 1, 0x800, 0xF))

    def _pointer(self, page: bytes) -> tuple[int, int, int]:
        """To the list of capabilities, old and extended."""
        if self._random.random() < 0.4:
            return 0x100, self._random.getrandbits(32), 4
        pointers = (POINTER, *(at + 1 for at in _capabilities(page)))
        return self._random.choice(pointers), self._random.randrange(256), 1


def _upper_halves(page: bytes) -> set[int]:
    """The registers with the upper half of a 64-bit BAR."""
    last = 0x14 if page[0x0E] & 0x7F == 1 else 0x24
    return {at + 4 for at in range(0x10, last, 4) if page[at] & 7 == 4}


def _message_registers(page: bytes, at: int) -> list[tuple[int, int]]:
    """(register, size) of the address, data and mask bits of the MSI capability at an offset."""
    control = page[at + 2]
    data = at + (12 if control & 0x80 else 8)
    upper = [(at + 8, 4)] if control & 0x80 else []
    mask = [(data + 4, 4)] if page[at + 3] & 1 else []
    return [(at + 4, 4), *upper, (data, 2), *mask]


def _capabilities(page: bytes) -> list[int]:
    """Where the capabilities of the list are."""
    found: list[int] = []
    at = page[0x34] & 0xFC if page[0x06] & HAS_LIST else 0
    while at and at not in found:
        found.append(at)
        at = page[at + 1] & 0xFC
    return found
