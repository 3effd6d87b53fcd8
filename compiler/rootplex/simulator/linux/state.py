"""What a boot of Dom0 leaves: its bridges, functions, and what happened in which order."""

from __future__ import annotations

from typing import Literal

from rootplex.simulator.function import Bar, Bus, Function
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.record import dataclass, field

EventKind = Literal[
    "bridge-up",
    "bridge-failed",
    "bridge-registered",
    "bus-added",
    "device-added",
    "virtual-added",
    "mmcfg-reserved",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of the boot. `result` is what the hypervisor answered, where it was told."""

    kind: EventKind
    root: int
    bus: Bus | None = None
    function: Function | None = None
    result: int = 0


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A BAR that found no room; `reason` says in which windows it was tried."""

    function: Function
    bar: Bar
    reason: str


@dataclass(slots=True)
class Dom0State:
    """A booted (or dead) Dom0.

    `functions` are in the order of discovery, VFs last. `died` says what killed the kernel, None
    while it lives. `unplaced` lists BARs without an address, `log` the kernel's own complaints.
    """

    root_bridges: list[RootBridge] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    buses: list[Bus] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    died: str | None = None
