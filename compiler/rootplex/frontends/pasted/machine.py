"""One machine of all that was pasted of it: its functions, joined by their addresses, below the root buses
that the texts tell of. What no text tells is not made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rootplex.capture.pasted.facts import (
    RANK,
    Form,
    Forwarded,
    Log,
    Paste,
    PastedBar,
    PastedFunction,
    PastedGroup,
    PastedRoot,
    Shown,
    Where,
    called,
)
from rootplex.formats.pci import ACS_BITS, ExtendedCapability
from rootplex.frontends.configspace import Config, read_config, register_keys
from rootplex.known.kernels import profile_of
from rootplex.source.finding import unreadable
from rootplex.source.place import Span

_CARDBUS = 0x0607
HOST_BRIDGE = 0x0600
"""Class codes."""
_SEGMENTS = 0x10000
_HEADER, _CONVENTIONAL, _EXTENDED = 64, 256, 4096
_DEEPEST = 64  # buses below each other
_VFS = 1 << 18  # virtual functions that are looked for, of all physical ones together
FUNCTIONS = 1 << 13
"""Functions of one machine."""
_NO_PARENT = "no text tells which bridge bus"


class Merged(Struct, frozen=True, kw_only=True):
    """One function by all texts. `owned`: it is a virtual one of a function that is described."""

    where: Where
    place: Span
    shown: Shown
    keys: Mapping[str, object]
    bridge: bool | None
    buses: tuple[int, int | None] | None
    virtual: bool
    owned: bool = False
    amd: bool = False
    acs_off: tuple[str, ...] = ()
    bars: tuple[PastedBar, ...] = ()
    rom: int = 0
    forwards: tuple[Forwarded, ...] = ()

    @property
    def name(self) -> str:
        return called(self.where)

    @property
    def isolation_known(self) -> bool:
        return self.shown == "whole"


ROOTS_LIMIT = 1_024
"""Of one machine; big ones have some sixty."""


class PastedMachine(Struct, frozen=True, kw_only=True):
    """One machine by all of its pastes. `below` are the functions that are reached, by the bus that they are
    on; `roots` the root buses; `unplaced` the functions that are not described, with why;
    `firmware` the files of the board's firmware, where there is one beside the texts."""

    files: tuple[str, ...]
    forms: frozenset[Form]
    functions: Mapping[Where, Merged]
    roots: tuple[tuple[int, int], ...]
    bridges: Mapping[tuple[int, int], Where]
    unplaced: Mapping[Where, str]
    open_bridges: frozenset[Where]
    told_roots: tuple[PastedRoot, ...]
    groups: tuple[PastedGroup, ...]
    log: Log
    by_bus: Mapping[tuple[int, int], Sequence[Merged]]
    below: Mapping[Where, tuple[int, ...]]
    firmware: frozenset[str] = frozenset()

    @property
    def place(self) -> Span:
        for each in self.functions.values():
            return each.place
        for group in self.groups:
            return group.place
        for root in self.told_roots:
            return root.place
        return Span(self.files[0], 1, 1, 1, 2)

    @property
    def kernel(self) -> str | None:
        """The profile of the kernel that ran, where the log tells."""
        return None if self.log.release is None else profile_of(self.log.release)

    def on(self, segment: int, bus: int) -> Sequence[Merged]:
        """The functions of a bus, by devfn."""
        return self.by_bus.get((segment, bus), ())


def machine_of_pastes(pastes: Sequence[Paste]) -> PastedMachine:
    """All texts of one machine, joined by address."""
    logs = [each.log for each in pastes if "log" in each.forms]
    log = max(logs, key=lambda each: (each.whole, each.release is not None), default=Log())
    functions = _merged(pastes)
    told = tuple(root for each in pastes for root in each.roots)
    parents: dict[tuple[int, int], Where] = {}
    for each in functions.values():
        segment, bus, _ = each.where
        if each.buses is not None and each.buses[0] > bus:
            parents.setdefault((segment, each.buses[0]), each.where)
    for paste in pastes:
        for child, above in paste.parents.items():
            if above in functions and child != above[:2]:
                parents.setdefault(child, above)
    roots = _roots(functions, parents, told)
    if len(roots) > ROOTS_LIMIT:
        raise unreadable(pastes[0].file, f"pasted text of more than {ROOTS_LIMIT:,} root buses")
    reached = set(_reached(functions, parents, roots))
    unplaced = dict(_unplaced(functions, reached))
    secondary = set(parents.values())
    by_bus: dict[tuple[int, int], list[Merged]] = {}
    for where, each in functions.items():
        if where not in unplaced:
            by_bus.setdefault(where[:2], []).append(each)
    below: dict[Where, tuple[int, ...]] = {}
    for (_, bus), above in sorted(parents.items()):
        below[above] = (*below.get(above, ()), bus)
    lost = {where[0] for where, why in unplaced.items() if why.startswith(_NO_PARENT)}
    return PastedMachine(
        files=tuple(paste.file for paste in pastes),
        forms=frozenset(form for paste in pastes for form in paste.forms),
        functions=functions,
        roots=tuple(sorted(root for root in roots if root[0] < _SEGMENTS)),
        bridges=parents,
        unplaced=unplaced,
        open_bridges=frozenset(
            each.where
            for each in functions.values()
            if each.buses is None
            and each.where not in secondary
            and (each.bridge or (each.bridge is None and each.where[0] in lost))
        ),
        told_roots=told,
        groups=tuple(group for paste in pastes for group in paste.groups),
        log=log,
        by_bus=by_bus,
        below=below,
    )


def _merged(pastes: Sequence[Paste]) -> dict[Where, Merged]:
    """Each function by what tells most of it, completed by the others."""
    extended = any(len(each.config) > _CONVENTIONAL for paste in pastes for each in paste.functions)
    by_where: dict[Where, list[PastedFunction]] = {}
    for paste in pastes:
        for each in paste.functions:
            by_where.setdefault(each.where, []).append(_by_registers(each, extended=extended))
    if len(by_where) > FUNCTIONS:
        raise unreadable(pastes[0].file, f"more than {FUNCTIONS:,} functions")
    found = {}
    for where, told in sorted(by_where.items()):
        told.sort(key=lambda each: -RANK[each.shown])
        keys: dict[str, object] = {}
        for each in reversed(told):
            keys |= each.keys
        virtual = any(each.virtual for each in told)
        bridge = next((each.bridge for each in told if each.bridge is not None), None)
        buses = [each.buses for each in told if each.buses is not None]
        found[where] = Merged(
            where=where,
            place=told[0].place,
            shown=told[0].shown,
            keys=keys,
            bridge=True if buses else bridge,
            buses=buses[0] if buses else None,
            virtual=virtual,
            amd=any(each.amd for each in told),
            acs_off=next((each.acs_off for each in told if each.acs_off), ()),
            bars=max((each.bars for each in told), key=_told_best),
            rom=max(each.rom for each in told),
            forwards=max((each.forwards for each in told), key=len),
        )
    return _without_virtual(found)


def _told_best(bars: tuple[PastedBar, ...]) -> tuple[bool, int]:
    """Of the texts that show BARs the one that names their registers, and shows most of them."""
    return bool(bars) and all(each.index is not None for each in bars), len(bars)


def _by_registers(told: PastedFunction, *, extended: bool) -> PastedFunction:
    """The function with what its configuration space says, as far as that was printed."""
    data = told.config
    if len(data) < _HEADER or data[:4] in (b"\xff" * 4, b"\0" * 4):
        return told
    config = read_config(data)
    keys = {key: value for key, value in register_keys(config).items() if value is not None}
    shown = _shown(config, extended=extended)
    if shown in ("nothing", "cut"):
        keys.pop("type", None)
    return replace(
        told,
        keys={**told.keys, **keys},
        shown=shown,
        bridge=config.header == 1,
        buses=config.buses,
        acs_off=_switched_off(config),
    )


def _switched_off(config: Config) -> tuple[str, ...]:
    at = config.extended.get(ExtendedCapability.ACS)
    if at is None or at + 8 > len(config.data):
        return ()
    off = config.number(at + 4, 2) & ~config.number(at + 6, 2)
    return tuple(word.upper() for word in ("sv", "rr", "cr", "uf") if off & ACS_BITS[word])


def _shown(config: Config, *, extended: bool) -> Shown:
    length = len(config.data)
    if not config.number(0x06, 2) & 0x10:
        return "whole"
    if length < _CONVENTIONAL:
        return "nothing"
    if config.type in ("pci-bridge", "host-bridge-function", "pci"):
        return "whole"
    if length == _CONVENTIONAL:
        # Where the text shows more of others, this is all that the kernel can read of this one.
        return "whole" if extended else "type"
    return "whole" if length >= _EXTENDED or config.ends else "type"


def _without_virtual(found: dict[Where, Merged]) -> dict[Where, Merged]:
    """Virtual functions marked with the physical function that tells of them: they are in its description."""
    budget = _VFS
    for where, each in list(found.items()):
        vfs = each.keys.get("sriov")
        if not isinstance(vfs, Mapping):
            continue
        first = (where[1] << 8 | where[2]) + int(vfs["offset"])
        for index in range(min(int(vfs.get("enabled", 0)), budget)):
            budget -= 1
            rid = first + index * int(vfs["stride"])
            at = where[0], rid >> 8, rid & 0xFF
            if at in found and at != where:
                found[at] = replace(found[at], virtual=True, owned=True, shown="whole")
    return found


def _roots(
    functions: Mapping[Where, Merged], parents: Mapping[tuple[int, int], Where], told: Iterable[PastedRoot]
) -> set[tuple[int, int]]:
    """The root buses: those that a text calls so, bus 0, and where every bridge of a segment tells its buses
    those that are below none and have what only a root bus has. Below a bridge that the text leaves out is
    device 0 alone as a rule."""
    buses = {where[:2] for where in functions}
    named = {(root.segment, root.bus) for root in told}
    roots = {bus for bus in buses if bus in named or bus[1] == 0}
    silent = {
        each.where[0] for each in functions.values() if each.bridge is not False and each.buses is None
    } - {root.segment for root in told if root.by in ("tree", "groups", "managed")}
    roots |= {
        where[:2]
        for where, each in functions.items()
        if where[:2] not in parents and where[0] not in silent and _is_of_root_bus(each)
    }
    return {bus for bus in roots if bus not in parents}


def _is_of_root_bus(each: Merged) -> bool:
    kinds = ("root-port", "integrated-endpoint", "event-collector")
    return (
        each.keys.get("type") in kinds
        or class_code(each) == HOST_BRIDGE
        or (each.where[2] >> 3 > 0 and not each.virtual)
    )


def _reached(
    functions: Mapping[Where, Merged],
    parents: Mapping[tuple[int, int], Where],
    roots: Iterable[tuple[int, int]],
) -> Iterator[Where]:
    on: dict[tuple[int, int], list[Where]] = {}
    for where in functions:
        on.setdefault(where[:2], []).append(where)
    below: dict[Where, list[tuple[int, int]]] = {}
    for bus, above in parents.items():
        below.setdefault(above, []).append(bus)
    todo, seen = [(root, 0) for root in roots], set(roots)
    while todo:
        at, depth = todo.pop()
        for where in on.get(at, ()):
            yield where
            for bus in below.get(where, ()) if depth < _DEEPEST else ():
                if bus not in seen:
                    seen.add(bus)
                    todo.append((bus, depth + 1))


def _unplaced(functions: Mapping[Where, Merged], reached: set[Where]) -> Iterator[tuple[Where, str]]:
    cardbus = {
        (each.where[0], each.buses[0])
        for each in functions.values()
        if each.buses is not None and class_code(each) == _CARDBUS
    }
    for where, each in functions.items():
        if where[0] >= _SEGMENTS:
            yield where, "its domain is one that only a driver makes (Intel VMD)"
        elif class_code(each) == _CARDBUS or where[:2] in cardbus:
            yield where, "it has to do with a CardBus bridge, which the language has not"
        elif where not in reached:
            yield where, f"{_NO_PARENT} {where[1]:02x} is below"
        elif where[2] & 7 and (where[0], where[1], where[2] & 0xF8) not in functions and not each.virtual:
            yield where, "function 0 of its device is not in the text"
        elif each.virtual and not each.owned:
            yield where, "it is a virtual function, and no text tells whose"


def root_bus(machine: PastedMachine, where: Where) -> tuple[int, int]:
    """The root bus that a function is below: by the bridges, else the last one before its bus."""
    at, seen = where[:2], set()
    while at in machine.bridges and at not in seen:
        seen.add(at)
        at = machine.bridges[at][:2]
    named = {(root.segment, root.bus) for root in machine.told_roots} | set(machine.roots)
    if at in named:
        return at
    before = [bus for segment, bus in named if segment == where[0] and bus <= at[1]]
    return where[0], max(before, default=0)


def class_code(each: Merged) -> int:
    code = each.keys.get("class")
    return code >> 8 if isinstance(code, int) else 0


def last_bus(machine: PastedMachine, segment: int, bus: int) -> int:
    """The last bus number at or below a bus."""
    found, todo = bus, [bus]
    while todo:
        for each in machine.on(segment, todo.pop()):
            buses = bus_numbers(machine, each)
            if buses is not None and buses[0] > each.where[1]:
                if machine.bridges.get((segment, buses[0])) == each.where:
                    todo.append(buses[0])
                found = max(found, *(number for number in buses if number is not None))
            vfs = each.keys.get("sriov")
            if isinstance(vfs, Mapping) and vfs.get("enabled"):
                last = int(vfs["offset"]) + (int(vfs["enabled"]) - 1) * int(vfs["stride"])
                found = max(found, ((each.where[1] << 8 | each.where[2]) + last) >> 8)
    return min(found, 0xFF)


def bus_numbers(machine: PastedMachine, each: Merged) -> tuple[int, int | None] | None:
    if each.buses is not None:
        return each.buses if each.buses[0] else None
    below = machine.below.get(each.where)
    return (below[0], None) if below else None
