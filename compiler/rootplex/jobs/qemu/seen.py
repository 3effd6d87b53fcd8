"""What a kernel saw, simulated or booted, in the same words.

Numbers of groups mean nothing; groups are sets of addresses. Windows that follow each other are one, as
Linux joins them (`pci_register_host_bridge`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from rootplex.capture.facts import KernelFunction, Resource, Snapshot
from rootplex.known.devices import rows_of
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.function import Function
from rootplex.simulator.linux.rootbridge import RootBridge

SECONDARY = 0x19
IO, MEM, PREFETCH, MEM_64 = 0x100, 0x200, 0x2000, 0x10_0000
"""Resource flags of sysfs `resource` (include/linux/ioport.h)."""

BARS = range(6)
EXTENDED, STEPS, ACS, ACS_BITS = 0x100, 480, 0x000D, 0x7F


class SeenWindow(Struct, frozen=True, order=True):
    """A window of a host bridge: CPU addresses (`io`: the kernel's port numbers), and `first` on PCI."""

    space: str
    prefetchable: bool
    first: int
    last: int
    pci: int

    def __str__(self) -> str:
        prefetchable = " prefetchable" if self.prefetchable else ""
        moved = "" if self.pci == self.first else f" at PCI {self.pci:#x}"
        return f"{self.space} {self.first:#x}-{self.last:#x}{prefetchable}{moved}"


class SeenBridge(Struct, frozen=True):
    """A root bus: `buses` first and last as the kernel limits them, None where its log does not say."""

    buses: tuple[int, int] | None
    windows: tuple[SeenWindow, ...]


class SeenBar(Struct, frozen=True, order=True):
    """A sized BAR: index, space (`mem32`, `mem64`, `io`), prefetchable, size; whether it has an address."""

    index: int
    space: str
    prefetchable: bool
    size: int
    placed: bool

    def __str__(self) -> str:
        words = [f"BAR {self.index} {self.space}", f"{self.size:#x}"]
        words += ["prefetchable"] if self.prefetchable else []
        return " ".join([*words, "placed" if self.placed else "without an address"])


class SeenFunction(Struct, frozen=True):
    """A function: the bridge above it (None on a root bus), ids, class, bus numbers of a bridge, BARs, and
    its ACS capability and control registers; whether it answers no longer (`gone`)."""

    parent: str | None
    vendor: int
    device: int
    class_code: int
    buses: tuple[int, int] | None
    bars: tuple[SeenBar, ...]
    acs: tuple[int, int] | None = None
    gone: bool = False

    @property
    def id(self) -> str:
        return f"{self.vendor:04x}:{self.device:04x}"


class Seen(Struct, frozen=True):
    """Root buses by `ssss:bb`, functions by SBDF, groups as sets of SBDFs. `undetermined` are functions whose
    group is left to chance."""

    bridges: Mapping[str, SeenBridge]
    functions: Mapping[str, SeenFunction]
    groups: frozenset[frozenset[str]]
    undetermined: frozenset[str] = frozenset()

    @property
    def without_group(self) -> frozenset[str]:
        return frozenset(self.functions) - frozenset().union(*self.groups)


def simulated(outcome: Outcome) -> Seen:
    """The simulation's view."""
    roots = [root for root in outcome.dom0.root_bridges if root.is_up and root.segment is not None]
    return Seen(
        # On x86 a second bridge of the same first bus adds nothing to the one that is there.
        {f"{root.segment:04x}:{root.first_bus:02x}": _root(root) for root in reversed(roots)},
        {function.sbdf: _simulated(function) for function in outcome.dom0.functions},
        frozenset(frozenset(each.sbdf for each in group.members) for group in outcome.linux.groups),
        frozenset(each.function.sbdf for each in outcome.linux.ungrouped if each.kind == "undetermined"),
    )


def _root(root: RootBridge) -> SeenBridge:
    windows = []
    for each in root.windows:
        first = each.port if each.space == "io" else each.cpu
        last = first + each.size - 1
        windows.append(SeenWindow(each.space, each.prefetchable, first, last, each.pci))
    return SeenBridge((root.first_bus, root.last_bus), joined(windows))


def _simulated(function: Function) -> SeenFunction:
    buses = None
    if function.header == 1 and function.secondary is not None and function.subordinate is not None:
        buses = (function.secondary, function.subordinate)
    bars = (
        SeenBar(bar.index, bar.space, bar.prefetchable, bar.size, bar.cpu is not None)
        for bar in function.bars
        if bar.index in BARS
    )
    parent = function.parent
    return SeenFunction(
        parent=None if parent is None else parent.sbdf,
        vendor=function.vendor,
        device=function.device,
        class_code=function.class_code,
        buses=buses,
        bars=tuple(sorted(bars)),
        acs=function.acs,
        gone=function.gone,
    )


def booted(snapshot: Snapshot) -> Seen:
    """The running kernel's view."""
    bridges = {}
    for each in snapshot.bridges:
        buses = None if each.buses is None else (each.buses.first, each.buses.last)
        windows = (SeenWindow(w.space, w.prefetchable, w.start, w.end, w.pci) for w in each.windows)
        bridges[f"{each.segment:04x}:{each.bus:02x}"] = SeenBridge(buses, joined(windows))
    functions = {str(function.sbdf): _booted(function) for function in snapshot.functions}
    members = (frozenset(group.members) & frozenset(functions) for group in snapshot.groups)
    return Seen(bridges, functions, frozenset(group for group in members if group))


def _booted(function: KernelFunction) -> SeenFunction:
    is_bridge = function.config[0x0E] & 0x7F == 1
    bars = (_bar(resource) for resource in function.resources if resource.index in BARS)
    return SeenFunction(
        parent=None if function.parent is None else str(function.parent),
        vendor=function.vendor,
        device=function.device,
        class_code=function.class_code,
        buses=(function.config[SECONDARY], function.config[SECONDARY + 1]) if is_bridge else None,
        bars=tuple(sorted(bars)),
        acs=_acs(function.config, _control_of(function)),
    )


def _control_of(function: KernelFunction) -> int:
    """Where a function has its ACS control register: devices with dwords have it elsewhere."""
    rows = rows_of(function.vendor, function.device)
    return 8 if any(row.effect == "dword-control" for row in rows) else 6


def _acs(config: bytes, control: int) -> tuple[int, int] | None:
    """The ACS registers in 4096 bytes of configuration space (PCIe 6.0 §7.6.3, §7.7.11), the second at that
    offset in the capability; None: there are none."""
    at = EXTENDED
    for _ in range(STEPS):
        header = int.from_bytes(config[at : at + 4], "little")
        if header & 0xFFFF == ACS:
            offered, enabled = (int.from_bytes(config[at + n : at + n + 2], "little") for n in (4, control))
            return offered & ACS_BITS, enabled & ACS_BITS
        at = header >> 20
        if at < EXTENDED:
            return None
    return None


def _bar(resource: Resource) -> SeenBar:
    space = "io" if resource.flags & IO else "mem64" if resource.flags & MEM_64 else "mem32"
    size = resource.end - resource.start + 1
    # An unplaced resource counts from 0; a port or an address 0 is given to nobody.
    return SeenBar(resource.index, space, bool(resource.flags & PREFETCH), size, resource.start != 0)


def joined(windows: Iterable[SeenWindow]) -> tuple[SeenWindow, ...]:
    """Windows in order, those of one kind and one offset that follow each other made one."""
    found: list[SeenWindow] = []
    for window in sorted(windows):
        last = found[-1] if found else None
        if (
            last is not None
            and (last.space, last.prefetchable) == (window.space, window.prefetchable)
            and last.last + 1 == window.first
            and last.pci - last.first == window.pci - window.first
        ):
            found[-1] = SeenWindow(last.space, last.prefetchable, last.first, window.last, last.pci)
        else:
            found.append(window)
    return tuple(found)
