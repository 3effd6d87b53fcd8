"""Xen's list of host bridges, and which of them a (segment, bus) is routed to (§1.5)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from rootplex.source.place import Place

BUS_SHIFT = 20


class ConfigWindow(Struct, frozen=True):
    """Configuration space of the buses `start`…`end` (inclusive; start > end matches no bus).
    `base` is the CPU address of bus `start`, `size` what is mapped, in bytes."""

    base: int
    size: int
    start: int
    end: int

    def holds_bus(self, bus: int) -> bool:
        return self.start <= bus <= self.end

    def holds_address(self, address: int) -> bool:
        return self.base <= address < self.base + self.size

    def address(self, bus: int, devfn: int, register: int) -> int:
        """The ECAM address; may lie outside the window, which nobody checks."""
        return self.base + ((bus - self.start) << BUS_SHIFT) + (devfn << 12) + register


class XenHostBridge(Struct, frozen=True, eq=False):
    """A host bridge as Xen knows it. `path` is its DT node, or "" where it was registered by
    Dom0 without one. `kind` is `ecam`, or what the 2017 protocol registered."""

    path: str
    segment: int
    root: ConfigWindow
    child: ConfigWindow | None = None
    kind: str = "ecam"
    at: Place | None = None

    @property
    def windows(self) -> tuple[ConfigWindow, ...]:
        return (self.root,) if self.child is None else (self.root, self.child)

    def window_of(self, bus: int) -> ConfigWindow | None:
        """The child window where it holds the bus, else the root window, else None."""
        if self.child is not None and self.child.holds_bus(bus):
            return self.child
        return self.root if self.root.holds_bus(bus) else None


Route = tuple[XenHostBridge, ConfigWindow]


class Routes:
    """The bridge list, in probe order, with a look-up that remembers its answers."""

    __slots__ = ("_known", "bridges")

    def __init__(self, bridges: Iterable[XenHostBridge] = ()) -> None:
        self.bridges: list[XenHostBridge] = list(bridges)
        self._known: dict[tuple[int, int], Route | None] = {}

    def append(self, bridge: XenHostBridge) -> None:
        self.bridges.append(bridge)
        self._known.clear()

    def find(self, segment: int, bus: int) -> XenHostBridge | None:
        """The first bridge of that segment one of whose ranges holds the bus; None: nobody's."""
        route = self.locate(segment, bus)
        return None if route is None else route[0]

    def locate(self, segment: int, bus: int) -> Route | None:
        """The same, with the window that the bus is in."""
        key = (segment, bus)
        if key not in self._known:
            routes = (
                (bridge, window)
                for bridge in self.bridges
                if bridge.segment == segment and (window := bridge.window_of(bus)) is not None
            )
            self._known[key] = next(routes, None)
        return self._known[key]
