"""A host bridge as Dom0 found it in its firmware, up or failed, with the places of its facts."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.simulator.linux.resources import Claim
from rootplex.source.place import Place

ConfigKind = Literal["ecam", "cam", "windowed", "ports"]


FaultKind: TypeAlias = Literal[
    "not-matched",  # no id of a PCI host bridge
    "no-driver",
    "block-missing",  # the register block `name`, by which the driver looks for configuration space
    "config-missing",
    "config-empty",
    "config-clash",  # configuration space overlaps `clash`
    "config-above-4g",
    "no-bus-map",
    "window-clash",  # the window from `first` to `last` overlaps `clash`
    "segment-failed",  # `_SEG` cannot be evaluated, as `name` tells
    "domain-taken",  # the number `first`
    "domain-inconsistent",
    "bus-range-reversed",
    "ecam-not-found",
    "ports-not-reaching",  # no ECAM, and a segment that x86's ports do not reach
    "bus-exists",  # its first bus is that of the bridge `name`
]


class Fault(Struct, frozen=True):
    """Why a bridge does not come up, with a negative errno, and what belongs to it. Its sentence is made in
    `report.causes`."""

    kind: FaultKind
    errno: int
    at: Place
    other: Place | None = None
    name: str = ""
    first: int = 0
    last: int = 0
    clash: Claim | None = None


class ConfigRegion(Struct, frozen=True):
    """How Dom0 reaches configuration space.

    `base`: CPU address of the configuration space of `first_bus` of the bridge (`windowed`: of
    the register block; `ports`: 0). `size` in bytes as the firmware says it. `accessor` names
    the driver's way: `generic`, or a row of the driver or MCFG quirk table.
    """

    kind: ConfigKind
    base: int
    size: int
    accessor: str = "generic"

    @property
    def last(self) -> int:
        return self.base + self.size - 1


class HostWindow(Struct, frozen=True):
    """A window of the bridge into bus addresses. `space`: `io` or `mem` (Linux drops the 64-bit
    flag of a host window); addresses and size in bytes. `port` is the first logical I/O port, as the
    kernel numbers them (`io` only)."""

    space: Literal["io", "mem"]
    pci: int
    cpu: int
    size: int
    prefetchable: bool
    at: Place
    port: int = 0

    @property
    def cpu_end(self) -> int:
        return self.cpu + self.size - 1


class RootBridge(Struct, eq=False):
    """One host bridge, in the order in which Dom0 probes.

    `path` is the DT node path or the AML path. `places` tells where each fact stands, by name: `node`,
    `segment`, `bus_range`, `config`, `windows`; a fact that the firmware does not give has no entry.
    `segment` is None where none was ever chosen. `effective_end` is the last bus whose configuration space
    is mapped (ECAM trimming), `last_bus` the last one Linux numbers. `reassign`: bus numbers are given anew;
    `preserve`: BARs are kept as firmware left them. `registration` is what the hypervisor answered to
    `pci_host_bridge_add`; None: not called. `external_facing`: the ways, by devfn from the first bus down,
    to ports that the firmware says face outward, `tunnels`: to those of a USB4 host. `fault` says why the
    bridge did not come up; None: it is up."""

    index: int
    path: str
    places: dict[str, Place]
    segment: int | None = None
    first_bus: int = 0
    last_bus: int = 255
    effective_end: int = 255
    config: ConfigRegion | None = None
    windows: tuple[HostWindow, ...] = ()
    compatible: tuple[str, ...] = ()
    reassign: bool = True
    preserve: bool = False
    proximity: int | None = None
    external_facing: frozenset[tuple[int, ...]] = frozenset()
    tunnels: frozenset[tuple[int, ...]] = frozenset()
    registration: int | None = None
    fault: Fault | None = None

    @property
    def is_up(self) -> bool:
        return self.fault is None

    def fail(self, fault: Fault) -> None:
        """Take the bridge down; the first fault stays."""
        if self.fault is None:
            self.fault = fault
