"""Host bridges from ACPI (`pci_root.c:acpi_pci_root_add`, linux.md §2), in namespace order.

`find_bridges` lists them; `bring_up` does what comes before the bus is scanned. How configuration
space is found differs: arm64 and riscv64 look MCFG up by segment and whole bus range (§2.2), x86
keeps a list of regions made at boot (§2.3, `mcfg_x86`).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.formats.acpi import ADDRESS_SPACES, ROOT_BRIDGE
from rootplex.formats.errno import Errno
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.acpi.resources import Resource
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.mcfg_quirks import quirk
from rootplex.simulator.linux.mcfg_x86 import McfgX86
from rootplex.simulator.linux.resources import AddressMap, PortMap
from rootplex.simulator.linux.rootbridge import ConfigRegion, Fault, HostWindow, RootBridge
from rootplex.source.place import Place

CF8, CFF = 0xCF8, 0xCFF


class AcpiProbe(Struct):
    """What probes of one kernel share. `regions` is x86's list of ECAM regions."""

    settings: Settings
    firmware: AcpiFirmware
    addresses: AddressMap
    ports: PortMap
    regions: McfgX86 = field(default_factory=McfgX86)

    @property
    def is_x86(self) -> bool:
        return self.settings.arch == "x86_64"


def find_bridges(probe: AcpiProbe) -> Iterator[tuple[AcpiHostBridge, RootBridge]]:
    """The present host bridges in namespace order. One that has no PNP0A03 among its ids is not
    found by Linux and comes with the fault `not-matched`."""
    named = {path: index for index, path in enumerate(probe.settings.probe_order or ())}
    present = [bridge for bridge in probe.firmware.namespace.bridges if bridge.is_on is not False]
    present.sort(key=lambda bridge: named.get(bridge.path, len(named)))
    for index, bridge in enumerate(present):
        places: dict[str, Place] = {"node": bridge.place}
        if bridge.seg.state != "absent":
            places["segment"] = bridge.seg.place
        if bridge.crs.state != "absent":
            places |= {"windows": bridge.crs.place, "bus_range": bridge.crs.place}
        root = RootBridge(index, bridge.path, places, reassign=False)
        if ROOT_BRIDGE not in (bridge.hid, *bridge.cids):
            root.fail(Fault("not-matched", -Errno.ENODEV, bridge.place))
        yield bridge, root


def bring_up(bridge: AcpiHostBridge, root: RootBridge, probe: AcpiProbe) -> None:
    """Fill the bridge up to the point where its bus would be registered, or fail it."""
    if bridge.seg.state == "failed":
        told = str(bridge.seg.reason)
        root.fail(Fault("segment-failed", -Errno.ENODEV, bridge.seg.place, name=told))
        return
    segment = (bridge.seg.value or 0) & 0xFFFF
    root.segment = segment
    root.preserve = bridge.preserve.known == 0 or probe.is_x86
    root.proximity = bridge.pxm.known
    root.external_facing = frozenset(bridge.external_facing)
    root.tunnels = frozenset(bridge.tunnels)
    _bus_range(bridge, root)
    if not root.is_up:
        return
    if probe.is_x86:
        _config_x86(bridge, root, segment, probe)
    else:
        _config_generic(bridge, root, segment, probe)
    if root.is_up:
        _windows(bridge, root, probe)
    if not root.is_up:
        probe.addresses.release(root.path)


def _resources(bridge: AcpiHostBridge) -> tuple[Resource, ...]:
    return () if bridge.crs.value is None else bridge.crs.value.resources


def _bus_range(bridge: AcpiHostBridge, root: RootBridge) -> None:
    """The last bus descriptor of `_CRS`; without one `_BBN` to 0xff."""
    item = None if bridge.crs.value is None else bridge.crs.value.bus_descriptor
    if item is not None:
        first, last = item.minimum, item.minimum + item.length - 1
    else:
        first, last = bridge.bbn.value or 0, 0xFF
        root.places["bus_range"] = bridge.bbn.place if bridge.bbn.state != "absent" else bridge.place
    root.first_bus, root.last_bus, root.effective_end = first, last, last
    if not 0 <= first <= last:
        root.fail(Fault("bus-range-reversed", -Errno.EINVAL, root.places["bus_range"]))


def _config_generic(bridge: AcpiHostBridge, root: RootBridge, segment: int, probe: AcpiProbe) -> None:
    """`pci_mcfg_lookup` and `pci_ecam_create` (§2.2, §2.4)."""
    first, last = root.first_bus, root.last_bus
    entry: McfgEntry | None = None
    base = bridge.cba.value or 0
    at: Place = bridge.cba.place
    if not base:
        entry = _first_entry(probe, segment, first, last)
        if entry is not None:
            base, at = entry.base, entry.place
    row = quirk(probe.firmware.mcfg, segment, probe.settings.arch)
    windows = dict(row.windows) if row is not None else {}
    size = last - first + 1 << 20
    if segment in windows and row is not None:
        start, size = windows[segment], row.size
    elif base:
        start = base + (first << 20)
    else:
        _no_ecam(root, segment, probe)
        return
    root.places["config"] = at
    root.config = ConfigRegion("ecam", start, size, "generic" if row is None else row.accessor)
    clash = probe.addresses.claim(start, size, "configuration space", root.path, at)
    if clash is not None:
        root.fail(Fault("config-clash", -Errno.EBUSY, at, clash.at, clash=clash))


def _first_entry(probe: AcpiProbe, segment: int, first: int, last: int) -> McfgEntry | None:
    """The first entry of the segment that holds the whole bus range."""
    for entry in probe.firmware.mcfg.entries if probe.firmware.mcfg is not None else ():
        if entry.segment == segment and entry.start_bus <= first and entry.end_bus >= last:
            return entry
    return None


def _no_ecam(root: RootBridge, segment: int, probe: AcpiProbe) -> None:
    """Say which entry came nearest: of this segment, else the table as a whole."""
    mcfg = probe.firmware.mcfg
    near = next((entry for entry in mcfg.entries if entry.segment == segment), None) if mcfg else None
    at = root.places.get("segment", root.places["node"])
    root.fail(Fault("ecam-not-found", -Errno.ENODEV, at if near is None else near.place, at))


def _config_x86(bridge: AcpiHostBridge, root: RootBridge, segment: int, probe: AcpiProbe) -> None:
    """`setup_mcfg_map`: a known region, one from `_CBA`, or ports for segment 0 alone."""
    region = probe.regions.find(segment, root.first_bus)
    base = bridge.cba.value or 0
    if region is None and base:
        region = probe.regions.insert(segment, root.first_bus, root.last_bus, base, bridge.cba.place)
    if region is None and segment:
        at = root.places.get("segment", root.places["node"])
        root.fail(Fault("ports-not-reaching", -Errno.EIO, at))
        return
    if region is None:
        root.config = ConfigRegion("ports", 0, 0, "x86")
        return
    root.effective_end = min(root.last_bus, probe.regions.reach(region))
    root.places["config"] = region.at
    size = root.effective_end - root.first_bus + 1 << 20
    root.config = ConfigRegion("ecam", region.address(root.first_bus), size, "x86")


def _windows(bridge: AcpiHostBridge, root: RootBridge, probe: AcpiProbe) -> None:
    """Windows of `_CRS`: producers (x86: everything but the configuration ports), overlapping ones
    joined; one that clashes is left out and the bridge lives on."""
    at = bridge.crs.place
    found: list[HostWindow] = []
    for item in _resources(bridge):
        if item.type not in ("memory", "io") or item.span == 0:
            continue
        if not probe.is_x86 and not (item.producer and item.kind in ADDRESS_SPACES):
            continue
        if item.type == "io" and item.minimum >= CF8 and item.minimum + item.span - 1 <= CFF:
            continue
        window = HostWindow(
            "io" if item.type == "io" else "mem",
            item.minimum,
            item.cpu_minimum,
            item.span,
            item.prefetchable,
            at,
        )
        _join(found, window)
    kept = []
    for window in found:
        if window.space == "io":
            port = window.cpu if probe.is_x86 else probe.ports.register(window.cpu, window.size)
            if port is not None:
                kept.append(replace(window, port=port))
        elif probe.addresses.claim(window.cpu, window.size, "window", root.path, at) is None:
            kept.append(window)
    root.windows = tuple(kept)


def _join(found: list[HostWindow], window: HostWindow) -> None:
    """Add a window, or widen one of the same kind and offset that it overlaps."""
    for index, other in enumerate(found):
        same = (other.space, other.cpu - other.pci) == (window.space, window.cpu - window.pci)
        if same and other.cpu <= window.cpu_end and window.cpu <= other.cpu_end:
            cpu = min(other.cpu, window.cpu)
            size = max(other.cpu_end, window.cpu_end) - cpu + 1
            found[index] = HostWindow(
                other.space, cpu - (other.cpu - other.pci), cpu, size, other.prefetchable, other.at
            )
            return
    found.append(window)
