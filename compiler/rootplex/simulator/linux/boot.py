"""A boot of Dom0: find host bridges, scan them, place BARs, enable VFs, tell Xen, in Linux's order.

Device tree and ACPI alike: each bridge is probed, scanned and its resources assigned before the
next, in the firmware's order; x86 reads MCFG before any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct, field

from rootplex.formats.acpi import IortType
from rootplex.formats.errno import Errno
from rootplex.known.kernels import Profile, profile
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, Firmware
from rootplex.simulator.function import Bus
from rootplex.simulator.hardware import BusError, Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux import acs, mcfg_x86, rootbridges_acpi, rootbridges_dt, virtual
from rootplex.simulator.linux.access import accessor
from rootplex.simulator.linux.command_line import pci_options
from rootplex.simulator.linux.domains import DomainNumbers, NewScheme, OldScheme, reserved_domains
from rootplex.simulator.linux.hypervisor import Hypervisor
from rootplex.simulator.linux.kernel import Kernel
from rootplex.simulator.linux.placement import Placement
from rootplex.simulator.linux.registration import Registration
from rootplex.simulator.linux.resources import AddressMap, PortMap
from rootplex.simulator.linux.rootbridge import Fault, RootBridge
from rootplex.simulator.linux.scan import EndlessScanError, Scan, binds_driver
from rootplex.simulator.linux.state import Death, Dom0State, Event

BIOS, BIOS_END = 0xA_0000, 0x10_0000


class Candidate(Struct, frozen=True):
    """A bridge that the firmware has: `bring_up` fills it, `take_down` undoes that, `assign` tells
    whether what firmware left unplaced is placed."""

    root: RootBridge
    bring_up: Callable[[], None]
    take_down: Callable[[], None]
    assign: Callable[[], bool]


class LinuxBoot(Struct):
    """One boot under way."""

    firmware: Firmware
    kernel: Kernel | None
    settings: Settings
    profile: Profile
    state: Dom0State
    root_buses: dict[tuple[int, int], Bus] = field(default_factory=dict)
    scans: dict[int, Scan] = field(default_factory=dict)


def boot(
    firmware: Firmware,
    settings: Settings,
    hardware: Hardware | None,
    hypervisor: Hypervisor | None = None,
    state: Dom0State | None = None,
) -> Dom0State:
    """LinuxBoot Dom0 on what the firmware says; fills and returns `state`.

    Without hardware the bridges are found and numbered and nothing is scanned; without a
    hypervisor it is bare metal. An access that aborts and a scan without end are the boot's end
    (`died`); what a hypervisor raises passes through, and `state` holds what was reached until then.
    Raises `KeyError` for an unknown kernel.
    """
    state = Dom0State() if state is None else state
    version = profile(settings.kernel)
    kernel: Kernel | None = None
    options = pci_options(
        _command_line(firmware, settings), arch=settings.arch, config_acs=version.config_acs
    )
    state.options = options
    if hardware is not None:
        below = hardware if hypervisor is None else hypervisor
        asked = _asks_for_acs(firmware, settings, version)
        kernel = Kernel(
            version,
            settings,
            hardware,
            below,
            state,
            Registration(hypervisor, settings, state),
            acs.AcsPolicy(asked, options, from_firmware=version.config_acs),
            options,
            amd_vi=isinstance(firmware, AcpiFirmware) and firmware.has_table("IVRS"),
        )
    run = LinuxBoot(firmware, kernel, settings, version, state)
    try:
        for candidate in _candidates(run, hardware):
            _probe(run, candidate)
        _enable_virtual(run)
        _read_acs_again(run)
    except BusError as error:
        state.died = Death("abort", str(error))
    except EndlessScanError as endless:
        state.died = Death("endless-scan", bridge=endless.bridge, number=endless.number)
    return state


def _candidates(run: LinuxBoot, hardware: Hardware | None) -> Iterator[Candidate]:
    """The bridges of the firmware, with how to bring each up."""
    if isinstance(run.firmware, DtFirmware):
        return _by_device_tree(run, run.firmware, hardware)
    return _by_acpi(run, run.firmware)


def _by_device_tree(run: LinuxBoot, firmware: DtFirmware, hardware: Hardware | None) -> Iterator[Candidate]:
    addresses, ports, version = AddressMap(), PortMap(), run.profile
    for area in (*firmware.platform.memory, *firmware.platform.reserved):
        if area.enabled:
            addresses.put(area.base, area.size, "memory", area.place)
    domains: DomainNumbers = OldScheme()
    if version.domains == "new":
        domains = NewScheme(reserved_domains(firmware.tree))
    probe = rootbridges_dt.DtProbe(version, run.settings, firmware, addresses, ports, domains, hardware)
    for node, root in rootbridges_dt.find_bridges(probe):
        yield Candidate(
            root,
            partial(rootbridges_dt.bring_up, node, root, probe),
            partial(rootbridges_dt.take_down, node, root, probe),
            lambda root=root: version.probe_only_assigns or not root.preserve,  # type: ignore[misc]
        )


def _by_acpi(run: LinuxBoot, firmware: AcpiFirmware) -> Iterator[Candidate]:
    addresses, ports, settings = AddressMap(), PortMap(), run.settings
    for base, size in settings.memory:
        for low, high in _ram(base, base + size, settings.arch):
            addresses.put(low, high - low, "memory", None)
    probe = rootbridges_acpi.AcpiProbe(settings, firmware, addresses, ports)
    if probe.is_x86:
        probe.regions = mcfg_x86.usable_regions(firmware.mcfg, firmware.namespace, settings.reserved)
        if run.kernel is not None:
            run.kernel.registration.regions = list(probe.regions.regions)
    for bridge, root in rootbridges_acpi.find_bridges(probe):
        root.reassign = run.state.options.assign_buses
        yield Candidate(
            root,
            partial(rootbridges_acpi.bring_up, bridge, root, probe),
            partial(addresses.release, root.path),
            lambda: True,
        )


def _ram(base: int, end: int, arch: str) -> tuple[tuple[int, int], ...]:
    """What of a stretch is RAM to the kernel: never 640 KiB to 1 MiB of a PC (`trim_bios_range`)."""
    if arch != "x86_64":
        return ((base, end),)
    return ((base, min(end, BIOS)), (max(base, BIOS_END), end))


def _probe(run: LinuxBoot, candidate: Candidate) -> None:
    """One bridge from its firmware to its last device."""
    state, root = run.state, candidate.root
    state.root_bridges.append(root)
    if root.is_up:
        candidate.bring_up()
    if root.is_up and not _register_bus(run, root):
        return
    if root.fault is not None:
        candidate.take_down()
        state.events.append(Event("bridge-failed", root.index, result=root.fault.errno))
        return
    state.events.append(Event("bridge-up", root.index))
    if run.kernel is not None:
        _scan(run, run.kernel, candidate)


def _register_bus(run: LinuxBoot, root: RootBridge) -> bool:
    """`pci_register_host_bridge`: the first bus must be new in its segment, or the bridge fails;
    x86 goes on with the bus that is there, and this bridge adds nothing (False)."""
    assert root.segment is not None
    key = (root.segment, root.first_bus)
    taken = run.root_buses.get(key) or (None if run.kernel is None else run.kernel.buses.get(key))
    at = root.places.get("segment", root.places["node"])
    if taken is not None:
        other = run.state.root_bridges[taken.root]
        where = other.places.get("segment", other.places["node"])
        if run.settings.arch == "x86_64":
            return False
        root.fail(Fault("bus-exists", -Errno.EEXIST, at, where, other.path))
        return True
    run.root_buses[key] = Bus(root.index, root.segment, root.first_bus, root.last_bus)
    return True


def _scan(run: LinuxBoot, kernel: Kernel, candidate: Candidate) -> None:
    """Scan, place, let drivers bind: what follows once the bridge is up."""
    root = candidate.root
    ports = not run.settings.ports_taken
    access = accessor(root, kernel.machine, kernel.hardware, ports=ports)
    kernel.accessors[root.index] = access
    kernel.registration.scan_begins(root, access)
    start = len(run.state.functions)
    scan = Scan(kernel, root, access)
    bus = scan.run()
    kernel.registration.scan_ended(root, access)
    keep = root.preserve
    run.state.unplaced += Placement(root, access, bus, keep=keep, assign=candidate.assign()).run()
    found = run.state.functions[start:]
    if binds_driver(found):
        # On device tree the flag is set when a driver binds, before 7.0 only then (§5.2).
        kernel.acs.requested = kernel.acs.requested or isinstance(run.firmware, DtFirmware)
    run.scans[root.index] = scan


def _enable_virtual(run: LinuxBoot) -> None:
    """Drivers of PFs bind, once all bridges are up, and switch their VFs on. On a device tree that asks for
    ACS too (`of_iommu_configure`)."""
    for function in tuple(run.state.functions):
        if function.sriov is not None and function.sriov.wanted:
            scan = run.scans[function.root]
            scan.kernel.acs.requested |= isinstance(run.firmware, DtFirmware)
            virtual.enable(scan, function)


def _asks_for_acs(firmware: Firmware, settings: Settings, version: Profile) -> bool:
    """Whether something has called `pci_request_acs` before the first scan (§5.2)."""
    if isinstance(firmware, DtFirmware):
        return version.acs_dt == "all"
    if firmware.has_table("VIOT"):
        return True
    if settings.arch == "x86_64":
        if settings.role == "bare-metal":
            return firmware.has_table("DMAR", "IVRS")
        # A PV Dom0 asks at its start of day, a PVH one never.
        return settings.role == "pv"
    if firmware.iort is None:
        return False
    smmus = {node.offset for node in firmware.iort.nodes if node.type in (IortType.SMMU, IortType.SMMU_V3)}
    return any(
        mapping.output_reference in smmus
        for node in firmware.iort.nodes
        if node.type == IortType.ROOT_COMPLEX
        for mapping in node.mappings
    )


def _command_line(firmware: Firmware, settings: Settings) -> str | None:
    """A device tree has it in /chosen; with ACPI the boot loader gives it."""
    return firmware.platform.chosen.bootargs if isinstance(firmware, DtFirmware) else settings.bootargs


def _read_acs_again(run: LinuxBoot) -> None:
    """ACS as it stands at the end: a hypervisor may have switched on more."""
    for function in run.state.functions if run.kernel is not None else ():
        if function.acs_capability and run.kernel is not None:
            access = run.kernel.accessors[function.root]
            function.acs = acs.read(access, function, function.acs_hidden)
