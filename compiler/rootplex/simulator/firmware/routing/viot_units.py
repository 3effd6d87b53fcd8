"""From requester ids to virtio-iommus, by VIOT's ranges (Linux drivers/acpi/viot.c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from rootplex.formats.acpi import IortType
from rootplex.formats.pci import sbdf_text
from rootplex.readers.acpi.iort_facts import Iort
from rootplex.readers.acpi.iort_ids import SMMU_TYPES
from rootplex.readers.acpi.viot import Viot, ViotUnit
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.simulator.firmware.routing.lookup import Lookup
from rootplex.simulator.firmware.routing.routes import FirmwareUnit, Step
from rootplex.simulator.function import Function


class ViotUnits:
    """Which unit a requester id goes to (`viot_pci_dev_iommu_init`): of the ranges that have it the last
    whose unit is there decides. A unit does not translate itself. Where IORT has an SMMU, that is asked
    first, and VIOT is not simulated."""

    @classmethod
    def of(cls, acpi: AcpiFirmware, functions: Sequence[Function]) -> Self | None:
        return None if acpi.viot is None or _leads_to_smmu(acpi.iort) else cls(acpi.viot, functions)

    def __init__(self, viot: Viot, functions: Sequence[Function]) -> None:
        there = {(function.segment, function.rid) for function in functions}
        self._viot = viot
        self._lost = {
            unit.offset for unit in viot.units if unit.base is None and (unit.segment, unit.rid) not in there
        }
        self.units = tuple(virtio_unit(unit) for unit in viot.units if unit.offset not in self._lost)

    def lookup(self, function: Function, rid: int) -> Lookup:
        lost: ViotUnit | None = None
        for each, unit in self._viot.decisive:
            endpoint = each.endpoint_of(function.segment, rid)
            if endpoint is None:
                continue
            if unit.offset in self._lost:
                lost = lost or unit
                continue
            if (unit.segment, unit.rid) == (function.segment, function.rid):
                return Lookup(None, None, (), "it is an IOMMU itself", each.place)
            step = Step("VIOT range", rid, endpoint, each.place)
            return Lookup(virtio_unit(unit), endpoint, (step,), None, each.place)
        if lost is not None:
            reason = f"there is no {virtio_unit(lost).name}, to which VIOT leads"
            return Lookup(None, None, (), reason, lost.place)
        reason = f"VIOT has no range for {rid:#06x} of segment {function.segment:#06x}"
        return Lookup(None, None, (), reason, self._viot.table.place(0))


def _leads_to_smmu(iort: Iort | None) -> bool:
    """Whether a root complex of IORT has a mapping to an SMMU."""
    nodes = () if iort is None else iort.nodes
    smmus = {node.offset for node in nodes if node.type in SMMU_TYPES}
    roots = (node for node in nodes if node.type == IortType.ROOT_COMPLEX)
    return any(mapping.output_reference in smmus for node in roots for mapping in node.mappings)


def virtio_unit(unit: ViotUnit) -> FirmwareUnit:
    """The unit that a node stands for."""
    if unit.segment is None or unit.rid is None:
        return FirmwareUnit("virtio-iommu", f"virtio-iommu at {unit.base or 0:#x}", unit.base, unit.place)
    name = sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)
    return FirmwareUnit("virtio-iommu", f"virtio-iommu {name}", None, unit.place)
