"""Sentences about what ends nowhere or does not come up: routes, host bridges, BARs, kernels.

Findings say them too, so that this module uses nothing but the simulator's facts, and checks may use it.
"""

from __future__ import annotations

from rootplex.formats.acpi import ROOT_BRIDGE
from rootplex.simulator.firmware.routing.explain import Difference
from rootplex.simulator.firmware.routing.routes import (
    Cause,
    CauseKind,
    IntxRoute,
    MsiRoute,
    Step,
    StepKind,
    StreamRoute,
)
from rootplex.simulator.function import Sriov
from rootplex.simulator.linux.bars import FIRST_VF_INDEX
from rootplex.simulator.linux.rootbridge import FaultKind, RootBridge
from rootplex.simulator.linux.state import Death, Unplaced
from rootplex.simulator.xen.discovery_2017 import Refusal, RefusedWhy

CAUSES: dict[CauseKind, str] = {
    "no-node": "the device tree has no node for its host bridge",
    "no-device": "the namespace has no device for its host bridge",
    "no-map": "the host bridge has no iommu-map",
    "no-msi": "the host bridge has neither msi-map nor msi-parent",
    "no-parent": "msi-parent of the host bridge is empty",
    "no-iort": "there is no IORT",
    "no-imsic": "no MADT says where an IMSIC is",
    "no-table": "Linux uses no IORT, DMAR or IVRS",
    "no-cca": "its host bridge has no _CCA, so Linux sets up no DMA",
    "not-mapped": "{of}: {told}",
    "disabled": "{of}: {name} is disabled",
    "no-driver": "{of}: no driver comes up, {told}",
    "parent-missing": "msi-parent: no node has phandle {id:#x}",
    "parent-lacking": "msi-parent: {id} cells of its specifier are missing",
    "parent-disabled": "msi-parent: its target is disabled",
    "parent-takes-none": "msi-parent: {name} is a host bridge whose driver takes no messages",
    "group-empty": "IORT: the ITS group names no ITS",
    "its-unknown": "IORT: MADT has no ITS with the id {id}",
    "registers-taken": "two units of {of} have the registers at {id:#x}: Linux uses none of it",
    "no-unit": "{of} has no unit for it in segment {segment:#06x}",
    "itself": "it is an IOMMU itself",
    "no-own-function": "there is no {name}, the function of the unit at {id:#x}: Linux uses none of IVRS",
    "behind-itself": "{name} is mapped to itself, and waits for itself",
    "unit-not-there": "there is no {name}",
    "viot-unit-not-there": "there is no {name}, to which VIOT leads",
    "unit-without-function": "there is no function where {name} is",
    "no-root-complex": "RIMT has no root complex of segment {segment:#06x}",
    "no-root-complex-node": "IORT has no root complex node for segment {segment:#06x}",
    "no-mapping": "RIMT has no mapping for {id:#06x} of segment {segment:#06x}",
    "no-range": "VIOT has no range for {id:#06x} of segment {segment:#06x}",
    "mapping-nowhere": "RIMT's mapping leads to no IOMMU",
    "alias-lost": "its alias {id:#06x} has none: {behind}",
    "alias-elsewhere": "its alias {id:#06x} goes to another IOMMU",
    "kernel-without-driver": "{name} has no driver for RISC-V's IOMMU",
    "pin-not-mapped": "{told}",
    "pin-without-driver": "no driver comes up for its controller, {told}",
    "no-prt": "{name} has no usable _PRT",
    "no-prt-entry": "_PRT has no entry for device {id:#x}, pin {name}",
}

STEPS: dict[StepKind, str] = {
    "map-entry": "{0.of} entry {0.number:#06x}, {0.count} ids, to {0.name}",
    "msi-parent": "msi-parent {0.name}",
    "own-messages": "no msi-parent: the driver of {0.name}",
    "interrupt-map": "interrupt-map entry to {0.name}",
    "iort-mapping": "IORT mapping {0.count} of the node at {0.number:#x}",
    "iort-last-id": "IORT mapping {0.count} of the node at {0.number:#x} (its last id, taken since no range "
    "starts there)",
    "dmar-scope": "DMAR device scope",
    "dmar-rest": "DMAR: the unit that takes all the rest",
    "ivrs-entry": "IVRS device entry",
    "ivrs-alias": "IVRS alias entry",
    "viot-range": "VIOT range",
    "rimt-mapping": "RIMT mapping",
    "msi-frame": "MADT: GIC MSI frame",
    "local-apic": "local APIC",
    "imsic": "MADT: IMSIC",
    "prt-entry": "_PRT device {0.number:#x} to {0.name}",
}

_CLASH = "overlaps {fault.clash.what} at {fault.clash.base:#x}-{fault.clash.end:#x}"
FAULTS: dict[FaultKind, str] = {
    "not-matched": f"neither _HID nor _CID is {ROOT_BRIDGE}",
    "no-driver": "no driver for {compatible}",
    "block-missing": "its driver finds no register block named {fault.name}",
    "config-missing": "reg gives no configuration space",
    "config-empty": "the configuration space has size 0",
    "config-clash": "{config.base:#x}-{config.last:#x} " + _CLASH,
    "config-above-4g": "configuration space at {config.base:#x} lies beyond 4 GiB "
    "and this kernel has no LPAE",
    "no-bus-map": "the driver maps no bus by itself, which a 32-bit kernel needs",
    "window-clash": "{fault.first:#x}-{fault.last:#x} " + _CLASH,
    "segment-failed": "_SEG cannot be evaluated: {fault.name}",
    "domain-taken": "domain {fault.first:#x} already belongs to another bridge",
    "domain-inconsistent": "linux,pci-domain is on some bridges only, and this kernel takes all or none",
    "bus-range-reversed": "bus range {root.first_bus:#x}-{root.last_bus:#x} runs backwards",
    "ecam-not-found": "no ECAM region for segment {root.segment:#x}, buses "
    "{root.first_bus:#x}-{root.last_bus:#x}",
    "ports-not-reaching": "no ECAM for segment {root.segment:#x}, which the ports do not reach",
    "bus-exists": "bus {root.segment:04x}:{root.first_bus:02x} already belongs to {fault.name}",
}


REFUSALS: dict[RefusedWhy, str] = {
    "wide-segment": "the segment is wider than 16 bits",
    "no-buses": "the bus range is none",
    "unknown-kind": "unknown kind {call.kind}",
    "wrong-size": "{call.size:#x} bytes are not {buses} buses of 1 MiB",
    "shared-bus": "bus {at:#x} is already owned",
    "in-memory": "it overlaps RAM at {at:#x}",
    "in-window": "it overlaps another window at {at:#x}",
}


def because(cause: Cause) -> str:
    """Why something ends nowhere: lower case, no full stop."""
    return CAUSES[cause.kind].format(
        of=cause.of,
        segment=cause.segment,
        id=cause.id,
        name=cause.name,
        told=cause.told,
        behind="" if cause.behind is None else because(cause.behind),
    )


def step(taken: Step) -> str:
    """What an entry of firmware on the way is."""
    return STEPS[taken.kind].format(taken)


def fault(root: RootBridge) -> str:
    """Why a host bridge does not come up: lower case, no full stop."""
    assert root.fault is not None
    compatible = ", ".join(root.compatible)
    return FAULTS[root.fault.kind].format(
        root=root, fault=root.fault, config=root.config, compatible=compatible
    )


def unplaced(lost: Unplaced) -> str:
    """What found no room, and where."""
    function, bar = lost.function, lost.bar
    size = bar.size
    if bar.index >= FIRST_VF_INDEX and function.sriov is not None:
        size *= function.sriov.total
    space = "I/O" if bar.space == "io" else "prefetchable memory" if bar.prefetchable else "memory"
    reach = " below 4 GiB" if bar.space == "mem32" else ""
    bridge = function.bus.bridge
    where = "the host bridge's windows" if bridge is None else f"the windows of {bridge.sbdf}"
    return f"no room for {size:#x} bytes of {space}{reach} in {where}"


def refusal(refused: Refusal) -> str:
    """Why the 2017 protocol does not take a host bridge."""
    call = refused.call
    assert call is not None
    span = f"{call.segment:04x}:[{call.start_bus:02x}-{call.end_bus:02x}]"
    buses = call.end_bus - call.start_bus + 1
    why = REFUSALS[refused.why].format(call=call, at=refused.at, buses=buses)
    return f"host bridge {span} at {call.base:#x} refused: {why}"


def not_enabled(sriov: Sriov) -> str:
    """Why the VFs of a PF cannot be enabled."""
    if isinstance(sriov.refused, tuple):
        bus, limit = sriov.refused
        return f"VFs reach bus {bus:#04x}, beyond {limit:#04x}"
    return "not enough address space for the VF BARs"


def death(died: Death) -> str:
    """What killed a kernel."""
    match died.kind:
        case "abort":
            return f"external abort: {died.told}"
        case "hypervisor":
            return f"Xen went down: {died.told}" if died.told else "Xen is down"
    bus = f"bus {died.number & 0xFF:#04x}"
    around = f"bus {died.number:#x} is {bus} again: " if died.number > 0xFF else ""
    return f"stack overflow: {around}{bus} is scanned without end"


def difference(each: Difference) -> tuple[str, str, str]:
    """What two firmwares say differently, and what either says."""
    route = each.by_dt
    if isinstance(route, StreamRoute):
        what = f"stream of requester id {route.rid:#06x}"
    else:
        what = "device id" if isinstance(route, MsiRoute) else "interrupt line"
    return what, _end(each.by_dt), _end(each.by_acpi)


def _end(route: StreamRoute | MsiRoute | IntxRoute) -> str:
    if isinstance(route, IntxRoute):
        there = f"interrupt {route.irq}" if route.is_routed else None
    else:
        unit = route.unit if isinstance(route, StreamRoute) else route.controller
        there = None if unit is None or route.id is None else f"{route.id:#x} at {unit.name}"
    if there is not None:
        return there
    return "none" if route.cause is None else f"none: {because(route.cause)}"
