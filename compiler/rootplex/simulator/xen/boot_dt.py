"""Xen's host bridges from the device tree, at boot (§1.1-§1.4): gates, scan in document order, probe.

Nothing but what is here is checked: windows of size 0, unaligned, in RAM, too small or shared go
through. Most probe failures end the whole scan, silently.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.bridges import ConfigWindow, XenHostBridge
from rootplex.simulator.xen.drivers import BridgeDriver, bridge_driver, is_claimable
from rootplex.simulator.xen.dt_address import Address, Addresses
from rootplex.simulator.xen.outcome import Crash, Notice, NoticeKind, Stopped
from rootplex.simulator.xen.segments import Numbering, number_bridge

PADDR_BITS = 48
"""The physical address width that Xen on arm64 is built for."""


class Scan(Struct):
    """What the scan leaves. `numbers`: node path → segment, of the bridges that got one.
    `crash`: Xen went down in it."""

    bridges: list[XenHostBridge] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    numbering: Numbering = field(default_factory=Numbering)
    notices: list[Notice] = field(default_factory=list)
    crash: Crash | None = None


class Probe(Struct):
    """One bridge on its way through the steps; `fault` set: the probe failed (-ENOMEM)."""

    tree: Tree
    node: DtNode
    driver: BridgeDriver
    scan: Scan
    addresses: Addresses
    start: int = 0
    end: int = 0xFF
    window: Address | None = None
    base: int = 0
    size: int = 0
    segment: int = 0
    child: ConfigWindow | None = None
    fault: Notice | None = None

    def notice(self, kind: NoticeKind, property: str | None = None) -> Notice:
        return Notice(kind, self.node.path, self.tree.place(self.node, property))

    def fail(self, kind: NoticeKind, property: str) -> None:
        self.fault = self.notice(kind, property)

    def crash(self, crash: Crash) -> None:
        self.scan.crash = crash

    def say(self, kind: NoticeKind, property: str) -> None:
        self.scan.notices.append(self.notice(kind, property))


def scan_bridges(tree: Tree, addresses: Addresses) -> Scan:
    """`dt_pci_init`: every node in document order; another probe error than "not mine" ends it."""
    scan = Scan()
    for node in tree.walk():
        driver = bridge_driver(node) if is_claimable(node) else None
        if driver is None:
            continue
        probe = Probe(tree, node, driver, scan, addresses)
        for step in STEPS:
            try:
                step(probe)
            except Stopped as stopped:
                scan.crash = stopped.crash
            if scan.crash is not None:
                return scan
            if probe.fault is not None:
                scan.notices += [probe.fault, probe.notice("scan-ended")]
                return scan
    return scan


def _bus_range(probe: Probe) -> None:
    """Step 1: two cells, each cut to 8 bits; fewer: 0..0xff. A reversed range is taken as it is."""
    cells = probe.node.cells("bus-range")
    if cells is None or len(cells) < 2:
        probe.say("no-bus-range", "bus-range")
        return
    probe.start, probe.end = cells[0] & 0xFF, cells[1] & 0xFF


def _window_entry(probe: Probe) -> None:
    """Step 2: which `reg` entry is the window. Step 3: its address, through the buses above."""
    probe.window = probe.addresses.named(probe.node, probe.driver.window)
    if probe.window is None:
        probe.fail("no-window", "reg")
    elif probe.window.cpu is None:
        probe.fail("window-untranslatable", "reg")
    else:
        probe.base, probe.size = probe.window.cpu, probe.window.size


def _map_window(probe: Probe) -> None:
    """Step 4: the whole entry is mapped; an address that Xen cannot have is an assertion."""
    last = probe.base + max(probe.size, 1) - 1
    if last >> PADDR_BITS and probe.window is not None:
        cause = f"configuration window {probe.base:#x}+{probe.size:#x} lies above {PADDR_BITS} address bits"
        place = probe.tree.place(probe.node, "reg", probe.window.cell)
        probe.crash(Crash("assertion", cause, "§1.3.4, XP-20", place))


def _say_window(probe: Probe) -> None:
    """Step 5: the one line that Xen prints of a bridge; there is no segment in it."""
    probe.say("window", "reg")


def _number(probe: Probe) -> None:
    """Step 6: the segment; properties on some bridges and not on others are a BUG."""
    numbered = number_bridge(probe.scan.numbering, probe.node.u32("linux,pci-domain"))
    if numbered is None:
        at = probe.tree.place(probe.node, "linux,pci-domain")
        cause = "inconsistent linux,pci-domain: some host bridges have the property, some have not"
        probe.crash(Crash("BUG", cause, "§1.4, XP-01", at))
        return
    probe.segment, probe.scan.numbering = numbered
    probe.scan.numbers[probe.node.path] = probe.segment


def _child_window(probe: Probe) -> None:
    """Step 7: with a child window the root window keeps its first bus only."""
    name = probe.driver.child
    if name is None:
        return
    entry = probe.addresses.named(probe.node, name)
    if entry is None or entry.cpu is None:
        probe.fail("no-child-window", "reg-names")
        return
    probe.child = ConfigWindow(entry.cpu, entry.size, probe.start + 1, probe.end)
    probe.say("child-window", "reg")
    probe.end = probe.start


def _append(probe: Probe) -> None:
    """Step 8: the end of the list; then what the driver itself still looks for, unchecked."""
    root = ConfigWindow(probe.base, probe.size, probe.start, probe.end)
    at = probe.tree.place(probe.node)
    probe.scan.bridges.append(XenHostBridge(probe.node.path, probe.segment, root, probe.child, at=at))
    names = probe.node.strings("reg-names")
    for need in probe.driver.needs:
        if need not in names:
            cause = f"{probe.node.path} has no reg entry named {need}, which the driver does not check"
            place = probe.tree.place(probe.node, "reg-names")
            probe.crash(Crash("data abort", cause, "§1.3, XP-25", place))
            return


STEPS: tuple[Callable[[Probe], None], ...] = (
    _bus_range,
    _window_entry,
    _map_window,
    _say_window,
    _number,
    _child_window,
    _append,
)
