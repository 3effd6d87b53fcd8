"""What a boot of Dom0 leaves: its bridges, functions, and what happened in which order."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from rootplex.simulator.function import Bar, Bus, Function
from rootplex.simulator.linux.command_line import PciOptions
from rootplex.simulator.linux.rootbridge import RootBridge

EventKind = Literal[
    "bridge-up",
    "bridge-failed",
    "bridge-registered",
    "bus-added",
    "device-added",
    "virtual-added",
    "mmcfg-reserved",
]


class Event(Struct, frozen=True):
    """One step of the boot. `result` is what the hypervisor answered, where it was told."""

    kind: EventKind
    root: int
    bus: Bus | None = None
    function: Function | None = None
    result: int = 0


class Unplaced(Struct, frozen=True):
    """A BAR that found no room."""

    function: Function
    bar: Bar


class Death(Struct, frozen=True):
    """What killed the kernel: an access that aborted, a scan that does not end at the bus that `bridge` leads
    to (`number`: what it is called there, beyond 0xff where bus numbers went around), or the hypervisor.
    `told`: what the machine or Xen says of it. Its sentence is made in `report.causes`."""

    kind: Literal["abort", "endless-scan", "hypervisor"]
    told: str = ""
    bridge: Function | None = None
    number: int = 0


class Dom0State(Struct):
    """A booted (or dead) Dom0.

    `functions` are in the order of discovery, VFs last. `died` says what killed the kernel, None
    while it lives. `unplaced` lists BARs without an address. `options` are those of its command line.
    """

    root_bridges: list[RootBridge] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    buses: list[Bus] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    died: Death | None = None
    options: PciOptions = PciOptions()
