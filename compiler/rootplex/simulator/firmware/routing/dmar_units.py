"""From functions to VT-d units, by DMAR's device scopes (VT-d specification 4.1 §8.3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from msgspec import Struct

from rootplex.readers.acpi.dmar import DeviceScope, Dmar, Drhd
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.firmware.routing.lookup import Lookup, nowhere
from rootplex.simulator.firmware.routing.routes import Cause, FirmwareUnit, Step
from rootplex.simulator.function import Function

PAGE_BITS = 12


class _Claim(Struct, frozen=True):
    """A DRHD's claim on a function: `order` among the units, the first wins."""

    order: int
    drhd: Drhd
    scope: DeviceScope | None


class DmarUnits:
    """Which VT-d unit a function is under (Linux `dmar_find_matched_drhd_unit`): the first that
    names it or a bridge above it; else the one that takes all the rest of its segment. A VF goes
    by its PF. The stream is the requester id."""

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        return None if acpi.dmar is None or _is_dropped(acpi.dmar) else cls(acpi.dmar, functions)

    def __init__(self, dmar: Dmar, functions: Sequence[Function]) -> None:
        self.units = tuple(map(vtd_unit, registered(dmar)))
        at = {(f.segment, f.bus.number, f.devfn): f for f in functions}
        self._dmar = dmar
        self._named: dict[Function, _Claim] = {}
        self._rest: dict[int, _Claim] = {}
        self._claims: dict[Function, _Claim | None] = {}
        self._clash = _registers_taken(dmar)
        for order, drhd in enumerate(registered(dmar)):
            for scope in drhd.scopes:
                function = scope_end(drhd.segment, scope, at) if scope.type in (1, 2) else None
                if function is not None:
                    self._named.setdefault(function, _Claim(order, drhd, scope))
            if drhd.include_all:
                self._rest.setdefault(drhd.segment, _Claim(order, drhd, None))

    def lookup(self, function: Function, rid: int) -> Lookup:
        if self._clash is not None:
            return nowhere(Cause("registers-taken", "DMAR", id=self._clash.base), self._clash.place)
        claim = self._claim(function.physfn or function) or self._rest.get(function.segment)
        if claim is None:
            return nowhere(Cause("no-unit", "DMAR", function.segment), self._dmar.table.place(0))
        place = claim.drhd.place if claim.scope is None else claim.scope.place
        step = Step("dmar-rest" if claim.scope is None else "dmar-scope", rid, rid, place)
        return Lookup(vtd_unit(claim.drhd), rid, (step,), None, place)

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


def _is_dropped(dmar: Dmar) -> bool:
    """Whether Linux uses none of the table: addresses of less than a page (`parse_dmar_table`), or a unit at
    0 (`dmar_validate_one_drhd`)."""
    return dmar.host_address_width < PAGE_BITS or not all(unit.base for unit in dmar.drhds)


def registered(dmar: Dmar) -> list[Drhd]:
    """The units in Linux's order (`dmar_register_drhd_unit`): the last one of the table first, those that
    take all the rest at the end."""
    named = [drhd for drhd in dmar.drhds if not drhd.include_all]
    return [*reversed(named), *(drhd for drhd in dmar.drhds if drhd.include_all)]


def vtd_unit(drhd: Drhd) -> FirmwareUnit:
    """The unit that a DRHD stands for."""
    return FirmwareUnit("vt-d", f"VT-d unit at {drhd.base:#x}", drhd.base, drhd.place)


def _registers_taken(dmar: Dmar) -> Drhd | None:
    """A unit whose registers one of another segment has: `map_iommu` fails, and with it the table."""
    first: dict[int, Drhd] = {}
    for drhd in dmar.drhds:
        if first.setdefault(drhd.base, drhd).segment != drhd.segment:
            return drhd
    return None


def scope_end(
    segment: int, scope: DeviceScope, at: Mapping[tuple[int, int, int], Function]
) -> Function | None:
    """The function at the end of a scope's path, by the bus numbers as they stand."""
    bus: int | None = scope.start_bus
    function = None
    for device, number in scope.path:
        function = None if bus is None else at.get((segment, bus, device << 3 | number))
        if function is None:
            return None
        bus = function.secondary
    return function
