"""Configuration accesses of Dom0 on their way through Xen: trapped, decoded, routed (§1.7, §6).

| mode | trapped | an access that is no good | no such bus |
|---|---|---|---|
| Arm, vPCI off | nothing | the hardware's word | the hardware's word |
| Arm, vPCI on | every bridge's windows | data abort in Dom0 | 0 |
| x86 PVH | MCFG's and registered areas, ports | all ones, ignored | all ones |
| 2017 | registered ECAM | data abort in Dom0 | the hardware's word |
"""

from __future__ import annotations

from bisect import bisect_right

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.hardware import BusError
from rootplex.simulator.xen.access import ConfigAccess, ones
from rootplex.simulator.xen.bridges import BUS_SHIFT, ConfigWindow, XenHostBridge

SIZES = (1, 2, 4, 8)
CONFIG_SPACE = 4096


class Target(Struct, frozen=True):
    """What an access asks for: `register` is the byte in the function's configuration space."""

    segment: int
    bus: int
    devfn: int
    register: int


class Handler(Struct, frozen=True, order=True):
    """A trap over [base, base + size): the buses of `segment` from `start` on."""

    base: int
    size: int
    segment: int
    start: int

    def decode(self, address: int) -> Target:
        """§1.7: the register is the low 12 bits of the *address*, so an unaligned window decodes
        the wrong registers; the bus wraps at 256."""
        bdf = address - self.base >> 12 & 0xFFFF
        return Target(self.segment, self.start + (bdf >> 8) & 0xFF, bdf & 0xFF, address & 0xFFF)


def is_allowed(register: int, size: int) -> bool:
    """Sizes 1, 2, 4, 8, naturally aligned, within one function's configuration space."""
    return size in SIZES and register % size == 0 and register + size <= CONFIG_SPACE


class Traps(Struct):
    """The handlers of one domain, sorted; they are searched as if they could not overlap."""

    handlers: list[Handler] = field(default_factory=list)

    def place(self, bridge: XenHostBridge) -> None:
        """One handler for each window of a bridge."""
        for window in bridge.windows:
            self.add(handler_of(bridge, window))

    def add(self, handler: Handler) -> None:
        self.handlers.append(handler)
        self.handlers.sort()

    def find(self, address: int) -> Handler | None:
        """The handler that holds the address."""
        index = bisect_right(self.handlers, address, key=lambda handler: handler.base) - 1
        if index < 0:
            return None
        handler = self.handlers[index]
        return handler if address < handler.base + handler.size else None

    def register_area(self, address: int, segment: int, start: int, end: int) -> int:
        """`register_vpci_mmcfg_handler` (PVH, §3.2): 0 (also for an identical one), -EINVAL
        (start above end), -EEXIST (overlaps a different one)."""
        if start > end:
            return -Errno.EINVAL
        base, size = address + (start << BUS_SHIFT), end - start + 1 << BUS_SHIFT
        made = Handler(base, size, segment, start)
        for handler in self.handlers:
            if handler == made:
                return 0
            if handler.base < base + size and base < handler.base + handler.size:
                return -Errno.EEXIST
        self.add(made)
        return 0


def handler_of(bridge: XenHostBridge, window: ConfigWindow) -> Handler:
    return Handler(window.base, window.size, bridge.segment, window.start)


def trapped_read(path: ConfigAccess, target: Target, size: int) -> int | None:
    """The value of a trapped read; None: not allowed, which the mode turns into its abort or ones.
    Eight bytes are two reads, the low half first."""
    if not is_allowed(target.register, size):
        return None
    at = (target.segment, target.bus, target.devfn)
    if size < 8:
        return path.read(*at, target.register, size)
    low = path.read(*at, target.register, 4)
    return low | path.read(*at, target.register + 4, 4) << 32


def trapped_write(path: ConfigAccess, target: Target, size: int, value: int) -> bool:
    """Whether a trapped write was allowed, and done."""
    if not is_allowed(target.register, size):
        return False
    at = (target.segment, target.bus, target.devfn)
    path.write(*at, target.register, min(size, 4), value & ones(min(size, 4)))
    if size == 8:
        path.write(*at, target.register + 4, 4, value >> 32)
    return True


def abort(address: int, size: int) -> BusError:
    """The data abort that Xen injects into Dom0."""
    return BusError(address, size, "Xen injects a data abort")
