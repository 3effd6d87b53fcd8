"""From functions to AMD's IOMMUs, by IVRS's requester ids (Linux drivers/iommu/amd/init.c)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self, TypeAlias

from rootplex.formats.pci import sbdf_text
from rootplex.readers.acpi.ivrs import LAST_ID, Ivhd, IvhdIds, Ivrs
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.firmware.routing.lookup import Lookup, nowhere
from rootplex.simulator.firmware.routing.routes import Cause, FirmwareUnit, Step
from rootplex.simulator.function import Function


class IvrsUnits:
    """Which unit a function is under (`rlookup_table`): of entries that name its requester id the last. A
    unit does not translate itself. The function's own id decides, whatever else its requests carry; the
    stream is the id that they carry."""

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        return None if acpi.ivrs is None else cls(acpi.ivrs, functions)

    def __init__(self, ivrs: Ivrs, functions: Sequence[Function]) -> None:
        self.units = tuple(map(amd_unit, ivrs.used))
        present = {(function.segment, function.rid) for function in functions}
        self._ivrs = ivrs
        self._own = {(ivhd.segment, ivhd.device_id) for ivhd in ivrs.used}
        self._claims = claims_of(ivrs)
        self._loss = _loss(ivrs, present)

    def lookup(self, function: Function, rid: int) -> Lookup:
        if self._loss is not None:
            return self._loss
        own = function.rid
        if (function.segment, own) in self._own:
            return nowhere(Cause("itself"), self._ivrs.table.place(0))
        claims = self._claims.get(function.segment)
        claim = None if claims is None else claims[own]
        if claim is None:
            return nowhere(Cause("no-unit", "IVRS", function.segment), self._ivrs.table.place(0))
        ivhd, ids = claim
        used = ids.alias if ids.alias is not None and rid == own else rid
        step = Step("ivrs-entry" if ids.alias is None else "ivrs-alias", rid, used, ids.place)
        return Lookup(amd_unit(ivhd), used, (step,), None, ids.place)


Claim: TypeAlias = tuple[Ivhd, IvhdIds]


def claims_of(ivrs: Ivrs) -> dict[int, list[Claim | None]]:
    """By segment, the unit and the entry that each requester id has: the last that names it, or has it for an
    alias."""
    entries: dict[int, list[tuple[int, int, Claim]]] = {}
    for ivhd in ivrs.used:
        found = entries.setdefault(ivhd.segment, [])
        for ids in ivhd.ids:
            found.append((ids.first, ids.last, (ivhd, ids)))
            if ids.alias is not None:
                found.append((ids.alias, ids.alias, (ivhd, ids)))
    return {segment: _filled(found) for segment, found in entries.items()}


def _filled(entries: list[tuple[int, int, Claim]]) -> list[Claim | None]:
    """Every id once, from the last entry to the first: `free` leads to the next id without a claim."""
    claims: list[Claim | None] = [None] * (LAST_ID + 1)
    free = list(range(LAST_ID + 2))
    for first, last, claim in reversed(entries):
        at = _next(free, first)
        while at <= last:
            claims[at] = claim
            free[at] = at + 1
            at = _next(free, at)
    return claims


def _next(free: list[int], at: int) -> int:
    while free[at] != at:
        free[at] = free[free[at]]
        at = free[at]
    return at


def amd_unit(ivhd: Ivhd) -> FirmwareUnit:
    """The unit that a block stands for."""
    return FirmwareUnit("amd-vi", f"AMD IOMMU at {ivhd.base:#x}", ivhd.base, ivhd.place)


def add_aliases(ivrs: Ivrs, functions: Iterable[Function]) -> None:
    """Aliases of the table that are on a function's own bus count as the function's (`setup_aliases`)."""
    claims = claims_of(ivrs)
    for function in functions:
        known = claims.get(function.segment)
        claim = None if known is None else known[function.rid]
        alias = None if claim is None or function.rid == claim[1].alias else claim[1].alias
        if alias is not None and alias >> 8 == function.bus.number and alias & 0xFF not in function.aliases:
            function.aliases = (*function.aliases, alias & 0xFF)


def _loss(ivrs: Ivrs, present: set[tuple[int, int]]) -> Lookup | None:
    """Where Linux cannot bring up a unit, which ends it all: the first whose registers are taken
    (`iommu_map_mmio_space`), or whose own function is not there (`iommu_init_pci`)."""
    bases: set[int] = set()
    for ivhd in ivrs.used:
        if ivhd.base in bases:
            return nowhere(Cause("registers-taken", "IVRS", id=ivhd.base), ivhd.place)
        bases.add(ivhd.base)
    for ivhd in ivrs.used:
        if (ivhd.segment, ivhd.device_id) not in present:
            sbdf = sbdf_text(ivhd.segment, ivhd.device_id >> 8, ivhd.device_id & 0xFF)
            return nowhere(Cause("no-own-function", id=ivhd.base, name=sbdf), ivhd.place)
    return None
