"""From requester ids to RISC-V's IOMMUs, by RIMT (Linux drivers/acpi/riscv/rimt.c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from rootplex.formats.pci import sbdf_text
from rootplex.readers.acpi.rimt import Rimt, RimtUnit
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.firmware.routing.lookup import Lookup
from rootplex.simulator.firmware.routing.routes import FirmwareUnit, Step
from rootplex.simulator.function import Function


class RimtUnits:
    """Which unit a requester id goes to: the first mapping that has it, of the first root complex of its
    segment (`rimt_node_map_id`). A unit that is a function comes up only where that function is."""

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        return None if acpi.rimt is None else cls(acpi.rimt, functions)

    def __init__(self, rimt: Rimt, functions: Sequence[Function]) -> None:
        there = {(function.segment, function.rid) for function in functions}
        self._rimt = rimt
        self._known = {unit.offset: unit for unit in rimt.units}
        self._lost = {
            unit.offset for unit in rimt.units if unit.base is None and (unit.segment, unit.rid) not in there
        }
        self.units = tuple(riscv_unit(unit) for unit in rimt.units if unit.offset not in self._lost)

    def lookup(self, function: Function, rid: int) -> Lookup:
        root = self._rimt.root_of(function.segment)
        if root is None:
            reason = f"RIMT has no root complex of segment {function.segment:#06x}"
            return Lookup(None, None, (), reason, self._rimt.table.place(0))
        for each in root.mappings:
            # Linux takes the id behind the last one too (`rimt_id_map`).
            if not each.first <= rid <= each.first + each.count:
                continue
            unit = self._known.get(each.unit)
            if unit is None:
                return Lookup(None, None, (), "RIMT's mapping leads to no IOMMU", each.place, refused=True)
            if unit.offset in self._lost:
                return Lookup(None, None, (), f"there is no {riscv_unit(unit).name}", unit.place)
            id = each.id + rid - each.first
            step = Step("RIMT mapping", rid, id, each.place)
            return Lookup(riscv_unit(unit), id, (step,), None, each.place)
        reason = f"RIMT has no mapping for {rid:#06x} of segment {function.segment:#06x}"
        return Lookup(None, None, (), reason, root.place)


def riscv_unit(unit: RimtUnit) -> FirmwareUnit:
    """The unit that a node stands for."""
    if unit.segment is None or unit.rid is None:
        return FirmwareUnit("riscv-iommu", f"RISC-V IOMMU at {unit.base or 0:#x}", unit.base, unit.place)
    name = sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)
    return FirmwareUnit("riscv-iommu", f"RISC-V IOMMU {name}", None, unit.place)
