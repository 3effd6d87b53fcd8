"""From requester ids to streams: `iommu-map` (linux-pci §1.10), IORT (§3), or DMAR's scopes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rootplex.readers.acpi.dmar import DeviceScope, Dmar, Drhd
from rootplex.readers.acpi.iort import SMMU_TYPES, IortNode, Smmu, SmmuV3
from rootplex.simulator.dom0.rootbridge import RootBridge
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Scan
from rootplex.simulator.routing.aliases import dma_aliases
from rootplex.simulator.routing.firmware import AcpiFacts, DtFacts, Firmware, Source
from rootplex.simulator.routing.lookup import Lookup, dt_lookup, iort_lookup
from rootplex.simulator.routing.routes import DeviceStreams, Step, StreamRoute, Unit
from rootplex.source.record import dataclass

NO_FIRMWARE = "there is no such firmware"


class StreamRouter:
    """The streams of every function by one firmware, each worked out once."""

    def __init__(self, scan: Scan, firmware: Firmware, source: Source) -> None:
        self._find = _finder(scan, firmware, source)
        self._found: dict[tuple[int, int, Function | None], Lookup] = {}
        self._by_function: dict[Function, DeviceStreams] = {}
        self._by_owner = source == "acpi" and firmware.acpi is not None and firmware.acpi.dmar is not None

    def streams(self, function: Function) -> DeviceStreams:
        """All requester ids of a function, and the IOMMU that they agree on."""
        if function not in self._by_function:
            self._by_function[function] = self._streams(function)
        return self._by_function[function]

    def _streams(self, function: Function) -> DeviceStreams:
        routes = []
        for owner, rid in dma_aliases(function):
            found = self._lookup(function, rid)
            routes.append(
                StreamRoute(
                    function, owner, rid, found.unit, found.id, found.steps, found.reason, found.place
                )
            )
        own = routes[0]
        failed = next((route for route in routes if route.unit is None), None)
        if failed is not None:
            reason = failed.reason
            if failed is not own:
                reason = f"its alias {failed.rid:#06x} has none: {reason}"
            return DeviceStreams(function, tuple(routes), None, reason, failed.place)
        odd = next((route for route in routes if route.unit != own.unit), None)
        if odd is not None:
            reason = f"its alias {odd.rid:#06x} goes to another IOMMU"
            return DeviceStreams(function, tuple(routes), None, reason, odd.place)
        return DeviceStreams(function, tuple(routes), own.unit, None, own.place)

    def _lookup(self, function: Function, rid: int) -> Lookup:
        # In DMAR the function decides which unit it is, not the id.
        key = (function.root, rid, function if self._by_owner else None)
        if key not in self._found:
            self._found[key] = self._find(function, rid)
        return self._found[key]


def identity_streams(unit: Unit) -> Callable[[Function], DeviceStreams]:
    """Streams where one unit takes every requester id as it is and no table says so: AMD's IOMMU
    without its IVRS."""

    def streams(function: Function) -> DeviceStreams:
        routes = tuple(
            StreamRoute(function, owner, rid, unit, rid, (), None, unit.place)
            for owner, rid in dma_aliases(function)
        )
        return DeviceStreams(function, routes, unit, None, unit.place)

    return streams


def _finder(scan: Scan, firmware: Firmware, source: Source) -> Callable[[Function, int], Lookup]:
    """How one id of a function is looked up."""
    roots = scan.root_bridges
    if source == "dt":
        dt = firmware.dt
        if dt is None:
            return _nowhere
        return lambda function, rid: _by_iommu_map(dt, roots[function.root], rid)
    acpi = firmware.acpi
    if acpi is None:
        return _nowhere
    if acpi.dmar is not None:
        return _Scopes(acpi.dmar, scan.functions).lookup
    return lambda function, rid: _by_iort(acpi, roots[function.root], function.segment, rid)


def _nowhere(function: Function, rid: int) -> Lookup:
    return Lookup(None, None, (), NO_FIRMWARE, None)


def _by_iommu_map(facts: DtFacts, root: RootBridge, rid: int) -> Lookup:
    bridge = facts.bridge_of(root)
    if bridge is None:
        return Lookup(None, None, (), "the device tree has no node for its host bridge", None)
    if bridge.iommu_map is None:
        return Lookup(None, None, (), "the host bridge has no iommu-map", bridge.place())
    return dt_lookup(facts, bridge.iommu_map, rid)


def _by_iort(facts: AcpiFacts, root: RootBridge, segment: int, rid: int) -> Lookup:
    if facts.iort is None:
        return Lookup(None, None, (), "there is no IORT and no DMAR", None)
    bridge = facts.bridge_of(root)
    if bridge is not None and bridge.coherent.state == "absent":
        reason = "its host bridge has no _CCA, so Linux sets up no DMA"
        return Lookup(None, None, (), reason, bridge.place)
    result, found = iort_lookup(facts.iort, segment, rid, SMMU_TYPES)
    if result is None or result.node is None:
        return found
    return Lookup(smmu_unit(result.node), found.id, found.steps, None, found.place)


def smmu_unit(node: IortNode) -> Unit:
    """The unit that an IORT node of an SMMU stands for."""
    match node.data:
        case SmmuV3(base=base):
            return Unit("smmu-v3", f"SMMUv3 at {base:#x}", base, node.place)
        case Smmu(base=base):
            return Unit("smmu-v2", f"SMMU at {base:#x}", base, node.place)
    return Unit("iommu", f"IORT node at {node.offset:#x}", None, node.place)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A DRHD's claim on a function: `order` among the units, the first wins."""

    order: int
    drhd: Drhd
    scope: DeviceScope | None


class _Scopes:
    """Which VT-d unit a function is under (Linux `dmar_find_matched_drhd_unit`): the first that
    names it or a bridge above it; else the one that takes all the rest of its segment. A VF goes
    by its PF. The stream is the requester id."""

    def __init__(self, dmar: Dmar, functions: Iterable[Function]) -> None:
        at = {(f.segment, f.bus.number, f.devfn): f for f in functions}
        self._dmar = dmar
        self._named: dict[Function, _Claim] = {}
        self._rest: dict[int, _Claim] = {}
        self._claims: dict[Function, _Claim | None] = {}
        for order, drhd in enumerate(dmar.drhds):
            for scope in drhd.scopes:
                function = _named(drhd, scope, at) if scope.type in (1, 2) else None
                if function is not None:
                    self._named.setdefault(function, _Claim(order, drhd, scope))
            if drhd.include_all:
                self._rest.setdefault(drhd.segment, _Claim(order, drhd, None))

    def lookup(self, function: Function, rid: int) -> Lookup:
        claim = self._claim(function.physfn or function) or self._rest.get(function.segment)
        if claim is None:
            reason = f"DMAR has no unit for it in segment {function.segment:#06x}"
            return Lookup(None, None, (), reason, self._dmar.table.place(0))
        place = claim.drhd.place if claim.scope is None else claim.scope.place
        text = "DMAR: the unit that takes all the rest" if claim.scope is None else "DMAR device scope"
        base = claim.drhd.base
        unit = Unit("vt-d", f"VT-d unit at {base:#x}", base, claim.drhd.place)
        return Lookup(unit, rid, (Step(text, rid, rid, place),), None, place)

    def _claim(self, function: Function) -> _Claim | None:
        """The first unit that names the function or a bridge above it."""
        way = []
        at: Function | None = function
        while at is not None and at not in self._claims:
            way.append(at)
            at = at.parent
        best = None if at is None else self._claims[at]
        for passed in reversed(way):
            own = self._named.get(passed)
            if own is not None and (best is None or own.order < best.order):
                best = own
            self._claims[passed] = best
        return best


def _named(drhd: Drhd, scope: DeviceScope, at: dict[tuple[int, int, int], Function]) -> Function | None:
    """The function at the end of a scope's path, by the bus numbers as they stand."""
    bus: int | None = scope.start_bus
    function = None
    for device, number in scope.path:
        function = None if bus is None else at.get((drhd.segment, bus, device << 3 | number))
        if function is None:
            return None
        bus = function.secondary
    return function
