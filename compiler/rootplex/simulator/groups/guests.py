"""What a guest's list of devices meets: groups, interrupt lines, messages, streams. Data only;
what is a fault and how grave is for the checks to say (linux-pci §6, xen-pci §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group
from rootplex.simulator.routing.routes import IntxLine, MsiRoute, StreamRoute

Role: TypeAlias = Literal["boot", "console"]
"""What Dom0 itself needs a function for."""

Harmless: TypeAlias = Literal["bridge", "host-bridge"]
"""A member that may stay in Dom0: a bridge or port, or a host bridge's function (class 0600)."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A function in a guest's group that the guest is not given. `owner` is the guest that is to
    have it, None: Dom0. `harmless` says that it does not make the group unusable, and why."""

    function: Function
    group: Group
    owner: str | None
    harmless: Harmless | None
    role: Role | None


@dataclass(frozen=True, slots=True)
class SharedLine:
    """An INTx line that a guest's `function` shares with functions of other owners (`others`).
    `excusable`: every member uses messages or can mask its pin (DisINTx)."""

    function: Function
    line: IntxLine
    others: tuple[tuple[Function, str | None], ...]
    excusable: bool


@dataclass(frozen=True, slots=True)
class NoMessages:
    """A guest's function that cannot use MSI or MSI-X: it has neither capability, or its messages
    reach no controller (`route.reason`). `intx` says whether a pin could do instead: unshared or
    maskable, and routed."""

    function: Function
    has_capability: bool
    route: MsiRoute | None
    intx: bool


@dataclass(frozen=True, slots=True)
class SharedStream:
    """Another function, of another owner, with a StreamID of the guest's `route`."""

    route: StreamRoute
    other: StreamRoute
    owner: str | None


@dataclass(frozen=True, slots=True)
class GuestView:
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
    shared_streams: tuple[SharedStream, ...]

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
