"""Xen's boot: from settings, hardware and firmware facts to the running state (§1.1, §3.1).

Order: IOMMU, then PCI, then Dom0's device tree. A crash on the way is a value.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.acpi.dmar import Dmar
from rootplex.readers.acpi.iort_facts import Iort, Smmu, SmmuV3
from rootplex.readers.acpi.ivrs import Ivrs
from rootplex.readers.acpi.mcfg import Mcfg
from rootplex.readers.address import regs
from rootplex.readers.first import First
from rootplex.readers.hostbridge import host_bridge_nodes
from rootplex.readers.platform_dt import DtArea
from rootplex.readers.tree import Tree
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.hypervisor import ConfigAccesses, Machine
from rootplex.simulator.xen.access import ConfigAccess, EcamAccess, OutboundWindow, PortAccess, ones
from rootplex.simulator.xen.amd import units_of_ivrs
from rootplex.simulator.xen.boot_acpi import scan_segments, x86_iommu, x86_windows
from rootplex.simulator.xen.boot_dt import Scan, scan_bridges
from rootplex.simulator.xen.bridges import Routes, XenHostBridge
from rootplex.simulator.xen.core import Core, Domain, Iommu, Options
from rootplex.simulator.xen.discovery_2017 import Discovery, Nowhere, RegisteredAccess
from rootplex.simulator.xen.dom0_tree import Rules, dom0_tree
from rootplex.simulator.xen.drivers import IOMMU_DRIVERS
from rootplex.simulator.xen.dt_address import Addresses
from rootplex.simulator.xen.iommu import KINDS as IOMMU_KINDS
from rootplex.simulator.xen.iommu import driven_iommus
from rootplex.simulator.xen.mcfg import McfgWindows
from rootplex.simulator.xen.outcome import Crash, Notice, Stopped
from rootplex.simulator.xen.records import DOM0, DOMID_IO, DOMID_XEN, Record, Records, Streams
from rootplex.simulator.xen.streams import iort_iommu, translate, translate_iort
from rootplex.source.place import Place


class Firmware(Struct, frozen=True, kw_only=True):
    """What Xen is booted from: the device tree with the memory that it names, or the ACPI tables
    that it reads. Where an x86 machine with an IOMMU is described without the IOMMU's own table, it
    is taken as firmware writes it for the devices that are there (`assumed_units`, `assumed_ivrs`)."""

    tree: Tree | None = None
    memory: tuple[DtArea, ...] = ()
    mcfg: Mcfg | None = None
    iort: Iort | None = None
    dmar: Dmar | None = None
    ivrs: Ivrs | None = None


def _any_stream(bridge: XenHostBridge) -> int:
    return 32


class Wiring(Struct, frozen=True, kw_only=True):
    """What the hardware says that no CPU address shows: the width of the stream table behind a
    bridge, and what a DesignWare bridge's outbound window shows."""

    stream_bits: Callable[[XenHostBridge], int] = _any_stream
    outbound: OutboundWindow | None = None


class Silence:
    """Configuration space behind a window where the hardware has no host bridge."""

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        return ones(size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        return


def wiring_of(hardware: Hardware) -> Wiring:
    """Stream table widths and outbound windows of the hardware's bridges, found by the base of a
    configuration window (or of one of the bridge's register blocks)."""

    def stream_bits(bridge: XenHostBridge) -> int:
        found = hardware.bridge_at(bridge.root.base)
        return Wiring().stream_bits(bridge) if found is None else found.image.stream_id_bits

    def outbound(base: int) -> ConfigAccesses:
        found = hardware.bridge_at(base)
        return Silence() if found is None else found

    return Wiring(stream_bits=stream_bits, outbound=outbound)


class BootedXen(Struct):
    """The outcome: the running state, the scan (today's Arm port alone), Dom0's tree, the 2017
    protocol's state, or the crash."""

    core: Core
    scan: Scan | None = None
    dom0_tree: Tree | None = None
    discovery: Discovery | None = None
    crash: Crash | None = None


def boot(
    settings: Settings,
    machine: Machine,
    firmware: Firmware,
    options: Options,
    wiring: Wiring,
    with_vpci: Callable[[Core], None] | None = None,
) -> BootedXen:
    """BootedXen Xen. With `discovery: dom0` its knowledge of bridges comes from Dom0 later on. `with_vpci`
    switches vPCI on in the state, before any device is known."""
    notices: list[Notice] = []
    routes = Routes()
    windows, segments = McfgWindows(), tuple[int, ...]()
    access: ConfigAccess
    if settings.arch == "x86_64":
        windows, segments, said = x86_windows(settings, options, firmware.mcfg)
        notices += said
        access = PortAccess(windows, machine)
    else:
        access = EcamAccess(routes, machine, wiring.outbound)
    discovery: Discovery | None = None
    if settings.discovery == "dom0":
        discovery = Discovery(_memory(settings, firmware), _places(firmware), routes)
        ecam = EcamAccess(routes, machine, wiring.outbound)
        otherwise = access if settings.arch == "x86_64" else Nowhere()
        access = RegisteredAccess(discovery, ecam, otherwise)
    if firmware.ivrs is not None and firmware.dmar is None:
        options = replace(options, x86_iommu="amd", hidden=options.hidden | units_of_ivrs(firmware.ivrs))
    core = Core(
        settings=settings,
        options=options,
        access=access,
        records=Records(),
        routes=routes,
        windows=windows,
        domains={
            DOM0: Domain(DOM0, "Dom0"),
            DOMID_IO: Domain(DOMID_IO, "quarantine"),
            DOMID_XEN: Domain(DOMID_XEN, "Xen itself", iommu=False),
        },
        iommu=_arm_iommu(settings, firmware, options, routes, wiring, notices),
        passthrough=settings.pci_passthrough,
        notices=notices,
        admit=None if discovery is None else discovery.admit,
    )
    for number in segments:
        core.records.segment(number)
    if with_vpci is not None:
        with_vpci(core)
    made = BootedXen(core, None, firmware.tree, discovery)
    if settings.arch == "x86_64":
        if settings.iommu:
            try:
                core.iommu = x86_iommu(core, firmware.dmar, firmware.ivrs)
                if core.iommu is not None and discovery is None:
                    scan_segments(core)
            except Stopped as stopped:
                made.crash = stopped.crash
    elif settings.arch == "arm64" and settings.discovery == "xen":
        try:
            _boot_arm(made, firmware)
        except Stopped as stopped:
            made.crash, made.dom0_tree = stopped.crash, None
    return made


def _boot_arm(made: BootedXen, firmware: Firmware) -> None:
    """`pci_init` of the Arm port, and the making of Dom0's tree."""
    core = made.core
    made.scan = Scan()
    strict = core.version.strict_numbers
    if core.version.arm_pci and (core.passthrough or core.iommu is not None):
        core.records.segment(0)
        if firmware.tree is None:
            core.notices.append(Notice("acpi-pci-unsupported"))
        else:
            made.scan = scan_bridges(firmware.tree, Addresses(firmware.tree, strict=strict))
            core.notices += made.scan.notices
            made.crash = made.scan.crash
            for bridge in made.scan.bridges:
                core.routes.append(bridge)
    if made.crash is not None or firmware.tree is None:
        return
    rules = Rules(
        complete=core.passthrough and core.version.arm_pci,
        vpci=core.settings.vpci,
        address_bits=core.settings.address_bits,
        numbers=made.scan.numbers,
        numbering=made.scan.numbering,
        strict=strict,
    )
    tree = dom0_tree(firmware.tree, rules)
    if isinstance(tree, Crash):
        made.crash, made.dom0_tree = tree, None
    else:
        made.dom0_tree = tree


def _arm_iommu(
    settings: Settings,
    firmware: Firmware,
    options: Options,
    routes: Routes,
    wiring: Wiring,
    notices: list[Notice],
) -> Iommu | None:
    """Arm's IOMMU driver that is on, None for none. Today's Arm port reads SMMUs from the device
    tree alone (an ACPI build has no SMMUv3 driver); the 2017 protocol takes IORT as well."""
    if not settings.iommu or settings.arch in ("x86_64", "riscv64"):
        return None
    if settings.arch == "arm" and settings.discovery == "xen":
        return None
    tree, iort = firmware.tree, firmware.iort
    if tree is not None:
        found = driven_iommus(tree)
        if found is None:
            return None

        def by_map(bridge: XenHostBridge, record: Record) -> tuple[int, Streams | None]:
            node = tree.by_path.get(bridge.path)
            return translate(tree, node if node is not None else tree.root, record)

        kind = IOMMU_KINDS[found[0].name]
        return kind(*found, routes, by_map, wiring.stream_bits, notices, options.quarantine)
    if iort is None or settings.discovery == "xen":
        return None
    table = iort
    units = [node for node in table.nodes if isinstance(node.data, Smmu | SmmuV3)]
    if not units:
        return None
    driver = IOMMU_DRIVERS[0] if isinstance(units[0].data, SmmuV3) else IOMMU_DRIVERS[1]
    driven = frozenset(iort_iommu(node.offset) for node in units)

    def by_iort(bridge: XenHostBridge, record: Record) -> tuple[int, Streams | None]:
        return translate_iort(table, record)

    kind = IOMMU_KINDS[driver.name]
    return kind(driver, driven, routes, by_iort, wiring.stream_bits, notices, options.quarantine)


def _memory(settings: Settings, firmware: Firmware) -> tuple[tuple[int, int], ...]:
    """RAM, as far as it is known."""
    found = tuple((area.base, area.size) for area in firmware.memory)
    return found or settings.memory


def _places(firmware: Firmware) -> Callable[[int], tuple[str, Place | None]]:
    """From the base of a configuration window to the artifact's node path and place."""
    known: list[tuple[int, int, str, Place]] = []
    if firmware.tree is not None:
        for node in host_bridge_nodes(firmware.tree):
            known += [
                (entry.cpu, max(entry.size, 1), node.path, entry.place)
                for entry in regs(firmware.tree, node)
                if entry.cpu is not None
            ]
    if firmware.mcfg is not None:
        known += [
            (entry.base + (entry.start_bus << 20), 1 << 20, "", entry.place)
            for entry in firmware.mcfg.entries
        ]

    exact = {one[0]: one for one in reversed(known)}
    inside = First([one[:2] for one in known])

    def find(base: int) -> tuple[str, Place | None]:
        index = inside.of(base)
        found = exact.get(base) or (None if index is None else known[index])
        return ("", None) if found is None else found[2:]

    return find
