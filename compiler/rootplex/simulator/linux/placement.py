"""Placement of BARs and bridge windows (linux.md §4.8; `setup-bus.c`).

Windows are sized from the leaves up, resources placed from the root down: by alignment, largest
first, then in order of discovery, each at the lowest address that fits. ROMs, VF BARs and the room
that hot-plug ports ask for are optional: where something does not fit, all of it is done again
without them, and they get what is left. What found no room is reported. Addresses are those of a
sensible kernel, not bit for bit a given version's.
"""

from __future__ import annotations

from msgspec import Struct, field

from rootplex.formats.pci import SriovRegister
from rootplex.simulator.function import Bar, Bus, Function
from rootplex.simulator.linux import pools, windows
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.bars import FIRST_VF_INDEX, ROM_INDEX, ROM_REGISTER
from rootplex.simulator.linux.pools import Pool
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.simulator.linux.state import Unplaced

FIRST_PORT = 0x1000
"""Logical I/O ports below this are not given away (PCIBIOS_MIN_IO)."""

HOTPLUG_ROOM = {"io": 256, "mem": 2 << 20, "pref32": 2 << 20, "pref64": 2 << 20}
CLASS_NONE, CLASS_HOST = 0x0000, 0x0600
STEP = {
    "io": windows.IO_STEP,
    "mem": windows.MEMORY_STEP,
    "pref32": windows.MEMORY_STEP,
    "pref64": windows.MEMORY_STEP,
}


class Need(Struct, eq=False):
    """Something to place on a bus: a BAR, or (with `kind`) a bridge's window and what is in it."""

    function: Function
    size: int
    align: int
    io: bool
    prefetchable: bool
    wide: bool
    optional: bool = False
    bar: Bar | None = None
    kind: str = ""
    inner: list[Need] = field(default_factory=list)
    place: tuple[Pool, int] | None = None


class Placement:
    """Places everything behind one root bridge and writes it to the registers.

    `keep`: what firmware placed stays where it fits; `assign`: the rest is placed too.
    """

    def __init__(self, root: RootBridge, access: Accessor, bus: Bus, *, keep: bool, assign: bool) -> None:
        self._root = root
        self._access = access
        self._bus = bus
        self._keep = keep
        self._assign = assign
        self.unplaced: list[Unplaced] = []

    def run(self) -> list[Unplaced]:
        """Place, write, and report what found no room."""
        needs = self._attempt(optional=True)
        if self._assign and any(need.size and need.place is None for need in _flat(needs)):
            needs = self._attempt(optional=False)
        for need in _flat(needs):
            self._commit(need)
        return self.unplaced

    def _attempt(self, *, optional: bool) -> list[Need]:
        needs = self._needs(self._bus, optional)
        own = _host_pools(self._root)
        spare: list[tuple[Need, list[Pool]]] = []
        self._fill(needs, own, optional, spare)
        # Without the optional parts everything that must be has its place: now they may try.
        if self._assign:
            for need, around in sorted(spare, key=lambda entry: -entry[0].align):
                _place(need, around)
        return needs

    # Sizing, from the leaves up

    def _needs(self, bus: Bus, optional: bool) -> list[Need]:
        found: list[Need] = []
        for function in bus.functions:
            if function.physfn is not None or function.class_code >> 8 in (CLASS_NONE, CLASS_HOST):
                continue
            found += [_bar_need(function, bar) for bar in function.bars]
            child = function.child_bus
            if function.windows and child is not None and child.bridge is function:
                found += self._window_needs(function, self._needs(child, optional), optional)
        return found

    def _window_needs(self, bridge: Function, inner: list[Need], optional: bool) -> list[Need]:
        """The bridge's windows with what goes into each; sizes count optional parts only if told."""
        split: dict[str, list[Need]] = {kind: [] for kind in bridge.windows}
        homeless = Need(bridge, 0, 1, False, False, False, kind="none")
        for need in inner:
            kind = _window_for(need, bridge.windows)
            if kind is None:
                homeless.inner.append(need)
            else:
                split[kind].append(need)
        found = [homeless] if homeless.inner else []
        for kind, members in split.items():
            counted = [need for need in members if optional or not need.optional]
            size = _packed(counted)
            if bridge.hotplug and optional:
                size += HOTPLUG_ROOM[kind]
            step = STEP[kind]
            size = -(-size // step) * step
            align = max([step, *(need.align for need in counted if need.size)])
            prefetchable, wide = kind.startswith("pref"), kind == "pref64"
            found.append(
                Need(bridge, size, align, kind == "io", prefetchable, wide, kind=kind, inner=members)
            )
        return found

    # Placing, from the root down

    def _fill(
        self, needs: list[Need], around: list[Pool], optional: bool, spare: list[tuple[Need, list[Pool]]]
    ) -> None:
        if self._keep:
            for need in needs:
                self._claim(need, around)
        if self._assign:
            for need in sorted(needs, key=lambda need: -need.align):
                if need.place is not None or not need.size:
                    continue
                if need.optional and not optional:
                    spare.append((need, around))
                else:
                    _place(need, around)
        below: dict[Function, list[Pool]] = {}
        for need in needs:
            if need.kind and need.place is not None:
                below.setdefault(need.function, []).append(_window_pool(need))
        inner: dict[Function, list[Need]] = {}
        for need in needs:
            if need.kind:
                inner.setdefault(need.function, []).extend(need.inner)
        for bridge, members in inner.items():
            self._fill(members, below.get(bridge, []), optional, spare)

    def _claim(self, need: Need, around: list[Pool]) -> None:
        """Keep what firmware placed, where it lies inside a pool and is free."""
        if need.bar is not None:
            address, size = need.bar.pci, need.size
            if address is None:
                return
        else:
            number, devfn = need.function.bus.number, need.function.devfn
            window = None if need.kind == "none" else windows.read(self._access, number, devfn, need.kind)
            if window is None:
                return
            address, size = window[0], window[1] - window[0] + 1
        for step in pools.choices(around, io=need.io, prefetchable=need.prefetchable, wide=need.wide):
            for pool in step:
                if pool.take(address, size):
                    need.size = size
                    need.place = (pool, address)
                    return

    # The result

    def _commit(self, need: Need) -> None:
        number, devfn = need.function.bus.number, need.function.devfn
        if need.bar is None:
            if need.kind != "none":
                window = None if need.place is None else (need.place[1], need.place[1] + need.size - 1)
                windows.write(self._access, number, devfn, need.kind, window)
            return
        bar = need.bar
        if need.place is None:
            bar.pci = bar.cpu = None
            self.unplaced.append(Unplaced(need.function, bar))
            return
        pool, address = need.place
        bar.pci, bar.cpu = address, address + pool.cpu_offset
        register = _register(need.function, bar)
        if register is None:
            return
        self._access.write(number, devfn, register, 4, address & 0xFFFFFFFF)
        if bar.space == "mem64":
            self._access.write(number, devfn, register + 4, 4, address >> 32)


def place_virtual(function: Function, index: int) -> None:
    """The BARs of a VF: slices of its PF's VF BARs."""
    assert function.physfn is not None
    for bar in function.physfn.bars:
        if bar.index >= FIRST_VF_INDEX:
            own = Bar(bar.index - FIRST_VF_INDEX, bar.space, bar.prefetchable, bar.size)
            own.pci = None if bar.pci is None else bar.pci + index * bar.size
            own.cpu = None if bar.cpu is None else bar.cpu + index * bar.size
            function.bars.append(own)


def _bar_need(function: Function, bar: Bar) -> Need:
    size = bar.size
    if bar.index >= FIRST_VF_INDEX and function.sriov is not None:
        size *= function.sriov.total
    optional = bar.index >= ROM_INDEX
    return Need(
        function, size, bar.size, bar.space == "io", bar.prefetchable, bar.space == "mem64", optional, bar
    )


def _register(function: Function, bar: Bar) -> int | None:
    if bar.index < ROM_INDEX:
        return 0x10 + 4 * bar.index
    if bar.index == ROM_INDEX:
        return ROM_REGISTER[function.header]
    return (
        None
        if function.sriov is None
        else function.sriov.capability + SriovRegister.VF_BARS + 4 * (bar.index - FIRST_VF_INDEX)
    )


def _window_for(need: Need, kinds: tuple[str, ...]) -> str | None:
    """Which of a bridge's windows a resource below goes into, or None where it has none for it."""
    if need.io:
        return "io" if "io" in kinds else None
    if need.prefetchable and need.wide and "pref64" in kinds:
        return "pref64"
    if need.prefetchable and "pref32" in kinds:
        return "pref32"
    return "mem"


def _packed(needs: list[Need]) -> int:
    """Bytes that resources take one after the other, the largest alignment first."""
    offset = 0
    for need in sorted(needs, key=lambda need: -need.align):
        if need.size:
            offset = -(-offset // need.align) * need.align + need.size
    return offset


def _place(need: Need, around: list[Pool]) -> None:
    steps = pools.choices(around, io=need.io, prefetchable=need.prefetchable, wide=need.wide)
    need.place = pools.allocate(steps, need.size, need.align, wide=need.wide)


def _host_pools(root: RootBridge) -> list[Pool]:
    found = []
    for window in root.windows:
        io = window.space == "io"
        offset = (window.port if io else window.cpu) - window.pci
        first, last = window.pci, window.pci + window.size - 1
        if io and first + offset == 0:
            first += FIRST_PORT
        found.append(Pool(io, window.prefetchable, False, first, last, offset))
    return found


def _window_pool(need: Need) -> Pool:
    assert need.place is not None
    pool, address = need.place
    return Pool(need.io, need.prefetchable, need.wide, address, address + need.size - 1, pool.cpu_offset)


def _flat(needs: list[Need]) -> list[Need]:
    """All needs that want room, each bridge's windows before what is in them."""
    found: list[Need] = []
    stack = list(reversed(needs))
    while stack:
        need = stack.pop()
        if need.size or need.kind:
            found.append(need)
        stack.extend(reversed(need.inner))
    return found
