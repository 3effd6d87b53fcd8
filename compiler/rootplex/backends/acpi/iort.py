"""IORT: ITS groups, SMMUs, and a root complex a segment (Arm DEN 0049E.e; linux.md §3).

Nodes stand in this order: ITS groups, SMMUs, root complexes, so that references point backwards. An id count
is the number of ids minus one. Node revisions are those of issue E.e: an SMMUv3 of revision 5 says in a flag
whether its own MSIs have a mapping, which older ones leave to be guessed from the interrupt numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.acpi.iort_plan import Mapping, Plan, RootComplex, plan
from rootplex.backends.artifact import Artifact
from rootplex.backends.refusal import CannotCompile
from rootplex.formats.acpi import (
    HEADER,
    IORT_ATS,
    IORT_CPM,
    IORT_DACS,
    IORT_HEAD,
    IORT_ITS,
    IORT_ITS_GROUP,
    IORT_MAPPING,
    IORT_PRI,
    IORT_ROOT_COMPLEX,
    IORT_SINGLE_MAPPING,
    IORT_SMMU,
    IORT_SMMU_CONTEXT,
    IORT_SMMU_V3,
    IORT_V2_COHERENT_WALK,
    IORT_V3_COHERENT,
    IORT_V3_DEVICE_ID_VALID,
    SMMU_MODELS,
    IortType,
    Layout,
    offset_of,
    size_of,
)
from rootplex.model.controllers import Its, SmmuV2, SmmuV3
from rootplex.model.platform import Platform

_REVISION = 5
_ITS_GROUP = {"type": IortType.ITS_GROUP, "revision": 1}
_ROOT_COMPLEX = {"type": IortType.ROOT_COMPLEX, "revision": 4}
_SMMU_V2 = {"type": IortType.SMMU, "revision": 3}
_SMMU_V3 = {"type": IortType.SMMU_V3, "revision": 5}

_SPI_BASE = 32
_ADDRESS_SIZE_LIMIT = 64
# Both units walk their tables coherently, as QEMU's does and as the device tree says (`dma-coherent`).
_V2_FLAGS, _V3_FLAGS = IORT_V2_COHERENT_WALK, IORT_V3_COHERENT


def iort(platform: Platform) -> Artifact | None:
    """The table; None where it has no meaning (not arm64, or no enabled bridge in ACPI).

    CannotCompile where the bridges of a segment differ in coherence or ATS, a DeviceID is not a function
    of unit and StreamID, or a map is too long or too wide.
    """
    bridges = tuple(bridge for bridge in platform.bridges_in("acpi") if bridge.enabled)
    if platform.arch != "arm64" or not bridges:
        return None
    controllers = [each for each in platform.msi_controllers if isinstance(each, Its) and each.enabled]
    # QEMU's machine has its SMMU where something is behind it.
    used = {entry.target for bridge in bridges if bridge.iommu for entry in bridge.iommu.entries}
    units = [
        each
        for each in platform.iommus
        if isinstance(each, SmmuV2 | SmmuV3)
        and each.enabled
        and not (each.built_in and each.name not in used)
    ]
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
        layout = (*IORT_ITS_GROUP, *IORT_ITS)
        values = self._begin(layout, _ITS_GROUP, 0) | {"count": 1, "id": its.id}
        self._table.put(layout, values, whole=its.at(), places={"id": its.at("id")})

    def _smmu_v3(self, unit: SmmuV3, mappings: tuple[Mapping, ...]) -> None:
        self._nodes[unit.name] = self._table.offset
        own = self._own_messages(unit)
        lines = {
            "event_gsiv": ("eventq", unit.eventq),
            "pri_gsiv": ("priq", unit.priq),
            "gerr_gsiv": ("gerror", unit.gerror),
            "sync_gsiv": ("cmdq_sync", unit.cmdq_sync),
        }
        values = self._begin(IORT_SMMU_V3, _SMMU_V3, len(mappings) + len(own))
        values |= {
            "base": unit.base,
            "flags": _V3_FLAGS | (IORT_V3_DEVICE_ID_VALID if own else 0),
            "device_id_mapping_index": len(mappings) if own else 0,
        }
        values |= {name: 0 if line is None else _SPI_BASE + line for name, (_, line) in lines.items()}
        places = {name: unit.at(f"interrupts.{key}") for name, (key, _) in lines.items()}
        self._table.put(IORT_SMMU_V3, values, whole=unit.at(), places=places | {"base": unit.at("base")})
        self._mappings((*mappings, *own))

    def _own_messages(self, unit: SmmuV3) -> tuple[Mapping, ...]:
        """The mapping of the unit's own MSIs."""
        if unit.msi_controller is None or unit.msi_controller not in self._nodes:
            return ()
        at = unit.at("device_id" if unit.wrote("device_id") else "msi_controller")
        return (Mapping(0, 1, unit.device_id, unit.msi_controller, at, single=True),)

    def _smmu_v2(self, unit: SmmuV2, mappings: tuple[Mapping, ...]) -> None:
        """The first interrupt is the global one, the others are the contexts'; one alone serves for both.

        All are level triggered, which is flag 0.
        """
        self._nodes[unit.name] = self._table.offset
        lines = [_SPI_BASE + line for line in unit.interrupts]
        contexts = lines[1:] or lines
        extra = len(contexts) * size_of(IORT_SMMU_CONTEXT)
        values = self._begin(IORT_SMMU, _SMMU_V2, len(mappings), extra)
        values |= {
            "base": unit.base,
            "span": unit.size,
            "model": SMMU_MODELS[unit.model],
            "flags": _V2_FLAGS,
            "global_interrupt_offset": offset_of(IORT_SMMU, "global_gsiv"),
            "context_interrupt_count": len(contexts),
            "context_interrupt_offset": size_of(IORT_SMMU),
            "global_gsiv": lines[0] if lines else 0,
        }
        places = {
            "base": unit.at("base"),
            "span": unit.at("size"),
            "global_gsiv": unit.at("interrupts.0"),
        }
        self._table.put(IORT_SMMU, values, whole=unit.at(), places=places)
        for line in contexts:
            self._table.put(IORT_SMMU_CONTEXT, {"gsiv": line}, whole=unit.at("interrupts"))
        self._mappings(mappings)

    def _root_complex(self, it: RootComplex) -> None:
        first, iommu = it.bridges[0], it.iommu
        ats, pri = (False, False) if iommu is None else (iommu.ats, iommu.pri)
        values = self._begin(IORT_ROOT_COMPLEX, _ROOT_COMPLEX, len(it.mappings))
        values |= {
            "cache_coherency": 1 if it.coherent else 0,
            "memory_flags": IORT_CPM | IORT_DACS if it.coherent else 0,
            "ats_attribute": (IORT_ATS if ats else 0) | (IORT_PRI if pri else 0),
            "segment": it.segment,
            "address_size_limit": _ADDRESS_SIZE_LIMIT,
        }
        places = {
            "segment": first.at("segment"),
            "cache_coherency": first.at("dma_coherent"),
            "memory_flags": first.at("dma_coherent"),
        }
        if iommu is not None:
            places["ats_attribute"] = iommu.at("ats")
        self._table.put(IORT_ROOT_COMPLEX, values, whole=first.at(), places=places)
        self._mappings(it.mappings)

    def _mappings(self, mappings: Iterable[Mapping]) -> None:
        for it in mappings:
            values = {
                "input_base": it.first,
                "id_count": it.count - 1,
                "output_base": it.output,
                "output_reference": self._nodes[it.target],
                "flags": IORT_SINGLE_MAPPING if it.single else 0,
            }
            self._table.put(IORT_MAPPING, values, whole=it.source)
