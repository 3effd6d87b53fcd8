"""What a guest's list of devices meets: groups, interrupt lines, messages, streams. Data only;
what is a fault and how grave is for the checks to say (linux.md §6, xen.md §10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.simulator.firmware.routing.intx import can_do_without
from rootplex.simulator.firmware.routing.routes import IntxLine, MsiRoute
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group, Grouping
from rootplex.simulator.inputs import GuestWish

Role: TypeAlias = Literal["boot", "console"]
"""What Dom0 itself needs a function for."""

Harmless: TypeAlias = Literal["bridge", "host-bridge"]
"""A member that may stay in Dom0: a bridge or port, or a host bridge's function (class 0600)."""


class Neighbour(Struct, frozen=True):
    """A function in a guest's group that the guest is not given. `owner` is the guest that is to
    have it, None: Dom0. `harmless` says that it does not make the group unusable, and why."""

    function: Function
    group: Group
    owner: str | None
    harmless: Harmless | None
    role: Role | None


class SharedLine(Struct, frozen=True):
    """An INTx line that a guest's `function` shares with functions of other owners (`others`).
    `excusable`: every member uses messages or can mask its pin (DisINTx)."""

    function: Function
    line: IntxLine
    others: tuple[tuple[Function, str | None], ...]
    excusable: bool


class NoMessages(Struct, frozen=True):
    """A guest's function that cannot use MSI or MSI-X: it has neither capability, or its messages
    reach no controller (`route.cause`). `intx` says whether a pin could do instead: unshared or
    maskable, and routed."""

    function: Function
    has_capability: bool
    route: MsiRoute | None
    intx: bool


class GuestView(Struct, frozen=True):
    """One guest. `functions` are those of its wish that Dom0 sees, `absent` the page ids of the
    others; `ungrouped` have no group at all, `ports` are wished but no endpoints (header type 1).

    `neighbours` are what its groups hold beside its own (`whole` tells that no harmful one is
    among them and everything has a group), `safe_neighbours` likewise by the safe partition."""

    name: str
    functions: tuple[Function, ...]
    absent: tuple[str, ...]
    ungrouped: tuple[Function, ...]
    ports: tuple[Function, ...]
    groups: tuple[Group, ...]
    neighbours: tuple[Neighbour, ...]
    safe_neighbours: tuple[Neighbour, ...]
    shared_lines: tuple[SharedLine, ...]
    without_messages: tuple[NoMessages, ...]

    @property
    def blockers(self) -> tuple[Neighbour, ...]:
        """The neighbours that keep the guest from getting its groups whole."""
        return tuple(n for n in self.neighbours if n.harmless is None)

    @property
    def whole(self) -> bool:
        return not self.blockers and not self.ungrouped

    @property
    def safe(self) -> bool:
        """Whether the wish, harmless neighbours aside, is a union of safe groups."""
        return all(n.harmless is not None for n in self.safe_neighbours)


class GuestContext(Struct, frozen=True, kw_only=True):
    """What guests are seen against: all functions in discovery order, Dom0's groups and the safe
    ones, where messages and pins go, and what Dom0 itself needs (page id to role)."""

    functions: Sequence[Function]
    groups: Grouping
    safe: Grouping
    messages: Callable[[Function], MsiRoute | None]
    lines: Sequence[IntxLine]
    roles: Mapping[str, Role]


def guest_views(wishes: Iterable[GuestWish], platform: GuestContext) -> tuple[GuestView, ...]:
    """What each guest's wish meets. A page that two guests wish for is the first one's to others."""
    wishes = tuple(wishes)
    owners: dict[str, str] = {}
    for wish in wishes:
        for page in wish.pages:
            owners.setdefault(page, wish.name)
    here = _Owned(platform, owners)
    return tuple(here.view(wish) for wish in wishes)


class _Owned:
    """A platform with its owners, and the lookups that views need."""

    def __init__(self, platform: GuestContext, owners: Mapping[str, str]) -> None:
        self._platform = platform
        self._owners = owners
        self._by_page = {function.page: function for function in platform.functions}
        self._lines = {f: line for line in platform.lines for f in line.functions}

    def view(self, wish: GuestWish) -> GuestView:
        functions = tuple(self._by_page[page] for page in wish.pages if page in self._by_page)
        groups = self._groups(functions, self._platform.groups)
        return GuestView(
            name=wish.name,
            functions=functions,
            absent=tuple(page for page in wish.pages if page not in self._by_page),
            ungrouped=tuple(f for f in functions if self._platform.groups.of(f) is None),
            ports=tuple(function for function in functions if function.is_bridge),
            groups=groups,
            neighbours=tuple(self._neighbours(functions, groups)),
            safe_neighbours=tuple(self._neighbours(functions, self._groups(functions, self._platform.safe))),
            shared_lines=tuple(self._shared_lines(functions)),
            without_messages=tuple(self._without_messages(functions)),
        )

    def _owner(self, function: Function) -> str | None:
        return self._owners.get(function.page)

    def _groups(self, functions: Iterable[Function], grouping: Grouping) -> tuple[Group, ...]:
        """The groups of some functions, each once."""
        found = {group.id: group for f in functions if (group := grouping.of(f)) is not None}
        return tuple(found.values())

    def _neighbours(self, functions: Sequence[Function], groups: Iterable[Group]) -> Iterator[Neighbour]:
        own = set(functions)
        for group in groups:
            for member in group.members:
                if member not in own:
                    owner = self._owner(member)
                    role = self._platform.roles.get(member.page)
                    harmless = _harmless(member) if owner is None else None
                    yield Neighbour(member, group, owner, harmless, role)

    def _shared_lines(self, functions: Sequence[Function]) -> Iterator[SharedLine]:
        for function in functions:
            line = self._lines.get(function)
            if line is None:
                continue
            own = self._owner(function)
            others = tuple((f, self._owner(f)) for f in line.functions if self._owner(f) != own)
            if others:
                yield SharedLine(function, line, others, all(can_do_without(f) for f in line.functions))

    def _without_messages(self, functions: Sequence[Function]) -> Iterator[NoMessages]:
        for function in functions:
            has_capability = function.msi > 0 or function.msix > 0
            route = self._platform.messages(function)
            if function.is_bridge or (has_capability and route is not None and route.controller is not None):
                continue
            line = self._lines.get(function)
            own = self._owner(function)
            alone = line is not None and all(self._owner(f) == own for f in line.functions)
            intx = line is not None and (alone or function.disintx)
            yield NoMessages(function, has_capability, route, intx)


def _harmless(function: Function) -> Harmless | None:
    if function.is_bridge:
        return "bridge"
    return "host-bridge" if function.class_code >> 8 == 0x0600 else None
