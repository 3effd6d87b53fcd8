"""The window registers of a type 1 header (PCI-to-PCI Bridge 1.2 §3.2.5.6-3.2.5.9)."""

from __future__ import annotations

from rootplex.simulator.linux.access import Accessor

IO_BASE, MEMORY_BASE, PREFETCH_BASE = 0x1C, 0x20, 0x24
PREFETCH_BASE_UPPER, PREFETCH_LIMIT_UPPER, IO_UPPER = 0x28, 0x2C, 0x30
IO_STEP, MEMORY_STEP = 1 << 12, 1 << 20

Window = tuple[int, int]
"""First and last bus address."""


def read(access: Accessor, bus: int, devfn: int, kind: str) -> Window | None:
    """What a window holds as it stands: `io`, `mem`, `pref32`, `pref64`; None for a closed one, and
    for one whose base is 0, which firmware has not set."""
    if kind == "io":
        value = access.read(bus, devfn, IO_BASE, 2)
        base, limit = (value & 0xF0) << 8, value & 0xF000
        if value & 0xF == 1:
            upper = access.read(bus, devfn, IO_UPPER, 4)
            base, limit = base | (upper & 0xFFFF) << 16, limit | (upper >> 16) << 16
        step = IO_STEP
    else:
        value = access.read(bus, devfn, MEMORY_BASE if kind == "mem" else PREFETCH_BASE, 4)
        base, limit = (value & 0xFFF0) << 16, value & 0xFFF00000
        if kind == "pref64":
            base |= access.read(bus, devfn, PREFETCH_BASE_UPPER, 4) << 32
            limit |= access.read(bus, devfn, PREFETCH_LIMIT_UPPER, 4) << 32
        step = MEMORY_STEP
    return (base, limit + step - 1) if 0 < base <= limit else None


def write(access: Accessor, bus: int, devfn: int, kind: str, window: Window | None) -> None:
    """Set a window, or close it (base above limit), as `setup-bus.c:pci_setup_bridge` does."""
    if kind == "io":
        value = 0x00F0 if window is None else window[0] >> 8 & 0xF0 | window[1] & 0xF000
        upper = 0 if window is None else window[0] >> 16 & 0xFFFF | window[1] & 0xFFFF0000
        access.write(bus, devfn, IO_BASE, 2, value)
        access.write(bus, devfn, IO_UPPER, 4, upper)
        return
    register = MEMORY_BASE if kind == "mem" else PREFETCH_BASE
    value = 0x0000FFF0 if window is None else window[0] >> 16 & 0xFFF0 | window[1] & 0xFFF00000
    access.write(bus, devfn, register, 4, value & 0xFFFFFFFF)
    if kind == "pref64":
        access.write(bus, devfn, PREFETCH_BASE_UPPER, 4, 0 if window is None else window[0] >> 32)
        access.write(bus, devfn, PREFETCH_LIMIT_UPPER, 4, 0 if window is None else window[1] >> 32)
