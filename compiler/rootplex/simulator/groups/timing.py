"""When and in which order a kernel groups (linux-pci §5.5, §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rootplex.simulator.function import Bus, Function
from rootplex.simulator.inputs import Settings


@dataclass(frozen=True, slots=True)
class Timing:
    """`order`: functions are grouped as they are discovered, or as drivers are offered to them:
    all functions of a bus, then the buses below. `at_boot`: groups exist without any driver.

    In every one of them the scan is over by then, so that a function number above 0 makes a device
    multi-function whatever header bit 7 says (see `Acs`)."""

    algorithm: Literal["linux", "jgg-v3"]
    order: Literal["discovery", "driver-bind"]
    at_boot: bool


REPLAY = Timing("linux", "discovery", at_boot=True)
"""In discovery order, after the scan: x86, and device tree and arm64 ACPI on 7.2 (seen in boots)."""

AT_BIND = Timing("linux", "driver-bind", at_boot=False)
"""When a driver binds: device tree and arm64 ACPI on 6.1 and 6.12."""

TOP_DOWN = Timing("jgg-v3", "discovery", at_boot=True)

_NOT_X86 = {
    "linux-6.1-vanilla": AT_BIND,
    "linux-6.1": AT_BIND,
    "linux-6.12": AT_BIND,
    "linux-7.2": REPLAY,
    "jgg-v3": TOP_DOWN,
}


def timing(settings: Settings) -> Timing:
    """What holds for the kernel on this machine; an unknown kernel is taken for the newest."""
    if settings.arch == "x86_64":
        return TOP_DOWN if settings.kernel == "jgg-v3" else REPLAY
    return _NOT_X86.get(settings.kernel, REPLAY)


def bind_order(discovery: Sequence[Function]) -> list[Function]:
    """Functions in the order in which `pci_bus_add_devices` offers them to drivers."""
    by_bus: dict[Bus, list[Function]] = {}
    roots = []
    virtual: dict[Bus, list[Bus]] = {}
    for function in discovery:
        bus = function.bus
        if bus not in by_bus:
            by_bus[bus] = []
            if bus.virtual and bus.parent is not None:
                virtual.setdefault(bus.parent, []).append(bus)
            elif bus.is_root:
                roots.append(bus)
        by_bus[bus].append(function)
    found: list[Function] = []
    ahead = roots[::-1]
    while ahead:
        bus = ahead.pop()
        functions = by_bus.get(bus, [])
        found += functions
        below = [f.child_bus for f in functions if f.child_bus is not None]
        ahead += reversed(virtual.get(bus, []) + below)
    return found
