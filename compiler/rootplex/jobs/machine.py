"""The machine of a simulated platform: bridges, devices, groups, Xen and the boot device, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rootplex.checks.facts import Facts, Joined
from rootplex.formats.pci import devfn_text
from rootplex.jobs.dma import dma_by_bridge
from rootplex.jobs.result import (
    Acs,
    Bar,
    BootResult,
    BridgeResult,
    Device,
    Dma,
    Ecam,
    Group,
    Hypercall,
    Line,
    Machine,
    Message,
    Numbers,
    Stream,
    Why,
    WindowResult,
    XenResult,
)
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import GicV2, GicV3, Its
from rootplex.model.platform import Platform
from rootplex.model.virtual import device_of
from rootplex.report.reasons import sentence
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.firmware.routing.routes import IntxRoute
from rootplex.simulator.function import Bar as SimulatedBar
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group as Grouped
from rootplex.simulator.linux.rootbridge import RootBridge

PORT_KINDS = {
    0: "endpoint", 1: "legacy-endpoint", 4: "root-port", 5: "upstream-port", 6: "downstream-port",
    7: "pcie-to-pci-bridge", 8: "pci-to-pcie-bridge", 9: "integrated-endpoint", 10: "event-collector",
}  # fmt: skip
"""PCIe Device/Port Type → the language's word (PCIe 6.0 §7.5.3.2)."""


def machine_of(platform: Platform, facts: Facts, outcome: Outcome) -> Machine:
    """The simulated machine. Names are the description's, where it has them."""
    owners = {page: guest.name for guest in outcome.settings.guests for page in guest.pages}
    units = unit_names(platform, facts)
    lines = line_names(platform, facts)
    dma = dma_by_bridge(facts)
    roots = _roots(facts, outcome)
    return Machine(
        bridges=tuple(
            _bridge(each, facts, outcome, roots.get(each.name), dma.get(each.name))
            for each in platform.host_bridges
        ),
        devices=tuple(
            _device(each, outcome, facts.pages, owners, units, lines) for each in outcome.dom0.functions
        ),
        groups=tuple(_group(group, owners) for group in outcome.linux.groups),
        safe=tuple(tuple(each.sbdf for each in group.members) for group in outcome.safe.groups),
        xen=_xen(outcome),
        boot=boot_of(platform, facts, outcome),
    )


def _xen(outcome: Outcome) -> XenResult | None:
    if outcome.xen is None or outcome.xen_groups is None:
        return None
    return XenResult(
        groups=tuple(tuple(each.sbdf for each in group.members) for group in outcome.xen_groups.groups),
        outcome=outcome.xen.outcome,
        hypercalls=tuple(
            Hypercall(op=call.op, args=dict(call.args), result=call.result) for call in outcome.xen.calls
        ),
        version=outcome.settings.xen,
    )


def _roots(facts: Facts, outcome: Outcome) -> dict[str, RootBridge]:
    """Dom0's root bridges by the names of the description's host bridges, the first of each."""
    found: dict[str, RootBridge] = {}
    for root in outcome.dom0.root_bridges:
        joined = facts.joined(root.path)
        if joined is not None:
            found.setdefault(joined.name, root)
    return found


def _bridge(
    described: HostBridge, facts: Facts, outcome: Outcome, root: RootBridge | None, dma: Dma | None
) -> BridgeResult:
    firmware = outcome.settings.firmware
    bridge = described.as_seen_by(firmware) or described
    seen = described.as_seen_by(firmware) is not None
    joined = facts.named(described.name)
    up = root is not None and root.is_up
    config = bridge.config
    return BridgeResult(
        name=described.name,
        enabled=bridge.enabled and seen,
        segment=root.segment if root is not None and root.is_up else bridge.segment,
        bus_range=(bridge.bus_range.first, bridge.bus_range.last),
        ecam=Ecam(base=config.base, size=config.size) if config.is_ecam else None,
        windows=tuple(
            WindowResult(
                space=window.space,
                prefetchable=window.prefetchable,
                pci=window.pci,
                cpu=window.cpu,
                size=window.size,
            )
            for window in bridge.windows
        ),
        numbers=_numbers(joined, root, facts, outcome),
        in_mcfg=bool(joined is not None and joined.mcfg),
        registered=up,
        dma=dma,
    )


def _numbers(joined: Joined | None, root: RootBridge | None, facts: Facts, outcome: Outcome) -> Numbers:
    dt = None if joined is None or joined.dt is None else joined.dt.domain
    seg = None if joined is None or joined.acpi is None else joined.acpi.segment
    mcfg = joined.mcfg[0].segment if joined is not None and joined.mcfg else None
    iort = None
    if seg is not None and facts.acpi is not None and facts.acpi.iort is not None:
        iort = seg if seg in facts.acpi.iort.root_complexes else None
    return Numbers(
        dt=dt,
        mcfg=mcfg,
        seg=seg,
        iort=iort,
        xen=None if root is None else xen_segment(root, outcome),
        dom0=root.segment if root is not None and root.is_up else None,
    )


def xen_segment(root: RootBridge, outcome: Outcome) -> int | None:
    """The segment under which Xen knows a bridge: by its own scan, a registration, or MCFG (x86).
    None where there is no Xen."""
    xen = outcome.xen
    if xen is None:
        return None
    own = xen.segment_of(root.path)
    if own is not None:
        return own
    discovery = xen.discovery
    for each in () if discovery is None else discovery.registrations:
        bridge = each.bridge
        if bridge.segment == root.segment and bridge.root.holds_bus(root.first_bus):
            return bridge.segment
    for call in xen.calls:
        args = call.args
        if call.op == "pci_mmcfg_reserved" and call.result == 0 and args.get("segment") == root.segment:
            return root.segment
    return None


def _device(
    function: Function,
    outcome: Outcome,
    names: Mapping[str, str],
    owners: Mapping[str, str],
    units: Mapping[int | str, str],
    lines: Mapping[str | None, str],
) -> Device:
    streams = outcome.streams.get(function)
    route = None if streams is None or streams.unit is None else streams.own
    message = outcome.messages.get(function)
    intx = outcome.intx.get(function)
    buses = (function.secondary, function.subordinate)
    return Device(
        sbdf=function.sbdf,
        name=names.get(function.page),
        parent=None if function.parent is None else function.parent.sbdf,
        vendor=function.vendor,
        device=function.device,
        subsystem=function.subsystem,
        revision=function.revision,
        class_code=function.class_code,
        header=function.header,
        bus=None if not function.is_bridge or buses[0] is None or buses[1] is None else (buses[0], buses[1]),
        type=type_of(function),
        physfn=None if function.physfn is None else function.physfn.sbdf,
        acs=None if function.acs is None else Acs(cap=function.acs[0], ctl=function.acs[1]),
        group=function.group,
        group_at_boot=function.group_at_boot,
        stream=None
        if route is None or route.unit is None or route.id is None
        else Stream(unit=_unit(route.unit.base, route.unit.name, units), id=route.id),
        msi=None
        if message is None or message.controller is None
        else Message(
            controller=_unit(message.controller.base, message.controller.name, units), id=message.id
        ),
        intx=None if intx is None or not intx.is_routed else _line(function, intx, lines),
        aliases=tuple(devfn_text(devfn) for devfn in function.aliases),
        bars=tuple(_bar(bar) for bar in function.bars),
        guest=owners.get(function.page),
    )


def _line(function: Function, intx: IntxRoute, lines: Mapping[str | None, str]) -> Line:
    return Line(
        pin="ABCD"[(function.pin - 1) & 3],
        controller=lines.get(intx.controller, intx.controller),
        irq=intx.irq,
    )


def type_of(function: Function) -> str:
    """The language's word for what a function is."""
    if function.pcie_type is not None:
        return PORT_KINDS.get(function.pcie_type, "endpoint")
    if function.is_bridge:
        return "pci-bridge"
    return "host-bridge-function" if function.class_code >> 8 == 0x0600 else "pci"


def _bar(bar: SimulatedBar) -> Bar:
    return Bar(index=bar.index, space=bar.space, base=bar.cpu, pci=bar.pci, size=bar.size)


def unit_names(platform: Platform, facts: Facts) -> dict[int | str, str]:
    """What the description calls controllers and IOMMUs, by first register address; an ITS by what IORT calls
    it, which has no address there, and a host bridge by its node's path."""
    names: dict[int | str, str] = {each.dt.path: each.name for each in facts.bridges if each.dt is not None}
    for each in (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus):
        base = each.distributor.base if isinstance(each, GicV3 | GicV2) else each.base
        if base is not None:
            names[base] = each.name
        if isinstance(each, Its):
            names[f"ITS {each.id}"] = each.name
    return names


def line_names(platform: Platform, facts: Facts) -> dict[str | None, str]:
    """What an INTx line's controller is called, by its node's path; by None for a plain GSI of ACPI,
    which goes to the interrupt controller where the platform has one."""
    units = unit_names(platform, facts)
    names: dict[str | None, str] = {}
    for path, controller in facts.dt_controllers.items():
        if controller.base is not None and controller.base in units:
            names[path] = units[controller.base]
    if len(platform.interrupt_controllers) == 1:
        names[None] = platform.interrupt_controllers[0].name
    return names


def _unit(base: int | None, name: str, units: Mapping[int | str, str]) -> str:
    return units.get(name if base is None else base, name)


def _group(group: Grouped, owners: Mapping[str, str]) -> Group:
    guests = {name for function in group.members if (name := owners.get(function.page)) is not None}
    alone = guests.pop() if len(guests) == 1 else None
    return Group(
        id=group.id,
        members=tuple(function.sbdf for function in group.members),
        guest=alone,
        why=tuple(
            Why(sbdf=reason.function.sbdf, text=sentence(reason), kind=reason.kind)
            for reason in group.reasons
        ),
    )


def boot_of(platform: Platform, facts: Facts, outcome: Outcome) -> BootResult | None:
    """The boot device: where it is and by what it can be reached before any AML is interpreted."""
    if platform.boot is None:
        return None
    device = platform.boot.device
    functions = outcome.dom0.functions
    function = next((each for each in functions if facts.pages.get(each.page) == device), None)
    owner = next((bridge for bridge, each in platform.walk() if each.name == device_of(device)), None)
    return BootResult(
        device=device,
        sbdf=None if function is None else function.sbdf,
        reachable_by=() if owner is None else tuple(reachable_by(owner.name, platform, facts)),
    )


def reachable_by(bridge: str, platform: Platform, facts: Facts) -> Sequence[str]:
    """The ways to the configuration space of a bridge: `mcfg`, `cba`, `dt`, `ports`."""
    joined = facts.named(bridge)
    ways = []
    if joined is not None:
        if joined.mcfg:
            ways.append("mcfg")
        if joined.acpi is not None and joined.acpi.cba.known:
            ways.append("cba")
        if joined.dt is not None and joined.dt.enabled:
            ways.append("dt")
        if platform.arch == "x86_64" and joined.acpi is not None and joined.acpi.segment == 0:
            ways.append("ports")
    return ways
