"""Random configuration accesses of a Dom0 under vPCI, between reports, removals and assignments.

On Arm a released Xen never has vPCI: `has_vpci(d)` (`arch/arm/include/asm/domain.h`) is a constant. The mode
needs a hypervisor in which it is `(d)->domain_id < DOMID_FIRST_RESERVED`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Step = tuple[str, Json | None]

COMMAND, CACHE_LINE, ROM, BRIDGE_ROM, INTERRUPT = 0x04, 0x0C, 0x30, 0x38, 0x3C
ACS = 0x0D
COMMAND_BITS = 0x0547
"""I/O, memory, bus master, parity, SERR, INTx off: what may be tried without a device going away."""
WINDOW, HIGH_WINDOW = 0x1000_0000, 0x80_0000_0000
ELSEWHERE = (0, 0x0800_0000, 0x4000_0000, 0x3FFF_0000, 0xF000_0000)
"""Addresses outside the bridge's windows: nothing, the GIC, memory, the window's end, nothing."""


def load(at: int, size: int) -> Step:
    return "load", {"addr": at, "size": size}


def store(at: int, value: int, size: int) -> Step:
    return "store", {"addr": at, "value": value & (1 << 8 * size) - 1, "size": size}


def header_registers(page: bytes) -> tuple[int, ...]:
    """The dwords that Dom0 writes: command, cache line, BARs, ROM, and an endpoint's interrupt line."""
    if page[0x0E] & 0x7F == 1:
        return COMMAND, CACHE_LINE, 0x10, 0x14, BRIDGE_ROM
    return COMMAND, CACHE_LINE, *range(0x10, 0x28, 4), ROM, INTERRUPT


def _acs_control(page: bytes) -> tuple[int, ...]:
    """The dword with ACS' control, which Xen writes when it takes a device."""
    at, seen = 0x100, set[int]()
    while at >= 0x100 and at not in seen:
        seen.add(at)
        header = int.from_bytes(page[at : at + 4], "little")
        if header & 0xFFFF == ACS:
            return (at + 4,)
        at = header >> 20 & 0xFFC
    return ()


def writable(ecam: int, pages: Mapping[int, bytes], ask: Callable[[Sequence[Step]], Sequence[int]]) -> Json:
    """The bits of each function's header, and of its ACS control, that a write changes (rid, register, mask),
    asked of the hardware: all ones and zeros are written, and what was there."""
    asked: list[tuple[int, int]] = []
    steps: list[Step] = []
    for rid, page in pages.items():
        for register in (*header_registers(page), *_acs_control(page)):
            at, before = (
                ecam + (rid << 12) + register,
                int.from_bytes(page[register : register + 4], "little"),
            )
            ones = COMMAND_BITS if register == COMMAND else 0xFFFF_FFFF
            steps += [store(at, ones, 4), load(at, 4), store(at, 0, 4), load(at, 4), store(at, before, 4)]
            asked.append((rid, register))
    answers = ask(steps)
    masks: Json = {}
    for index, (rid, register) in enumerate(asked):
        ones, zeros = answers[5 * index + 1], answers[5 * index + 3]
        if mask := ones & ~zeros:
            masks.setdefault(f"{rid:x}", {})[f"{register:x}"] = mask
    return masks


class Drawing:
    """Steps for a machine of `pages` behind one ECAM window, the same for the same seed."""

    def __init__(
        self, seed: int, ecam: int, pages: Mapping[int, bytes], *, removes: bool, iommu: bool
    ) -> None:
        self._random = random.Random(seed)
        self._ecam, self._pages, self._rids = ecam, pages, list(pages)
        self._removes, self._iommu = removes, iommu

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
        rid = self._random.choice(self._rids)
        where = {"seg": 0, "bus": rid >> 8, "devfn": rid & 0xFF}
        choice = self._random.random()
        if choice < 0.5:
            return "pci_device_add", where | {"flags": 0}
        if choice < 0.65 and self._removes:
            return "pci_device_remove", where
        name = self._random.choice(("assign_device", "deassign_device"))
        return name, {"domain": self._random.choice((1, 1, 2)), "dev": 0, "flags": 0, "machine_sbdf": rid}

    def _size(self, register: int) -> int:
        return self._random.choice([size for size in (1, 2, 4, 4, 8) if register % size == 0])

    def _load(self) -> Step:
        rid = (
            self._random.choice(self._rids) if self._random.random() < 0.9 else self._random.randrange(0x600)
        )
        register = self._random.randrange(self._random.choice((0x40, 0x40, 0x100, 0x200, 0x1000)))
        size = self._size(register)
        return load(self._ecam + (rid << 12) + register, size)

    def _store(self) -> Step:
        rid = self._random.choice(self._rids)
        page, at = self._pages[rid], self._ecam + (rid << 12)
        choice = self._random.random()
        if choice < 0.08:
            return self._pointer(page, at)
        if choice < 0.4:
            bits = self._random.choice((0, 2, 2, 6, 6, 0x402, COMMAND_BITS, self._random.randrange(1 << 11)))
            size = self._random.choice((1, 2, 2, 2, 4))
            return store(at + COMMAND, bits & COMMAND_BITS, size)
        register = self._random.choice(header_registers(page)[1:])
        size = self._random.choice((4, 4, 4, 4, 2, 1))
        return store(at + register + self._random.randrange(0, 4, size), self._address(), size)

    def _address(self) -> int:
        base = self._random.choice((WINDOW, WINDOW, WINDOW, HIGH_WINDOW, *ELSEWHERE))
        value = base + self._random.randrange(16) * self._random.choice((0x1000, 0x4000, 0x20000, 0x100000))
        extra = self._random.choice((0, 0, 0, 1, 0x800, 0xF))
        return self._random.choice(
            (value | extra, value | extra, value >> 32, 0xFFFF_FFFF, 0xFFFF_F800, 0x80, 0)
        )

    def _pointer(self, page: bytes, at: int) -> Step:
        """A store to the list of capabilities, old and extended."""
        if self._random.random() < 0.4:
            return store(at + 0x100, self._random.getrandbits(32), 4)
        listed, pointer = [0x33], page[0x34] & 0xFC
        while pointer and pointer not in listed:
            listed.append(pointer)
            pointer = page[pointer + 1] & 0xFC
        return store(at + self._random.choice(listed) + 1, self._random.randrange(256), 1)
