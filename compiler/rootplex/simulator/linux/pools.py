"""Address space to give away: stretches of bus addresses, first fit from the low end."""

from __future__ import annotations

from msgspec import Struct, field

GIB_4 = 1 << 32


class Pool(Struct, eq=False):
    """A window that BARs and windows below are placed in. Addresses are bus addresses, `end` is
    inclusive; `cpu_offset` leads to what sysfs shows (CPU address, for I/O the logical port)."""

    io: bool
    prefetchable: bool
    wide: bool
    start: int
    end: int
    cpu_offset: int
    free: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.start <= self.end:
            self.free = [(self.start, self.end)]

    def allocate(self, size: int, align: int, low: int, high: int) -> int | None:
        """The lowest aligned address within low..high that has room, taken; None without."""
        for start, end in self.free:
            address = -(-max(start, low) // align) * align
            if address + size - 1 <= min(end, high):
                self.take(address, size)
                return address
        return None

    def take(self, address: int, size: int) -> bool:
        """Take a given stretch; False where it is not free."""
        last = address + size - 1
        for index, (start, end) in enumerate(self.free):
            if start <= address and last <= end:
                rest = [(start, address - 1), (last + 1, end)]
                self.free[index : index + 1] = [part for part in rest if part[0] <= part[1]]
                return True
        return False


def choices(pools: list[Pool], *, io: bool, prefetchable: bool, wide: bool) -> list[list[Pool]]:
    """The pools to try, step by step (`setup-res.c:__pci_assign_resource`): the same kind, for a
    64-bit prefetchable one then 32-bit prefetchable, then plain memory. What must not be fetched
    ahead never goes into a prefetchable window."""
    if io:
        return [[pool for pool in pools if pool.io]]
    memory = [pool for pool in pools if not pool.io]
    plain = [pool for pool in memory if not pool.prefetchable]
    if not prefetchable:
        return [plain]
    narrow = [pool for pool in memory if pool.prefetchable and not pool.wide]
    if not wide:
        return [narrow, plain]
    return [[pool for pool in memory if pool.prefetchable and pool.wide], narrow, plain]


def allocate(steps: list[list[Pool]], size: int, align: int, *, wide: bool) -> tuple[Pool, int] | None:
    """Place a resource: a 64-bit one above 4 GiB first, then anywhere; others below."""
    limits = ((GIB_4, (1 << 64) - 1), (0, (1 << 64) - 1)) if wide else ((0, GIB_4 - 1),)
    for pools in steps:
        for low, high in limits:
            for pool in pools:
                address = pool.allocate(size, align, low, high)
                if address is not None:
                    return pool, address
    return None
