"""From requester ids to the IOMMUs of tables that list them as nodes: VIOT's virtio-iommus (Linux
drivers/acpi/viot.c), RIMT's of RISC-V (drivers/acpi/riscv/rimt.c). One that is a function comes up only where
that function is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from rootplex.formats.acpi import IortType
from rootplex.formats.pci import sbdf_text
from rootplex.readers.acpi.iort_facts import Iort
from rootplex.readers.acpi.iort_ids import SMMU_TYPES
from rootplex.readers.acpi.rimt import Rimt
from rootplex.readers.acpi.structures import Unit
from rootplex.readers.acpi.viot import Viot
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.firmware.routing.lookup import Lookup, nowhere
from rootplex.simulator.firmware.routing.routes import Cause, FirmwareUnit, Step, UnitKind
from rootplex.simulator.function import Function


class ViotUnits:
    """Which unit a requester id goes to (`viot_pci_dev_iommu_init`): of the ranges that have it the last
    whose unit is there decides. A unit does not translate itself. Where IORT has an SMMU, that is asked
    first, and VIOT is not simulated."""

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        return None if acpi.viot is None or _leads_to_smmu(acpi.iort) else cls(acpi.viot, functions)

    def __init__(self, viot: Viot, functions: Sequence[Function]) -> None:
        self._viot = viot
        self._up = _up(viot.units, functions)
        self.units = tuple(map(_virtio, self._up.values()))

    def lookup(self, function: Function, rid: int) -> Lookup:
        lost: Unit | None = None
        for each, unit in self._viot.decisive:
            endpoint = each.endpoint_of(function.segment, rid)
            if endpoint is None:
                continue
            if unit.offset not in self._up:
                lost = lost or unit
                continue
            if (unit.segment, unit.rid) == (function.segment, function.rid):
                return nowhere(Cause("itself"), each.place)
            step = Step("viot-range", rid, endpoint, each.place)
            return Lookup(_virtio(unit), endpoint, (step,), None, each.place)
        if lost is not None:
            return nowhere(Cause("viot-unit-not-there", name=_virtio(lost).name), lost.place)
        return nowhere(Cause("no-range", segment=function.segment, id=rid), self._viot.table.place(0))


def _leads_to_smmu(iort: Iort | None) -> bool:
    """Whether a root complex of IORT has a mapping to an SMMU."""
    nodes = () if iort is None else iort.nodes
    smmus = {node.offset for node in nodes if node.type in SMMU_TYPES}
    roots = (node for node in nodes if node.type == IortType.ROOT_COMPLEX)
    return any(mapping.output_reference in smmus for node in roots for mapping in node.mappings)


class RimtUnits:
    """Which unit a requester id goes to: the first mapping that has it, of the first root complex of its
    segment (`rimt_node_map_id`)."""

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        return None if acpi.rimt is None else cls(acpi.rimt, functions)

    def __init__(self, rimt: Rimt, functions: Sequence[Function]) -> None:
        self._rimt = rimt
        self._known = {unit.offset: unit for unit in rimt.units}
        self._waiting = {unit.offset for unit in rimt.units if rimt.behind_itself(unit) is not None}
        up = _up(rimt.units, functions)
        self._up = {offset: unit for offset, unit in up.items() if offset not in self._waiting}
        self.units = tuple(map(_riscv, self._up.values()))

    def lookup(self, function: Function, rid: int) -> Lookup:
        root = self._rimt.root_of(function.segment)
        if root is None:
            return nowhere(Cause("no-root-complex", segment=function.segment), self._rimt.table.place(0))
        each = self._rimt.mapping_of(function.segment, rid)
        if each is None:
            return nowhere(Cause("no-mapping", segment=function.segment, id=rid), root.place)
        unit = self._known.get(each.unit)
        if unit is None:
            return nowhere(Cause("mapping-nowhere"), each.place, refused=True)
        if unit.offset in self._waiting:
            return nowhere(Cause("behind-itself", name=_riscv(unit).name), each.place)
        if unit.offset not in self._up:
            return nowhere(Cause("unit-not-there", name=_riscv(unit).name), unit.place)
        id = each.id + rid - each.first
        return Lookup(_riscv(unit), id, (Step("rimt-mapping", rid, id, each.place),), None, each.place)


def _up(units: Iterable[Unit], functions: Iterable[Function]) -> dict[int, Unit]:
    """The units that come up, by offset."""
    there = {(function.segment, function.rid) for function in functions}
    return {unit.offset: unit for unit in units if unit.base is not None or (unit.segment, unit.rid) in there}


def _virtio(unit: Unit) -> FirmwareUnit:
    return _firmware_unit("virtio-iommu", "virtio-iommu", unit)


def _riscv(unit: Unit) -> FirmwareUnit:
    return _firmware_unit("riscv-iommu", "RISC-V IOMMU", unit)


def _firmware_unit(kind: UnitKind, called: str, unit: Unit) -> FirmwareUnit:
    if unit.segment is None or unit.rid is None:
        return FirmwareUnit(kind, f"{called} at {unit.base or 0:#x}", unit.base, unit.place)
    name = sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)
    return FirmwareUnit(kind, f"{called} {name}", None, unit.place)
