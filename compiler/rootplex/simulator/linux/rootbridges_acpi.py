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
from rootplex.readers.acpi.aml_facts import AcpiHostBridge, Namespace
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.acpi.resources import Resource
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.mcfg_quirks import quirk
from rootplex.simulator.linux.mcfg_x86 import McfgX86, memory_ranges, motherboard_ranges
from rootplex.simulator.linux.resources import AddressMap, PortMap
from rootplex.simulator.linux.rootbridge import ConfigRegion, HostWindow, RootBridge
from rootplex.source.place import Place

CF8, CFF = 0xCF8, 0xCFF


class AcpiProbe(Struct):
    """What probes of one kernel share. `regions` is x86's list of ECAM regions."""

    settings: Settings
    firmware: AcpiFirmware
    addresses: AddressMap
    ports: PortMap
    regions: McfgX86 = field(default_factory=lambda: McfgX86([], []))

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
            root.fail(-Errno.ENODEV, "not-matched", f"neither _HID nor _CID is {ROOT_BRIDGE}", bridge.place)
        yield bridge, root


def bring_up(bridge: AcpiHostBridge, root: RootBridge, probe: AcpiProbe) -> None:
    """Fill the bridge up to the point where its bus would be registered, or fail it."""
    if bridge.seg.state == "failed":
        reason = f"_SEG cannot be evaluated: {bridge.seg.reason}"
        root.fail(-Errno.ENODEV, "segment-failed", reason, bridge.seg.place)
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
        place = bridge.bbn.place if bridge.bbn.state != "absent" else bridge.place
        root.places["bus_range"] = place
        root.remark("no-bus-range", f"_CRS has no bus range: {first:#x}-0xff is assumed", bridge.place)
    root.first_bus, root.last_bus, root.effective_end = first, last, last
    if not 0 <= first <= last:
        reason = f"bus range {first:#x}-{last:#x} runs backwards"
        root.fail(-Errno.EINVAL, "bus-range-reversed", reason, root.places["bus_range"])


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
    if not _is_consumed(start, size, probe.firmware.namespace):
        root.remark("ecam-not-reserved", f"no device consumes {start:#x}-{start + size - 1:#x}", at)
    clash = probe.addresses.claim(start, size, "configuration space", root.path, at)
    if clash is not None:
        overlap = f"overlaps {clash.what} at {clash.base:#x}-{clash.end:#x}"
        root.fail(-Errno.EBUSY, "config-clash", f"{start:#x}-{start + size - 1:#x} {overlap}", at, clash.at)


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
    reason = f"no ECAM region for segment {segment:#x}, buses {root.first_bus:#x}-{root.last_bus:#x}"
    root.fail(-Errno.ENODEV, "ecam-not-found", reason, at if near is None else near.place, at)


def _is_consumed(start: int, size: int, namespace: Namespace) -> bool:
    ranges = motherboard_ranges(namespace) + memory_ranges(namespace.consumers)
    return any(base <= start and start + size <= end for base, end in ranges)


def _config_x86(bridge: AcpiHostBridge, root: RootBridge, segment: int, probe: AcpiProbe) -> None:
    """`setup_mcfg_map`: a known region, one from `_CBA`, or ports for segment 0 alone."""
    region = probe.regions.find(segment, root.first_bus)
    base = bridge.cba.value or 0
    if region is None and base:
        at = bridge.cba.place
        region = probe.regions.insert(segment, root.first_bus, root.last_bus, base, at)
        if region is None:
            root.remark("ecam-not-reserved", "the space of _CBA is not reserved: not used", at)
    if region is None:
        where = root.places.get("segment", root.places["node"])
        if segment:
            reason = f"no ECAM for segment {segment:#x}, which the ports do not reach"
            root.fail(-Errno.EIO, "ecam-not-found", reason, where)
            return
        root.remark("ports-only", "no ECAM: 256 bytes of configuration space through the ports", where)
        root.config = ConfigRegion("ports", 0, 0, "x86")
        return
    end_bus = probe.regions.reach(region)
    if end_bus < root.last_bus:
        reason = f"ECAM ends at bus {end_bus:#x}, the bridge at {root.last_bus:#x}"
        root.remark("ecam-partial", reason, region.at)
    root.effective_end = min(root.last_bus, end_bus)
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
            if port is None:
                root.remark("io-window-dropped", "the I/O window overlaps another one's", at)
            else:
                kept.append(replace(window, port=port))
            continue
        clash = probe.addresses.claim(window.cpu, window.size, "window", root.path, at)
        if clash is None:
            kept.append(window)
            continue
        overlap = f"overlaps {clash.what} at {clash.base:#x}-{clash.end:#x}"
        root.remark("window-clash", f"{window.cpu:#x}-{window.cpu_end:#x} {overlap}: left out", at, clash.at)
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
