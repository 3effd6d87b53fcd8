"""From requester ids to MSI controllers and device ids (linux.md §1.11, §3.4)."""

from __future__ import annotations

from rootplex.readers.acpi.iort_facts import ItsGroup
from rootplex.readers.acpi.iort_ids import ITS_TYPES
from rootplex.readers.acpi.madt import Madt
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.phandles import PhandleRef
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, Firmware
from rootplex.simulator.firmware.routing.aliases import requester_id
from rootplex.simulator.firmware.routing.lookup import Lookup, dt_lookup, dt_unit, iort_lookup, nowhere
from rootplex.simulator.firmware.routing.routes import Cause, FirmwareUnit, MsiRoute, Step, StepKind
from rootplex.simulator.function import Function, Root, Scan
from rootplex.source.place import Place

LOCAL_APIC = "lapic"


class MsiRouter:
    """Where the messages of every function go by one firmware."""

    def __init__(self, scan: Scan, firmware: Firmware, arch: str = "arm64") -> None:
        self._roots = scan.root_bridges
        self._arch = arch
        self._firmware = firmware
        self._found: dict[tuple[int, int], Lookup] = {}

    def route(self, function: Function) -> MsiRoute:
        """The controller and DeviceID; without a controller the DeviceID is the requester id."""
        rid = requester_id(function)
        key = function.root, rid
        if key not in self._found:
            self._found[key] = self._lookup(function, rid)
        found = self._found[key]
        id = rid if found.id is None else found.id
        return MsiRoute(function, rid, found.unit, id, found.steps, found.cause, found.place)

    def _lookup(self, function: Function, rid: int) -> Lookup:
        root = self._roots[function.root]
        if isinstance(self._firmware, DtFirmware):
            return _by_device_tree(self._firmware, root, rid)
        if self._arch == "riscv64":
            return _by_imsic(self._firmware, rid)
        found = _by_acpi(self._firmware, function.segment, rid)
        return _local_apic(root, rid) if found.unit is None and self._arch == "x86_64" else found


def _local_apic(root: Root, rid: int) -> Lookup:
    """x86 needs no described controller: a message is a write to the local APICs, which every CPU
    has (Intel SDM 3 §11.11); whose it is no table says."""
    place = root.places["node"]
    unit = FirmwareUnit("lapic", LOCAL_APIC, None, place)
    return Lookup(unit, rid, (Step("local-apic", rid, rid, place),), None, place)


def _by_imsic(facts: AcpiFirmware, rid: int) -> Lookup:
    """RISC-V has the IMSICs of its processors, or nothing (`imsic_acpi_get_fwnode`)."""
    imsic = None if facts.madt is None else facts.madt.imsic
    if imsic is None:
        return nowhere(Cause("no-imsic"))
    unit = FirmwareUnit("msi", f"IMSIC at {imsic.imsic:#x}", imsic.imsic, imsic.place)
    return Lookup(unit, rid, (Step("imsic", rid, rid, imsic.place),), None, imsic.place)


def _by_device_tree(facts: DtFirmware, root: Root, rid: int) -> Lookup:
    """`msi-map` of the node or the nearest ancestor with one; what that leaves out, and bridges without one,
    go by `msi-parent`, which keeps the id, and last to the bridge itself where its driver takes messages."""
    bridge = facts.bridge_of(root)
    if bridge is None:
        return nowhere(Cause("no-node"))
    mapped = None if bridge.msi_map is None else dt_lookup(facts, bridge.msi_map, rid)
    if mapped is not None and (mapped.unit is not None or mapped.refused):
        return mapped
    named = _by_msi_parent(facts, bridge, rid)
    if named.unit is None and bridge.is_own_msi_controller:
        return _by_bridge(bridge, rid, "own-messages", bridge.place())
    return named if mapped is None or named.unit is not None else mapped


def _by_bridge(bridge: DtHostBridge, rid: int, how: StepKind, place: Place) -> Lookup:
    """A host bridge that takes messages itself: by their data, so that the id stays the requester id."""
    unit = FirmwareUnit("bridge", bridge.path, None, bridge.place())
    return Lookup(unit, rid, (Step(how, rid, rid, place, name=bridge.path),), None, place)


def _by_msi_parent(facts: DtFirmware, bridge: DtHostBridge, rid: int) -> Lookup:
    first: Lookup | None = None
    if not bridge.msi_parent:
        cause = Cause("no-parent" if bridge.has_msi_parent else "no-msi")
        return nowhere(cause, bridge.place())
    for parent in bridge.msi_parent:
        fault = _fault(facts, parent)
        taker = None if parent.target is None else facts.bridge_at(parent.target)
        if fault is None and taker is not None:
            return _by_bridge(taker, rid, "msi-parent", parent.place)
        if fault is None and parent.target is not None:
            steps = (Step("msi-parent", rid, rid, parent.place, name=parent.target),)
            return Lookup(dt_unit(facts, parent.target), rid, steps, None, parent.place)
        first = first or (None if fault is None else nowhere(fault, parent.place))
        if parent.target is None or parent.lacking:
            break
    return first or nowhere(Cause("no-parent"), bridge.place())


def _fault(facts: DtFirmware, parent: PhandleRef) -> Cause | None:
    """Why Linux finds no MSI domain behind an entry of `msi-parent` (`of_phandle_iterator_next`)."""
    if parent.target is None:
        return Cause("parent-missing", id=parent.phandle)
    if parent.lacking:
        return Cause("parent-lacking", id=parent.lacking)
    if not parent.target_enabled:
        return Cause("parent-disabled")
    bridge = facts.bridge_at(parent.target)
    if bridge is not None and not bridge.is_own_msi_controller:
        return Cause("parent-takes-none", name=parent.target)
    lost = facts.lost(parent.target)
    return None if lost is None else Cause("no-driver", "msi-parent", told=lost)


def _by_acpi(facts: AcpiFirmware, segment: int, rid: int) -> Lookup:
    """IORT down to an ITS group, of which Linux takes the first ITS; without a way there, or without any
    ITS in MADT (`iort_get_device_domain` finds none), a GICv2m frame; on x86 the local APIC."""
    iort, madt = facts.iort, facts.madt
    found = nowhere(Cause("no-iort"))
    if iort is not None:
        result, found = iort_lookup(iort, segment, rid, ITS_TYPES)
        if result is not None and result.node is not None:
            data = result.node.data
            ids = data.ids if isinstance(data, ItsGroup) else ()
            if not ids:
                return nowhere(Cause("group-empty"), result.node.place, found.steps)
            its = next((its for its in madt.its if its.id == ids[0]), None) if madt is not None else None
            if madt is not None and its is None and not _has_frames_alone(madt):
                return nowhere(Cause("its-unknown", id=ids[0]), result.node.place, found.steps)
            if madt is None or its is not None:
                base, place = (None, result.node.place) if its is None else (its.base, its.place)
                unit = FirmwareUnit("its", f"ITS {ids[0]}", base, place)
                return Lookup(unit, found.id, found.steps, None, found.place)
    if madt is not None and _has_frames_alone(madt):
        frame = madt.msi_frames[0]
        unit = FirmwareUnit("v2m", f"GICv2m frame {frame.id}", frame.base, frame.place)
        return Lookup(unit, rid, (Step("msi-frame", rid, rid, frame.place),), None, frame.place)
    if iort is None and madt is not None and madt.ioapics:
        place = madt.table.place(36, 4)
        unit = FirmwareUnit("lapic", LOCAL_APIC, madt.local_apic, place)
        return Lookup(unit, rid, (Step("local-apic", rid, rid, place),), None, place)
    return found


def _has_frames_alone(madt: Madt) -> bool:
    """Whether messages go to a GICv2m frame: a GICv2, which has no ITS."""
    return bool(madt.msi_frames) and not madt.its
