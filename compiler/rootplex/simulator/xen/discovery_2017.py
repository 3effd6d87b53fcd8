"""The 2017 protocol: Dom0 registers each host bridge with Xen before it scans behind it.

`pci_host_bridge_add {segment, start_bus, end_bus, kind, base, size}` has no implementation to copy
(§7.2 of the reference); it is as the design fixes it. What is registered as ECAM gets traps; a
device must sit on a bus that exactly one registration owns.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.linux.hypervisor import ConfigAccesses, HostBridgeAdd
from rootplex.simulator.xen.access import ConfigAccess, ones
from rootplex.simulator.xen.bridges import BUS_SHIFT, ConfigWindow, Routes, XenHostBridge
from rootplex.simulator.xen.core import Tracer
from rootplex.simulator.xen.traps import Handler, handler_of
from rootplex.source.place import Place

OPERATION = "pci_host_bridge_add"
TRAP_PAGE = 12
"""Accesses are counted by page: one function's registers in ECAM."""


class BridgeKind(Struct, frozen=True):
    """A kind of configuration space. `bytes_per_bus`: what the size must be, None where any will do.
    `trapped`: Xen decodes accesses to it; else what Xen or a guest wants there goes to Dom0, unless
    `own`: Xen reaches it as without the protocol (x86's ports, xen.md §3.3)."""

    bytes_per_bus: int | None
    trapped: bool
    own: bool = False


KINDS = {
    "ecam": BridgeKind(1 << BUS_SHIFT, trapped=True),
    "quirk": BridgeKind(None, trapped=False),
    "cam": BridgeKind(None, trapped=False),
    "windowed": BridgeKind(None, trapped=False),
    "ports": BridgeKind(None, trapped=False, own=True),
}

SWITCHES_PER_TRAP = 2
"""World switches of a trapped access: Dom0 to Xen and back."""
SWITCHES_PER_FORWARD = 2
"""World switches of an access of Xen's own that Dom0 makes for it: Xen to Dom0 and back."""


Unowned: TypeAlias = Literal["unowned-bus", "shared-bus"]
RefusedWhy: TypeAlias = (
    Unowned | Literal["wide-segment", "no-buses", "unknown-kind", "wrong-size", "in-memory", "in-window"]
)


class Refusal(Struct, frozen=True):
    """What the protocol did not let in. `why` a device: it came before its bridge (a bridge of its
    segment and bus was registered later, or never), or two bridges claim its bus; why a bridge (of this
    `call`): what its numbers are, or that another has the bus, or something the address, `at`."""

    what: Literal["device", "bridge"]
    why: RefusedWhy
    result: int
    segment: int
    bus: int
    devfn: int | None = None
    call: HostBridgeAdd | None = None
    at: int = 0


class Registration(Struct, eq=False):
    """A host bridge that Dom0 registered, and what passed there. `untrapped` accesses went by
    before the registration, `trapped` after it; `forwarded` were made by Dom0 for Xen."""

    bridge: XenHostBridge
    kind: BridgeKind
    config: ConfigAccesses
    handler: Handler
    untrapped: int = 0
    trapped: int = 0
    forwarded: int = 0

    @property
    def is_late(self) -> bool:
        """Whether configuration space was touched before Xen knew of it."""
        return self.untrapped > 0

    @property
    def switches(self) -> int:
        """The cost: world switches for traps and forwards."""
        return SWITCHES_PER_TRAP * self.trapped + SWITCHES_PER_FORWARD * self.forwarded


class Discovery(Struct):
    """The protocol's state. `memory` are (base, size) of RAM; `place_of` finds the artifact's node
    (path, place) of a configuration window by its base, ("", None) where there is none."""

    memory: tuple[tuple[int, int], ...]
    place_of: Callable[[int], tuple[str, Place | None]]
    routes: Routes
    registrations: list[Registration] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    contested: set[tuple[int, int]] = field(default_factory=set)
    """Segments' buses that a second bridge claimed."""
    tracer: Tracer | None = None
    pages: Counter[int] = field(default_factory=Counter)
    _owners: dict[tuple[int, int], int] = field(default_factory=dict)
    """Of a segment's bus the index of its registration."""
    _windows: list[tuple[int, int, int]] = field(default_factory=list)
    """(base, end, index) of the registrations' windows, ascending: none overlaps another."""

    def add_bridge(self, call: HostBridgeAdd, config: ConfigAccesses) -> int:
        """0; -EINVAL (segment or bus out of range, start above end, unknown kind, ECAM whose size
        is not its buses'); -EEXIST (a bus of that segment is owned); -EBUSY (overlaps RAM or
        another window)."""
        kind = KINDS.get(call.kind)
        refusal = self._judge(call, kind)
        if refusal is not None:
            if refusal.why == "shared-bus":
                buses = range(call.start_bus, call.end_bus + 1)
                self.contested.update((call.segment, bus) for bus in buses)
            self.refusals.append(refusal)
            return refusal.result
        assert kind is not None
        path, at = self.place_of(call.base)
        window = ConfigWindow(call.base, call.size, call.start_bus, call.end_bus)
        bridge = XenHostBridge(path, call.segment, window, kind=call.kind, at=at)
        handler = handler_of(bridge, bridge.root)
        made = Registration(bridge, kind, config, handler, self._touched(call.base, call.size))
        place = (call.base, call.base + call.size, len(self.registrations))
        self._windows.insert(bisect_left(self._windows, place), place)
        for bus in range(call.start_bus, call.end_bus + 1):
            self._owners[call.segment, bus] = len(self.registrations)
        self.registrations.append(made)
        self.routes.append(bridge)
        return 0

    def _judge(self, call: HostBridgeAdd, kind: BridgeKind | None) -> Refusal | None:
        """Why a bridge is not taken; None where it is."""

        def refused(why: RefusedWhy, error: Errno, at: int = 0) -> Refusal:
            return Refusal("bridge", why, -error, call.segment, call.start_bus, call=call, at=at)

        if not 0 <= call.segment <= 0xFFFF:
            return refused("wide-segment", Errno.EINVAL)
        if not 0 <= call.start_bus <= call.end_bus <= 0xFF:
            return refused("no-buses", Errno.EINVAL)
        if kind is None:
            return refused("unknown-kind", Errno.EINVAL)
        buses = call.end_bus - call.start_bus + 1
        if kind.bytes_per_bus is not None and call.size != buses * kind.bytes_per_bus:
            return refused("wrong-size", Errno.EINVAL)
        asked = range(call.start_bus, call.end_bus + 1)
        owners = [self._owners[call.segment, bus] for bus in asked if (call.segment, bus) in self._owners]
        if owners:
            own = self.registrations[min(owners)].bridge.root
            return refused("shared-bus", Errno.EEXIST, max(own.start, call.start_bus))
        end = call.base + call.size
        ram = next((base for base, size in self.memory if base < end and call.base < base + size), None)
        if ram is not None:
            return refused("in-memory", Errno.EBUSY, ram)
        taken = min(self._overlapping(call.base, end), default=None)
        if taken is not None:
            return refused("in-window", Errno.EBUSY, self.registrations[taken].bridge.root.base)
        return None

    def admit(self, segment: int, bus: int, devfn: int) -> int:
        """Whether a device may be added: 0, or -ENODEV for a bus that no bridge owns yet, and for one
        that a second bridge claimed in vain, since Xen cannot tell whose the device is."""
        contested = (segment, bus) in self.contested
        owned = self.routes.find(segment, bus) is not None
        if owned and not contested:
            return 0
        why: Unowned = "shared-bus" if contested else "unowned-bus"
        self.refusals.append(Refusal("device", why, -Errno.ENODEV, segment, bus, devfn))
        return -Errno.ENODEV

    def passing(self, address: int) -> Registration | None:
        """Count an access of Dom0's: the registration whose trap it hits, None where it goes by."""
        at = bisect_right(self._windows, address, key=lambda each: each[0]) - 1
        made = self.registrations[self._windows[at][2]] if at >= 0 else None
        if made is None or not (made.kind.trapped and made.bridge.root.holds_address(address)):
            self.pages[address >> TRAP_PAGE] += 1
            return None
        made.trapped += 1
        return made

    def _overlapping(self, base: int, end: int) -> Iterator[int]:
        """The indexes of the registrations whose windows have an address of `base` up to `end`."""
        at = bisect_left(self._windows, end, key=lambda each: each[0])
        while at and self._windows[at - 1][1] > base:
            at -= 1
            yield self._windows[at][2]

    def _touched(self, base: int, size: int) -> int:
        """The accesses so far to the pages of a window."""
        first, last = base >> TRAP_PAGE, base + size - 1 >> TRAP_PAGE
        return sum(count for page, count in self.pages.items() if first <= page <= last)

    def owner(self, segment: int, bus: int) -> Registration | None:
        """The registration of one of a segment's buses."""
        index = self._owners.get((segment, bus))
        return None if index is None else self.registrations[index]


class RegisteredAccess:
    """Xen's accesses under the 2017 protocol: to registered ECAM by itself, to any other kind of
    bridge through Dom0 (counted), and where nothing is registered as `otherwise` has it."""

    def __init__(self, discovery: Discovery, ecam: ConfigAccess, otherwise: ConfigAccess) -> None:
        self._discovery = discovery
        self._ecam = ecam
        self._otherwise = otherwise

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int:
        made = self._made(segment, bus)
        if made is None:
            return self._otherwise.read(segment, bus, devfn, register, size)
        if made.kind.trapped:
            return self._ecam.read(segment, bus, devfn, register, size)
        made.forwarded += 1
        value = made.config.read(bus, devfn, register, size) & ones(size)
        self._trace("forward-read", segment, bus, devfn, register, size, value)
        return value

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        made = self._made(segment, bus)
        if made is None:
            self._otherwise.write(segment, bus, devfn, register, size, value)
            return
        if made.kind.trapped:
            self._ecam.write(segment, bus, devfn, register, size, value)
            return
        made.forwarded += 1
        self._trace("forward-write", segment, bus, devfn, register, size, value)
        made.config.write(bus, devfn, register, size, value)

    def _made(self, segment: int, bus: int) -> Registration | None:
        """The registration by which Xen reaches a bus; None where it needs none."""
        made = self._discovery.owner(segment, bus)
        return None if made is None or made.kind.own else made

    def _trace(
        self, kind: str, segment: int, bus: int, devfn: int, register: int, size: int, value: int
    ) -> None:
        if self._discovery.tracer is not None:
            at = segment << 28 | bus << 20 | devfn << 12 | register
            self._discovery.tracer(kind, at, size, value)


class Nowhere:
    """Configuration space behind no bridge at all: all ones, writes dropped."""

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int:
        return ones(size)

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        return
