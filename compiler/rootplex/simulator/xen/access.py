"""Xen's own configuration accesses: on Arm through its bridge list (§1.5), on x86 through ports and
MCFG (§3.3). An access that faults inside Xen is the end of Xen (`Stopped`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rootplex.simulator.hardware import BusError
from rootplex.simulator.linux.hypervisor import ConfigAccesses, Machine
from rootplex.simulator.xen.bridges import ConfigWindow, Routes, XenHostBridge
from rootplex.simulator.xen.mcfg import McfgWindows
from rootplex.simulator.xen.outcome import stop

CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC
PAGE = 4096


def ones(size: int) -> int:
    """What `size` bytes of nothing read as on PCI."""
    return (1 << 8 * size) - 1


class ConfigAccess(Protocol):
    """Configuration space by (segment, bus, devfn): sizes 1, 2, 4, naturally aligned."""

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int: ...

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None: ...


OutboundWindow = Callable[[int], ConfigAccesses]
"""What a DesignWare bridge's outbound window shows once it has been set to a function, by the CPU address of
the bridge's child window."""


class EcamAccess:
    """Arm. No bridge for (segment, bus): reads give 0, writes vanish. Outside what the bridge's
    window maps, or where the hardware does not answer the bus cycle: data abort in Xen.

    A child window is the DesignWare path: it refuses unaligned accesses (0) and goes through
    `outbound`; without one nothing answers there.
    """

    def __init__(self, routes: Routes, machine: Machine, outbound: OutboundWindow | None = None) -> None:
        self.routes = routes
        self._machine = machine
        self._outbound = outbound

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int:
        route = self.routes.locate(segment, bus)
        if route is None:
            return 0
        bridge, window = route
        if window is bridge.child:
            if register % size or self._outbound is None:
                return 0 if register % size else ones(size)
            return self._outbound(window.base).read(bus, devfn, register, size)
        address = self._mapped(bridge, window, bus, devfn, register)
        try:
            return self._machine.read(address, size)
        except BusError:
            raise _abort(bridge, address) from None

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        route = self.routes.locate(segment, bus)
        if route is None:
            return
        bridge, window = route
        if window is bridge.child:
            if register % size == 0 and self._outbound is not None:
                self._outbound(window.base).write(bus, devfn, register, size, value)
            return
        address = self._mapped(bridge, window, bus, devfn, register)
        try:
            self._machine.write(address, size, value)
        except BusError:
            raise _abort(bridge, address) from None

    def _mapped(
        self, bridge: XenHostBridge, window: ConfigWindow, bus: int, devfn: int, register: int
    ) -> int:
        """The CPU address that an access comes to. Xen maps the bridges' windows one behind the other
        with a page between (`vm_alloc`), and does not look whether a function lies in its window:
        beyond it comes the next bridge's, or nothing, which is Xen's data abort."""
        address = window.address(bus, devfn, register)
        pages = address // PAGE - window.base // PAGE
        if 0 <= pages < pages_of(window):
            return address
        windows = [one for each in self.routes.bridges for one in each.windows]
        here = next(index for index, one in enumerate(windows) if one is window)
        for one in windows[here:]:
            if 0 <= pages < pages_of(one):
                return (one.base // PAGE + pages) * PAGE + address % PAGE
            pages -= pages_of(one) + 1
        raise stop(
            "data abort",
            f"configuration space of {bridge.segment:04x}:{bus:02x} at {address:#x} lies outside the mapped "
            f"window {window.base:#x}+{window.size:#x}",
            "§1.5, XP-13",
            bridge.at,
        )


def pages_of(window: ConfigWindow) -> int:
    """How many pages a window's mapping has."""
    return -(-(window.base % PAGE + window.size) // PAGE)


def _abort(bridge: XenHostBridge, address: int) -> Exception:
    cause = f"nothing answers at {address:#x} in the configuration window of segment {bridge.segment:04x}"
    return stop("data abort", cause, "§1.5", bridge.at)


class PortAccess:
    """x86. Segment 0 below register 256: the ports 0xcf8/0xcfc; everything else: an enabled MCFG
    window. Without one: all ones, writes dropped."""

    def __init__(self, windows: McfgWindows, machine: Machine) -> None:
        self.windows = windows
        self._machine = machine

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int:
        if segment == 0 and register < 256:
            self._select(bus, devfn, register)
            return self._machine.port_read(CONFIG_DATA + register % 4, size)
        base = self.windows.base_of(segment, bus)
        if base is None:
            return ones(size)
        try:
            return self._machine.read(base + (bus << 20 | devfn << 12 | register), size)
        except BusError:
            return ones(size)

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        if segment == 0 and register < 256:
            self._select(bus, devfn, register)
            self._machine.port_write(CONFIG_DATA + register % 4, size, value)
            return
        base = self.windows.base_of(segment, bus)
        if base is None:
            return
        try:
            self._machine.write(base + (bus << 20 | devfn << 12 | register), size, value)
        except BusError:
            return

    def _select(self, bus: int, devfn: int, register: int) -> None:
        self._machine.port_write(CONFIG_ADDRESS, 4, 1 << 31 | bus << 16 | devfn << 8 | register & 0xFC)
