"""Host bridges from a device tree, as `pci-host-generic` and its kin probe them (linux.md §1).

`find_bridges` lists the nodes that a driver binds to, in probe order; `bring_up` does what a probe
does before the bus is scanned: windows, ECAM, number. A fault takes that bridge down only.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from rootplex.formats.devicetree import CONFIG_REG_NAMES, GENERIC_CAM, GENERIC_ECAM
from rootplex.formats.errno import Errno
from rootplex.known.kernels import Profile
from rootplex.readers.address import DtReg, DtWindow, is_pci_bus
from rootplex.readers.controllers import Controller
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.simulator.firmware.facts import DtFirmware
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.domains import DomainNumbers, Refused
from rootplex.simulator.linux.resources import AddressMap, PortMap
from rootplex.simulator.linux.rootbridge import ConfigKind, ConfigRegion, Fault, HostWindow, RootBridge
from rootplex.source.place import Place

GIB_4 = 1 << 32

DW_ECAM = ("snps,dw-pcie-ecam", "marvell,armada8k-pcie-ecam", "socionext,synquacer-pcie-ecam")
ACCESSORS = {GENERIC_ECAM: "generic", GENERIC_CAM: "generic", **dict.fromkeys(DW_ECAM, "dw-ecam")}
"""The compatible strings of `pci-host-generic`, with how it makes accesses (§1.1)."""

NO_BUS_MAP_DRIVERS = frozenset(
    {
        "pci-thunder-ecam",
        "pci-thunder-pem",
        "pcie-hisi",
        "pcie-al",
        "pcie-tegra194",
        "pci-xgene",
        "pci-loongson",
    }
)
"""Drivers whose accessors have no per-bus map hook: nothing for a 32-bit kernel (§1.6)."""

SHIFT = {"ecam": 20, "cam": 16}


class DtProbe(Struct):
    """What probes of one kernel share: the address map, ports, numbers, and the settings."""

    profile: Profile
    settings: Settings
    firmware: DtFirmware
    addresses: AddressMap
    ports: PortMap
    domains: DomainNumbers
    hardware: Hardware | None = None


def find_bridges(probe: DtProbe) -> Iterator[tuple[DtHostBridge, RootBridge]]:
    """The enabled host bridge nodes in probe order: those that `probe_order` names first, the rest
    in document order. A node that no driver binds to comes with the fault `no-driver`."""
    named = {path: index for index, path in enumerate(probe.settings.probe_order or ())}
    nodes = [node for node in probe.firmware.bridges if node.is_on]
    nodes.sort(key=lambda node: named.get(node.path, len(named)))
    for index, node in enumerate(nodes):
        places: dict[str, Place] = {"node": node.place()}
        if node.domain is not None:
            places["segment"] = node.place("linux,pci-domain", 0)
        if node.bus_range is not None:
            places["bus_range"] = node.place("bus-range")
        if node.regs:
            places["config"] = node.regs[0].place
        if node.ranges != "absent":
            places["windows"] = node.place("ranges")
        yield (
            node,
            RootBridge(
                index,
                node.path,
                places,
                compatible=node.compatible,
                external_facing=frozenset(node.external_facing),
            ),
        )


def bring_up(node: DtHostBridge, root: RootBridge, probe: DtProbe) -> None:
    """Fill the bridge from its node up to the point where its bus would be registered. `root.fault`
    tells why it stopped; then everything it claimed is free again."""
    _bus_range(node, root, probe.profile)
    _modes(node, root, probe)
    config, reg = _config(node, root, probe)
    _windows(node, root, probe)
    if root.is_up and config is None:
        at = root.places.get("config", node.place())
        if node.missing_block is not None:
            root.fail(Fault("block-missing", -Errno.ENODEV, at, name=node.missing_block))
        elif not node.regs or node.regs[0].cpu is None:
            root.fail(Fault("config-missing", -Errno.EINVAL, at))
        else:
            root.fail(Fault("no-driver", -Errno.ENODEV, node.place("compatible")))
    if root.is_up and config is not None and reg is not None:
        root.config = config
        root.places["config"] = reg.place
        _config_window(root, reg, probe)
    if root.is_up:
        number = probe.domains.number(node.domain)
        if isinstance(number, Refused):
            at = root.places.get("segment", node.place())
            root.fail(Fault(number.kind, number.errno, at, first=number.number))
        else:
            root.segment = number
    if not root.is_up:
        probe.addresses.release(root.path)


def take_down(node: DtHostBridge, root: RootBridge, probe: DtProbe) -> None:
    """Give everything back after the bus could not be registered."""
    probe.addresses.release(root.path)
    if root.segment is not None:
        probe.domains.release(root.segment, node.domain)


def _bus_range(node: DtHostBridge, root: RootBridge, profile: Profile) -> None:
    if node.bus_range is None or len(node.bus_range) < 2:
        first, last = 0, 0xFF
    else:
        first, last = node.bus_range[:2]
    limit = 0xFF if profile.bus_range == "byte" else first + 0xFF
    last = min(last, limit)
    root.first_bus, root.last_bus, root.effective_end = first, last, last


def _modes(node: DtHostBridge, root: RootBridge, probe: DtProbe) -> None:
    """Probe-only (§1.8): /chosen keeps bus numbers and BARs, the node's own property BARs only."""
    everywhere = bool(probe.firmware.platform.chosen.probe_only)
    root.reassign = probe.profile.reassigns_buses and not everywhere
    root.preserve = everywhere
    if probe.profile.bridge_probe_only and node.probe_only is not None:
        root.preserve = bool(node.probe_only)


def _config(node: DtHostBridge, root: RootBridge, probe: DtProbe) -> tuple[ConfigRegion | None, DtReg | None]:
    """The configuration region by the driver that binds: the generic one takes the first `reg`;
    another is known by its compatible, or by the hardware standing where a `reg` says."""
    kind: ConfigKind
    generic = next((name for name in node.compatible if name in ACCESSORS), None)
    if generic is not None:
        reg = node.regs[0] if node.regs else None
        if reg is None or reg.cpu is None:
            return None, None
        kind = "cam" if generic == GENERIC_CAM else "ecam"
        return ConfigRegion(kind, reg.cpu, reg.size, ACCESSORS[generic]), reg
    if node.missing_block is not None:
        return None, None
    hardware = probe.hardware
    for reg in node.regs:
        if hardware is None or reg.cpu is None:
            break
        bridge = hardware.bridge_at(reg.cpu)
        if bridge is None or bridge.image.base != reg.cpu:
            continue
        kind = "ecam" if bridge.image.kind == "quirk" else bridge.image.kind
        if node.controller is not None and node.controller.layout == "windowed":
            # This driver moves a window of its own over what the hardware has; it maps no ECAM.
            kind = "windowed"
        return ConfigRegion(kind, reg.cpu, reg.size, _driver(node.controller)), reg
    named = next(
        (reg for reg in node.regs if reg.name in CONFIG_REG_NAMES), node.regs[0] if node.regs else None
    )
    if node.controller is None or named is None or named.cpu is None:
        return None, None
    layout: ConfigKind = "ecam" if node.controller.layout == "quirk" else node.controller.layout
    return ConfigRegion(layout, named.cpu, named.size, _driver(node.controller)), named


def _driver(controller: Controller | None) -> str:
    return "vendor" if controller is None else controller.driver


def _config_window(root: RootBridge, reg: DtReg, probe: DtProbe) -> None:
    """`pci_ecam_create` (§1.6): order, trimming, the claim; then what a 32-bit kernel can map."""
    config = root.config
    assert config is not None
    at = root.places.get("bus_range", reg.place)
    if root.first_bus > root.last_bus:
        root.fail(Fault("bus-range-reversed", -Errno.EINVAL, at))
        return
    if config.kind in SHIFT:
        capacity = config.size >> SHIFT[config.kind]
        root.effective_end = min(root.last_bus, root.first_bus + capacity - 1)
    clash = probe.addresses.claim(config.base, config.size, "configuration space", root.path, reg.place)
    if clash is not None:
        if config.size == 0:
            root.fail(Fault("config-empty", -Errno.EBUSY, reg.place))
        else:
            root.fail(Fault("config-clash", -Errno.EBUSY, reg.place, clash.at, clash=clash))
        return
    if probe.settings.bits == 32:
        if not probe.settings.lpae and config.base + config.size > GIB_4:
            root.fail(Fault("config-above-4g", -Errno.EINVAL, reg.place))
        elif config.accessor == "dw-ecam" or config.accessor in NO_BUS_MAP_DRIVERS:
            root.fail(Fault("no-bus-map", -Errno.EINVAL, root.places["node"]))


def _windows(node: DtHostBridge, root: RootBridge, probe: DtProbe) -> None:
    """Host windows (§1.4): merged, I/O laid out as ports, memory claimed."""
    if not is_pci_bus(node.node):
        return
    windows: list[HostWindow] = []
    for window in _merged(node.windows):
        assert window.cpu is not None
        is_io = window.space == "io"
        port = probe.ports.register(window.cpu, window.size) if is_io else 0
        if port is None:  # it overlaps another one's
            continue
        windows.append(
            HostWindow(
                "io" if is_io else "mem",
                window.pci,
                window.cpu,
                window.size,
                window.prefetchable and not is_io,
                window.place,
                port,
            )
        )
    root.windows = tuple(windows)
    for host in windows:
        if host.space == "io":
            continue
        clash = probe.addresses.claim(host.cpu, host.size, "window", root.path, host.at)
        if clash is not None:
            area = host.cpu, host.cpu_end
            root.fail(Fault("window-clash", -Errno.EBUSY, host.at, clash.at, "", *area, clash))
            return


def _merged(windows: tuple[DtWindow, ...]) -> Iterator[DtWindow]:
    """Usable entries; neighbours of equal flags that are contiguous on both sides are one."""
    held: DtWindow | None = None
    for window in windows:
        if window.cpu is None or window.size == 0 or window.space == "config":
            continue
        if (
            held is not None
            and held.cpu is not None
            and (held.space, held.prefetchable) == (window.space, window.prefetchable)
            and held.pci + held.size == window.pci
            and held.cpu + held.size == window.cpu
        ):
            held = replace(held, size=held.size + window.size)
            continue
        if held is not None:
            yield held
        held = window
    if held is not None:
        yield held
