"""A stopped QEMU whose guest memory and I/O ports a test reads and writes: the oracle for config space.

QEMU's own qtest protocol over its standard input and output; no CPU ever runs (`-S`). Only lines of
one kind go both ways, so that a request and its answer stay in step.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

VIRT_ECAM = 0x40_1000_0000
"""Where `-M virt` has its configuration space (256 MiB)."""

ACS_BITS = ("sv", "tb", "rr", "cr", "uf", "ec", "dt")


class Machine:
    """One running QEMU; `ecam` is the address of its configuration space."""

    def __init__(self, process: subprocess.Popen[str], ecam: int) -> None:
        self._process = process
        self._ecam = ecam

    def ask(self, line: str) -> list[str]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(line + "\n")
        stdin.flush()
        for answer in stdout:
            if not answer.startswith("IRQ"):
                word, *rest = answer.split()
                assert word == "OK", answer
                return rest
        raise AssertionError(f"QEMU ended (status {self._process.wait()})")

    def address(self, bus: int, dev: int, fn: int = 0) -> int:
        return self._ecam + (bus << 20 | dev << 15 | fn << 12)

    def page(self, bus: int, dev: int, fn: int = 0) -> bytes:
        """The 4096 bytes of a function's configuration space."""
        return bytes.fromhex(self.ask(f"read {self.address(bus, dev, fn):#x} 0x1000")[0][2:])

    def write32(self, address: int, value: int) -> None:
        self.ask(f"writel {address:#x} {value:#x}")

    def read32(self, address: int) -> int:
        return int(self.ask(f"readl {address:#x}")[0], 16)

    def writable(self, bus: int, dev: int, fn: int, offset: int, keep: int = 0) -> int:
        """The bits of a dword that change when ones, then zeros, are written; it is put back after."""
        at = self.address(bus, dev, fn) + offset
        before = self.read32(at)
        self.write32(at, 0xFFFF_FFFF & ~keep)
        ones = self.read32(at)
        self.write32(at, 0)
        zeros = self.read32(at)
        self.write32(at, before)
        return ones ^ zeros

    def set_buses(self, bus: int, dev: int, fn: int, secondary: int, subordinate: int) -> None:
        self.write32(self.address(bus, dev, fn) + 0x18, subordinate << 16 | secondary << 8 | bus)


def scan(chip: Machine, roots: Sequence[int]) -> dict[tuple[int, ...], tuple[int, int, int]]:
    """Every function below the root buses: (root bus, devfn, devfn, …) → (bus, dev, fn).

    Buses are numbered depth first as they are found, each root bus from its own number on.
    """
    found: dict[tuple[int, ...], tuple[int, int, int]] = {}
    for root in roots:
        _scan_bus(chip, root, (root,), root, found)
    return found


def _scan_bus(
    chip: Machine,
    bus: int,
    path: tuple[int, ...],
    last: int,
    found: dict[tuple[int, ...], tuple[int, int, int]],
) -> int:
    bridges = []
    for devfn in range(256):
        at = chip.address(bus, devfn >> 3, devfn & 7)
        if chip.read32(at) in (0xFFFF_FFFF, 0):
            continue
        found[*path, devfn] = (bus, devfn >> 3, devfn & 7)
        if chip.read32(at + 0x0C) >> 16 & 0x7F == 1:
            bridges.append(devfn)
    for devfn in bridges:
        secondary = last + 1
        chip.set_buses(bus, devfn >> 3, devfn & 7, secondary, 0xFF)
        last = _scan_bus(chip, secondary, (*path, devfn), secondary, found)
        chip.set_buses(bus, devfn >> 3, devfn & 7, secondary, last)
    return last


@contextmanager
def machine(argv: Sequence[str], ecam: int = VIRT_ECAM, folder: Path | None = None) -> Iterator[Machine]:
    """Start `argv` stopped in `folder`, with nothing but the devices that it names."""
    command = [*argv, "-S", "-display", "none", "-nodefaults", "-qtest", "stdio", "-qtest-log", "/dev/null"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Machine(process, ecam)
    finally:
        process.kill()
        process.communicate()


@dataclass(slots=True)
class Facts:
    """What a page of configuration space says, in the words of the language."""

    id: str
    class_code: int
    revision: int
    subsystem: str | None
    header: int
    multifunction: bool
    pin: str | None
    pcie_type: int | None = None
    acs: tuple[str, ...] | None = None
    ari: bool = False
    ats: bool = False
    flr: bool = False
    pm: bool = False
    msi: int = 0
    msix: int = 0
    aer: bool = False
    sriov: dict[str, int] | None = None
    capabilities: dict[int, int] = field(default_factory=dict)
    extended: dict[int, int] = field(default_factory=dict)


def facts(page: bytes) -> Facts:
    """Decode one page by PCIe 6.0 §7.5-7.9 and PCI 3.0 §6, with the test's own arithmetic."""

    def word(offset: int) -> int:
        return page[offset] | page[offset + 1] << 8

    header = page[14] & 0x7F
    seen = Facts(
        id=f"{word(0):04x}:{word(2):04x}",
        class_code=page[9] | page[10] << 8 | page[11] << 16,
        revision=page[8],
        subsystem=None,
        header=header,
        multifunction=page[14] >= 0x80,
        pin="ABCD"[page[0x3D] - 1] if 1 <= page[0x3D] <= 4 else None,
    )
    if header == 0 and word(0x2C):
        seen.subsystem = f"{word(0x2C):04x}:{word(0x2E):04x}"
    at = page[0x34] if page[6] & 0x10 else 0
    walked: set[int] = set()
    while at >= 0x40 and at not in walked:
        walked.add(at)
        seen.capabilities.setdefault(page[at], at)
        at = page[at + 1] & 0xFC
    if (at := seen.capabilities.get(0x0D, 0)) and word(at + 4):
        seen.subsystem = f"{word(at + 4):04x}:{word(at + 6):04x}"
    seen.pm = 1 in seen.capabilities
    if at := seen.capabilities.get(5, 0):
        seen.msi = 1 << (page[at + 2] >> 1 & 7)
    if at := seen.capabilities.get(0x11, 0):
        seen.msix = (word(at + 2) & 0x7FF) + 1
    if at := seen.capabilities.get(0x10, 0):
        seen.pcie_type = page[at + 2] >> 4
        seen.flr = bool(page[at + 7] & 0x10)
    at = 0x100
    while at >= 0x100 and word(at) not in (0, 0xFFFF) and at not in seen.extended.values():
        seen.extended[word(at)] = at
        at = word(at + 2) >> 4
    seen.aer, seen.ari, seen.ats = 1 in seen.extended, 0x0E in seen.extended, 0x0F in seen.extended
    if at := seen.extended.get(0x0D, 0):
        seen.acs = tuple(bit for n, bit in enumerate(ACS_BITS) if word(at + 4) >> n & 1)
    if at := seen.extended.get(0x10, 0):
        seen.sriov = {
            "total": word(at + 0x0E),
            "offset": word(at + 0x14),
            "stride": word(at + 0x16),
            "vf_id": word(at + 0x1A),
        }
    return seen


def bars(chip: Machine, bus: int, dev: int, fn: int = 0) -> tuple[list[dict[str, object]], int | None]:
    """The BARs and the ROM's size, sized by writing ones as a kernel does."""
    at = chip.address(bus, dev, fn)
    header = chip.read32(at + 0x0C) >> 16 & 0x7F
    found: list[dict[str, object]] = []
    index = 0
    while index < (2 if header else 6):
        offset = 0x10 + 4 * index
        low = chip.read32(at + offset)
        mask = chip.writable(bus, dev, fn, offset)
        bar: dict[str, object] = {"index": index}
        index += 1
        if low & 1:
            bar |= {"space": "io", "size": (mask & -mask)}
        elif low & 4:
            mask |= chip.writable(bus, dev, fn, offset + 4) << 32
            bar |= {"space": "mem64", "size": (mask & -mask)}
            index += 1
        else:
            bar |= {"space": "mem32", "size": (mask & -mask)}
        if low & 9 == 8:
            bar["prefetchable"] = True
        if mask:
            found.append(bar)
    mask = chip.writable(bus, dev, fn, 0x38 if header else 0x30, keep=1)
    return found, (mask & -mask) or None
