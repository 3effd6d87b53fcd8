"""IORT: ITS groups, SMMUs, and a root complex a segment (Arm DEN 0049E.e; linux.md §3).

Nodes stand in this order: ITS groups, SMMUs, root complexes, so that references point backwards. An id count
is the number of ids minus one. Node revisions are those of issue E.e: an SMMUv3 of revision 5 says in a flag
whether its own MSIs have a mapping, which older ones leave to be guessed from the interrupt numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.acpi.iort_plan import Mapping, Plan, RootComplex, plan
from rootplex.backends.acpi.layouts import (
    HEADER,
    IORT_HEAD,
    IORT_ITS_GROUP,
    IORT_MAPPING,
    IORT_ROOT_COMPLEX,
    IORT_SMMU_V2,
    IORT_SMMU_V2_CONTEXT,
    IORT_SMMU_V3,
    Layout,
    offset_of,
    size_of,
)
from rootplex.backends.artifact import Artifact
from rootplex.backends.refusal import CannotCompile
from rootplex.model.controllers import Its, SmmuV2, SmmuV3
from rootplex.model.platform import Platform

_REVISION = 5
_ITS_GROUP = {"type": 0, "revision": 1}
_ROOT_COMPLEX = {"type": 2, "revision": 4}
_SMMU_V2 = {"type": 3, "revision": 3}
_SMMU_V3 = {"type": 4, "revision": 5}

_SPI_BASE = 32
_SINGLE_MAPPING = 1 << 0
_COHERENT_PATH = 1 << 0  # memory access flags: CPM
_COHERENT_DEVICE = 1 << 1  # DACS
_ATS = 1 << 0
_PRI = 1 << 1
_ADDRESS_SIZE_LIMIT = 64
_V2_MODEL = 1  # generic SMMUv2
# Both units walk their tables coherently, as QEMU's does and as the device tree says (`dma-coherent`).
_V2_COHERENT_WALK = 1 << 1
_V3_COHERENT = 1 << 0
_V3_DEVICE_ID_VALID = 1 << 4


def iort(platform: Platform) -> Artifact | None:
    """The table; None where it has no meaning (not arm64, or no enabled bridge in ACPI).

    CannotCompile where the bridges of a segment differ in coherence or ATS, a DeviceID is not a function
    of unit and StreamID, or a map is too long or too wide.
    """
    bridges = tuple(bridge for bridge in platform.bridges_in("acpi") if bridge.enabled)
    if platform.arch != "arm64" or not bridges:
        return None
    controllers = [each for each in platform.msi_controllers if isinstance(each, Its) and each.enabled]
    units = [each for each in platform.iommus if isinstance(each, SmmuV2 | SmmuV3) and each.enabled]
    planned = plan(
        bridges,
        frozenset(unit.name for unit in units),
        frozenset(controller.name for controller in controllers),
    )
    if planned.faults:
        raise CannotCompile(planned.faults)
    return _Writer(platform).write(controllers, units, planned)


class _Writer:
    """The table as it grows; knows where the node of each name began."""

    def __init__(self, platform: Platform) -> None:
        self._table = TableWriter(platform, "IORT", _REVISION)
        self._nodes: dict[str, int] = {}
        self._count = 0

    def write(self, controllers: Sequence[Its], units: Sequence[SmmuV2 | SmmuV3], planned: Plan) -> Artifact:
        count = len(controllers) + len(units) + len(planned.root_complexes)
        head = {"node_count": count, "node_offset": size_of(HEADER) + size_of(IORT_HEAD)}
        self._table.put(IORT_HEAD, head)
        for controller in controllers:
            self._its_group(controller)
        for unit in units:
            mappings = planned.units[unit.name]
            if isinstance(unit, SmmuV3):
                self._smmu_v3(unit, mappings)
            else:
                self._smmu_v2(unit, mappings)
        for root_complex in planned.root_complexes:
            self._root_complex(root_complex)
        return self._table.finish("iort.aml")

    def _begin(self, layout: Layout, kind: dict[str, int], mappings: int, extra: int = 0) -> dict[str, int]:
        """The common fields of the next node; `extra` bytes stand between the node and its mappings."""
        own = size_of(layout) + extra
        identifier, self._count = self._count, self._count + 1
        return {
            **kind,
            "length": own + mappings * size_of(IORT_MAPPING),
            "identifier": identifier,
            "mapping_count": mappings,
            "mapping_offset": own if mappings else 0,
        }

    def _its_group(self, its: Its) -> None:
        self._nodes[its.name] = self._table.offset
        values = self._begin(IORT_ITS_GROUP, _ITS_GROUP, 0) | {"its_count": 1, "its_id": its.id}
        self._table.put(IORT_ITS_GROUP, values, whole=its.at(), places={"its_id": its.at("id")})

    def _smmu_v3(self, unit: SmmuV3, mappings: tuple[Mapping, ...]) -> None:
        self._nodes[unit.name] = self._table.offset
        own = self._own_messages(unit)
        lines = {
            "event_gsiv": ("eventq", unit.eventq),
            "pri_gsiv": ("priq", unit.priq),
            "gerror_gsiv": ("gerror", unit.gerror),
            "sync_gsiv": ("cmdq_sync", unit.cmdq_sync),
        }
        values = self._begin(IORT_SMMU_V3, _SMMU_V3, len(mappings) + len(own))
        values |= {
            "base": unit.base,
            "flags": _V3_COHERENT | (_V3_DEVICE_ID_VALID if own else 0),
            "device_id_mapping": len(mappings) if own else 0,
        }
        values |= {name: 0 if line is None else _SPI_BASE + line for name, (_, line) in lines.items()}
        places = {name: unit.at(f"interrupts.{key}") for name, (key, _) in lines.items()}
        self._table.put(IORT_SMMU_V3, values, whole=unit.at(), places=places | {"base": unit.at("base")})
        self._mappings((*mappings, *own))

    def _own_messages(self, unit: SmmuV3) -> tuple[Mapping, ...]:
        """The mapping of the unit's own MSIs, at DeviceID 0: the language has no key for another one."""
        if unit.msi_controller is None or unit.msi_controller not in self._nodes:
            return ()
        return (Mapping(0, 1, 0, unit.msi_controller, unit.at("msi_controller"), single=True),)

    def _smmu_v2(self, unit: SmmuV2, mappings: tuple[Mapping, ...]) -> None:
        """The first interrupt is the global one, the others are the contexts'; one alone serves for both.

        All are level triggered, which is flag 0.
        """
        self._nodes[unit.name] = self._table.offset
        lines = [_SPI_BASE + line for line in unit.interrupts]
        contexts = lines[1:] or lines
        extra = len(contexts) * size_of(IORT_SMMU_V2_CONTEXT)
        values = self._begin(IORT_SMMU_V2, _SMMU_V2, len(mappings), extra)
        values |= {
            "base": unit.base,
            "span": unit.size,
            "model": _V2_MODEL,
            "flags": _V2_COHERENT_WALK,
            "global_interrupt_offset": offset_of(IORT_SMMU_V2, "global_gsiv"),
            "context_interrupt_count": len(contexts),
            "context_interrupt_offset": size_of(IORT_SMMU_V2),
            "global_gsiv": lines[0] if lines else 0,
        }
        places = {
            "base": unit.at("base"),
            "span": unit.at("size"),
            "global_gsiv": unit.at("interrupts.0"),
        }
        self._table.put(IORT_SMMU_V2, values, whole=unit.at(), places=places)
        for line in contexts:
            self._table.put(IORT_SMMU_V2_CONTEXT, {"gsiv": line}, whole=unit.at("interrupts"))
        self._mappings(mappings)

    def _root_complex(self, it: RootComplex) -> None:
        first, iommu = it.bridges[0], it.iommu
        values = self._begin(IORT_ROOT_COMPLEX, _ROOT_COMPLEX, len(it.mappings))
        values |= {
            "cache_coherency": 1 if it.coherent else 0,
            "memory_access_flags": _COHERENT_PATH | _COHERENT_DEVICE if it.coherent else 0,
            "ats": (_ATS if iommu and iommu.ats else 0) | (_PRI if iommu and iommu.pri else 0),
            "segment": it.segment,
            "address_size_limit": _ADDRESS_SIZE_LIMIT,
        }
        places = {
            "segment": first.at("segment"),
            "cache_coherency": first.at("dma_coherent"),
            "memory_access_flags": first.at("dma_coherent"),
        }
        if iommu is not None:
            places["ats"] = iommu.at("ats")
        self._table.put(IORT_ROOT_COMPLEX, values, whole=first.at(), places=places)
        self._mappings(it.mappings)

    def _mappings(self, mappings: Iterable[Mapping]) -> None:
        for it in mappings:
            values = {
                "input_base": it.first,
                "id_count": it.count - 1,
                "output_base": it.output,
                "output_reference": self._nodes[it.target],
                "flags": _SINGLE_MAPPING if it.single else 0,
            }
            self._table.put(IORT_MAPPING, values, whole=it.source)
