"""From requester ids to streams: `iommu-map` (linux.md §1.10), IORT (§3), DMAR's scopes, IVRS, VIOT,
RIMT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self

from rootplex.readers.acpi.iort_facts import IortNode, Smmu, SmmuV3
from rootplex.readers.acpi.iort_ids import SMMU_TYPES
from rootplex.readers.platform_dt import ControllerKind
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, Firmware
from rootplex.simulator.firmware.routing.aliases import dma_aliases
from rootplex.simulator.firmware.routing.dmar_units import DmarUnits
from rootplex.simulator.firmware.routing.ivrs_units import IvrsUnits
from rootplex.simulator.firmware.routing.listed_units import RimtUnits, ViotUnits
from rootplex.simulator.firmware.routing.lookup import Lookup, dt_lookup, dt_unit, iort_lookup, nowhere
from rootplex.simulator.firmware.routing.own_function import Lost, lost_units
from rootplex.simulator.firmware.routing.routes import (
    Cause,
    DeviceStreams,
    FirmwareUnit,
    StreamRoute,
    UnitKind,
)
from rootplex.simulator.function import Function, Root, Scan


class FunctionUnits(Protocol):
    """A table that says of functions, and not of ids, which unit translates them. `units` are in the order in
    which Linux registers them."""

    units: tuple[FirmwareUnit, ...]

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        """None where there is no such table."""
        ...

    def lookup(self, function: Function, rid: int) -> Lookup: ...


BY_FUNCTION: tuple[type[FunctionUnits], ...] = (DmarUnits, IvrsUnits, ViotUnits, RimtUnits)
"""Of several tables the first is what a machine has."""


class StreamRouter:
    """The streams of every function by one firmware, each worked out once. `units` are its IOMMUs in the
    order in which Linux registers them."""

    def __init__(self, scan: Scan, firmware: Firmware) -> None:
        named = _by_function(firmware, scan.functions) if isinstance(firmware, AcpiFirmware) else None
        self._find = _finder(scan, firmware) if named is None else named.lookup
        self.units = _units(firmware) if named is None else named.units
        self._found: dict[tuple[int, int, Function | None], Lookup] = {}
        self._by_function: dict[Function, DeviceStreams] = {}
        self._by_function_alone = named is not None

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
                StreamRoute(function, owner, rid, found.unit, found.id, found.steps, found.cause, found.place)
            )
        own = routes[0]
        failed = next((route for route in routes if route.unit is None), None)
        if failed is not None:
            cause = failed.cause
            if failed is not own:
                cause = Cause("alias-lost", id=failed.rid, behind=cause)
            return DeviceStreams(function, tuple(routes), None, cause, failed.place)
        odd = next((route for route in routes if route.unit != own.unit), None)
        if odd is not None:
            cause = Cause("alias-elsewhere", id=odd.rid)
            return DeviceStreams(function, tuple(routes), None, cause, odd.place)
        return DeviceStreams(function, tuple(routes), own.unit, None, own.place)

    def _lookup(self, function: Function, rid: int) -> Lookup:
        # Where a table names functions, the function decides which unit it is, not the id.
        key = (function.root, rid, function if self._by_function_alone else None)
        if key not in self._found:
            self._found[key] = self._find(function, rid)
        return self._found[key]


def _by_function(acpi: AcpiFirmware, functions: Sequence[Function]) -> FunctionUnits | None:
    return next((units for kind in BY_FUNCTION if (units := kind.of(acpi, functions)) is not None), None)


def _finder(scan: Scan, firmware: Firmware) -> Callable[[Function, int], Lookup]:
    """How one id of a function is looked up."""
    roots = scan.root_bridges
    if isinstance(firmware, DtFirmware):
        lost = lost_units(scan, firmware)
        return lambda function, rid: _by_iommu_map(firmware, roots[function.root], rid, lost)
    return lambda function, rid: _by_iort(firmware, roots[function.root], function.segment, rid)


IOMMU_KINDS: frozenset[ControllerKind] = frozenset({"smmu-v2", "smmu-v3", "riscv-iommu", "iommu"})
DRIVERS: tuple[UnitKind, ...] = ("smmu-v2", "smmu-v3")
"""IOMMU drivers in link order (`drivers/iommu/arm/Makefile`); others come behind them."""


def _units(firmware: Firmware) -> tuple[FirmwareUnit, ...]:
    """Driver by driver, a driver's units as its devices were made: nodes in document order, IORT's in the
    table's."""
    if isinstance(firmware, DtFirmware):
        controllers = firmware.platform.controllers
        found = [dt_unit(firmware, each.path) for each in controllers if each.kind in IOMMU_KINDS]
    else:
        nodes = () if firmware.iort is None else firmware.iort.nodes
        found = [smmu_unit(node) for node in nodes if node.type in SMMU_TYPES]
    return tuple(sorted(found, key=lambda unit: DRIVERS.index(unit.kind) if unit.kind in DRIVERS else 2))


def _by_iommu_map(facts: DtFirmware, root: Root, rid: int, lost: Mapping[str, Lost]) -> Lookup:
    bridge = facts.bridge_of(root)
    if bridge is None:
        return nowhere(Cause("no-node"))
    if bridge.iommu_map is None:
        return nowhere(Cause("no-map"), bridge.place())
    found = dt_lookup(facts, bridge.iommu_map, rid)
    why = None if found.unit is None else lost.get(found.unit.name)
    return found if why is None else nowhere(why.cause, why.place or found.place, found.steps)


def _by_iort(facts: AcpiFirmware, root: Root, segment: int, rid: int) -> Lookup:
    if facts.iort is None:
        return nowhere(Cause("no-table"))
    bridge = facts.bridge_of(root)
    if bridge is not None and bridge.cca.state == "absent":
        return nowhere(Cause("no-cca"), bridge.place)
    result, found = iort_lookup(facts.iort, segment, rid, SMMU_TYPES)
    if result is None or result.node is None:
        return found
    return Lookup(smmu_unit(result.node), found.id, found.steps, None, found.place)


def smmu_unit(node: IortNode) -> FirmwareUnit:
    """The unit that an IORT node of an SMMU stands for."""
    match node.data:
        case SmmuV3(base=base):
            return FirmwareUnit("smmu-v3", f"SMMUv3 at {base:#x}", base, node.place)
        case Smmu(base=base):
            return FirmwareUnit("smmu-v2", f"SMMU at {base:#x}", base, node.place)
    return FirmwareUnit("iommu", f"IORT node at {node.offset:#x}", None, node.place)
