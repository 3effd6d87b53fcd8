"""What must stay together whatever Linux and Xen say (xen.md §10, partition 3).

A union of: (a) functions that share a requester or stream id; (b) everything below a port that
does not isolate; (c) the functions of a multi-function device that lacks RR or CR; (d) functions
that a phantom function's id collides with; (e) functions with BARs in one 4 KiB page.

Stricter than Linux in three points: an ACS bit of a port that is not on counts as missing even where
the capability does not offer it; one function without RR and CR reaches all others of its device;
and a downstream port that does not isolate opens its whole switch, since it lets requests through to
the ports beside it (Linux up to 7.2 splits there, §5.8 does not). A port is in the group of what is
below it, as in Linux's groups, so that this partition is never finer than Linux's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from rootplex.simulator.firmware.routing.aliases import dma_aliases
from rootplex.simulator.firmware.routing.routes import DeviceStreams
from rootplex.simulator.function import ACS_CR, ACS_REQUIRED, ACS_RR, DOWNSTREAM, UPSTREAM, Bus, Function
from rootplex.simulator.groups.acs import (
    ALWAYS_ASKED,
    Acs,
    alone_reason,
    bit_names,
    function_reason,
    port_reason,
)
from rootplex.simulator.groups.grouping import GroupBuilder, Grouping
from rootplex.simulator.groups.reason import Lack, Reason

PAGE_BITS = 12
PEER_BITS = bit_names(ACS_RR | ACS_CR)


def safe_groups(
    functions: Sequence[Function],
    streams: Callable[[Function], DeviceStreams] | None = None,
    phantoms: Mapping[Function, Sequence[int]] | None = None,
) -> Grouping:
    """The safe partition of all functions, in discovery order. `streams`: where their requester ids
    go, where there is an IOMMU; `phantoms`: the requester ids of a function's phantom functions."""
    union = _Union(functions)
    acs = _Strict()
    for joins in (
        _requesters(functions, phantoms or {}),
        _streams(functions, streams) if streams is not None else (),
        _ports(functions, acs),
        _devices(functions, acs),
        _pages(functions),
    ):
        for join in joins:
            union.join(join)
    return union.grouping(functions, acs)


class _Join(Struct, frozen=True):
    """Two functions that belong together, and the facts that say so."""

    one: Function
    other: Function
    reasons: tuple[Reason, ...]


class _Strict(Acs):
    """A port's bit that is not on is missing, offered or not."""

    def _lack(self, function: Function) -> Lack | None:
        lack = super()._lack(function)
        if lack is not None or function.acs is None or self.answers_yes(function):
            return lack
        if function.pcie_type not in ALWAYS_ASKED:
            return None
        missing = ACS_REQUIRED & ~function.acs[1]
        return Lack("acs-not-offered", bit_names(missing)) if missing else None


class _Union:
    """Disjoint sets of functions (union by size, path halving)."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self._up = {function: function for function in functions}
        self._size = dict.fromkeys(self._up, 1)
        self._reasons: dict[Reason, Function] = {}

    def join(self, join: _Join) -> None:
        for reason in join.reasons:
            self._reasons.setdefault(reason, join.one)
        one, other = self._top(join.one), self._top(join.other)
        if one is other:
            return
        if self._size[one] < self._size[other]:
            one, other = other, one
        self._up[other] = one
        self._size[one] += self._size[other]

    def grouping(self, functions: Sequence[Function], acs: Acs) -> Grouping:
        made = GroupBuilder()
        number: dict[Function, int] = {}
        for function in functions:
            top = self._top(function)
            if top not in number:
                number[top] = made.new()
            made.put(function, number[top])
        for reason, member in self._reasons.items():
            made.because(number[self._top(member)], [reason])
        for group, function in made.singles():
            made.because(group, [alone_reason(function, acs)])
        return made.grouping("safe", functions)

    def _top(self, function: Function) -> Function:
        up = self._up
        while up[function] is not function:
            up[function] = up[up[function]]
            function = up[function]
        return function


def _requesters(functions: Iterable[Function], phantoms: Mapping[Function, Sequence[int]]) -> Iterable[_Join]:
    """(a), (d): by requester id within a segment. A bridge belongs to what goes out in its name."""
    users: dict[tuple[int, int], Function] = {}
    bridges: dict[tuple[Function, int], Reason] = {}
    for function in functions:
        for owner, rid in (*dma_aliases(function), *((function, rid) for rid in phantoms.get(function, ()))):
            first = users.setdefault((function.segment, rid), function)
            if owner is not function:
                if (owner, rid) not in bridges:
                    bridges[owner, rid] = Reason(owner, "bridge-alias", "puts-its-id", id=rid)
                yield _Join(function, owner, (bridges[owner, rid],))
                yield _Join(function, first, (bridges[owner, rid],))
            elif first is not function:
                reason = Reason(function, "fixed-alias", "same-id", id=rid, other=first)
                yield _Join(function, first, (reason,))


def _streams(functions: Iterable[Function], streams: Callable[[Function], DeviceStreams]) -> Iterable[_Join]:
    """(a): by StreamID, whether or not the IOMMU's driver would take both."""
    users: dict[tuple[str, int], Function] = {}
    for function in functions:
        for route in streams(function).routes:
            if route.unit is None or route.id is None:
                continue
            first = users.setdefault((route.unit.name, route.id), function)
            if first is not function:
                reason = Reason(function, "stream", id=route.id, unit=route.unit.name, other=first)
                yield _Join(function, first, (reason,))


def _ports(functions: Sequence[Function], acs: Acs) -> Iterable[_Join]:
    """(b): what is below a port, bridge or switch that does not isolate."""
    open_ports: dict[Bus, tuple[Function, Reason]] = {}
    for function in functions:
        if function.pcie_type == DOWNSTREAM and function.bus not in open_ports:
            lack = acs.lack(function)
            bridge = function.bus.bridge
            if lack is not None and bridge is not None and bridge.pcie_type == UPSTREAM:
                open_ports[function.bus] = function, Reason(function, "switch", "other-ports", lack=lack)
    tops: dict[Bus, tuple[Function, Reason] | None] = {}
    for function in functions:
        top = _open_above(function.bus, acs, open_ports, tops)
        if top is not None:
            yield _Join(function, top[0], (top[1],))


def _open_above(
    bus: Bus,
    acs: Acs,
    open_ports: Mapping[Bus, tuple[Function, Reason]],
    tops: dict[Bus, tuple[Function, Reason] | None],
) -> tuple[Function, Reason] | None:
    """The function nearest the root bus that opens a bus, with the reason; None: nothing does."""
    way = []
    at: Bus | None = bus
    while at is not None and at not in tops:
        way.append(at)
        at = at.parent
    answer = None if at is None else tops[at]
    for passed in reversed(way):
        bridge = passed.bridge
        lack = None if bridge is None else acs.lack(bridge)
        if answer is None and bridge is not None and lack is not None:
            answer = bridge, port_reason(bridge, lack)
        if answer is None:
            answer = open_ports.get(passed)
        tops[passed] = answer
    return answer


def _devices(functions: Iterable[Function], acs: Acs) -> Iterable[_Join]:
    """(c): by device; with ARI all functions of a bus are one."""
    devices: dict[tuple[Bus, int], list[Function]] = {}
    for function in functions:
        if function.physfn is None:
            bridge = function.bus.bridge
            slot = 0 if bridge is not None and bridge.ari_forwarding else function.devfn >> 3
            devices.setdefault((function.bus, slot), []).append(function)
    for members in devices.values():
        if len(members) == 1:
            continue
        reasons = tuple(
            function_reason(function, lack)
            for function in members
            if (lack := _peer_lack(function, acs) or acs.lack(function)) is not None
        )
        if reasons:
            for function in members[1:]:
                yield _Join(members[0], function, reasons)


def _peer_lack(function: Function, acs: Acs) -> Lack | None:
    """What lets a function's requests reach the other functions of its device."""
    if acs.answers_yes(function):
        return None
    if function.acs is None:
        return Lack("conventional" if function.pcie_type is None else "acs-absent", PEER_BITS)
    missing = (ACS_RR | ACS_CR) & ~function.acs[1]
    if not missing:
        return None
    offered = missing & function.acs[0]
    return Lack("acs-off", bit_names(missing)) if offered else Lack("acs-not-offered", bit_names(missing))


def _pages(functions: Iterable[Function]) -> Iterable[_Join]:
    """(e): memory BARs, sorted by address, so that those of one page are neighbours."""
    spans = sorted(
        (first >> PAGE_BITS, last >> PAGE_BITS, number, function)
        for number, (first, last, function) in enumerate(_memory(functions))
    )
    holder: Function | None = None
    end = -1
    for first_page, last_page, _, function in spans:
        if holder is not None and first_page <= end and holder is not function:
            yield _Join(function, holder, (Reason(function, "bar-page", other=holder),))
        if last_page > end:
            holder, end = function, last_page


def _memory(functions: Iterable[Function]) -> Iterable[tuple[int, int, Function]]:
    """(first, last CPU address, owner) of each assigned memory BAR. A PF's VF BARs (7-12) lie one
    after the other, one for each VF."""
    for function in functions:
        for bar in function.bars:
            if bar.space == "io" or bar.cpu is None or not bar.size:
                continue
            owners = [function] if bar.index <= 6 else function.virtual_functions
            for place, owner in enumerate(owners):
                if owner is function or not owner.bars:
                    first = bar.cpu + place * bar.size
                    yield first, first + bar.size - 1, owner
