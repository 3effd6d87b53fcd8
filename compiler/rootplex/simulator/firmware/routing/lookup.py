"""One id through a firmware's map: `iommu-map` and `msi-map`, or the mappings of IORT."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rootplex.formats.devicetree import RISCV_IOMMU, VIRTIO_IOMMU, VIRTIO_MMIO
from rootplex.readers.acpi.iort_facts import IdResult, Iort
from rootplex.readers.acpi.iort_ids import map_id, root_complex
from rootplex.readers.ridmap import RidMap, map_rid
from rootplex.simulator.firmware.facts import DtFirmware
from rootplex.simulator.firmware.routing.routes import Cause, FirmwareUnit, Step, UnitKind
from rootplex.source.place import Place


class Lookup(Struct, frozen=True):
    """Where an id ends: `unit` and `id`, or the `cause`; `refused` tells that the map itself is at
    fault, not that it leaves the id out. `place` decided it."""

    unit: FirmwareUnit | None
    id: int | None
    steps: tuple[Step, ...]
    cause: Cause | None
    place: Place | None
    refused: bool = False


def nowhere(
    cause: Cause, place: Place | None = None, steps: tuple[Step, ...] = (), *, refused: bool = False
) -> Lookup:
    """An id that ends nowhere."""
    return Lookup(None, None, steps, cause, place, refused)


def dt_lookup(facts: DtFirmware, map: RidMap, rid: int) -> Lookup:
    """A requester id through a map property of a device tree (Linux `of_map_id`). A map whose
    target is disabled, or has no driver, leads nowhere."""
    result = map_rid(map, rid)
    entry = result.entry
    if entry is None or result.id is None or entry.target is None:
        cause = Cause("not-mapped", map.property, told=str(result.reason))
        return nowhere(cause, result.place, refused=result.error is not None)
    step = Step(
        "map-entry",
        result.masked,
        result.id,
        entry.place,
        of=map.property,
        number=entry.rid_base,
        count=entry.length,
        name=entry.target,
    )
    steps = (step,)
    if not entry.target_enabled:
        return nowhere(Cause("disabled", map.property, name=entry.target), entry.place, steps)
    lost = facts.lost(entry.target)
    if lost is not None:
        return nowhere(Cause("no-driver", map.property, told=lost), entry.place, steps)
    return Lookup(dt_unit(facts, entry.target), result.id, steps, None, entry.place)


def dt_unit(facts: DtFirmware, path: str) -> FirmwareUnit:
    """An IOMMU or MSI controller by its node path."""
    found = facts.controller(path)
    if found is None:
        node = facts.tree.by_path[path]
        other: UnitKind = "msi" if "msi-controller" in node.properties else "iommu"
        if VIRTIO_IOMMU.intersection(node.compatible):
            other = "virtio-iommu"
        if RISCV_IOMMU.intersection(node.compatible):
            other = "riscv-iommu"
        return FirmwareUnit(other, path, None, facts.tree.place(node))
    kind: UnitKind = "msi" if found.kind == "gic" or found.kind == "interrupt" else found.kind
    if kind == "iommu" and VIRTIO_MMIO in facts.tree.by_path[path].compatible:
        kind = "virtio-iommu"
    return FirmwareUnit(kind, path, found.base, found.place)


def iort_lookup(iort: Iort, segment: int, rid: int, wanted: Sequence[int]) -> tuple[IdResult | None, Lookup]:
    """A requester id of a segment through IORT to a node of a wanted type. The unit is left to the
    caller, who knows what the node stands for; the result is None without a root complex node."""
    node = root_complex(iort, segment)
    if node is None:
        at = iort.nodes[0].place if iort.nodes else None
        return None, nowhere(Cause("no-root-complex-node", segment=segment), at)
    result = map_id(iort, node, rid, wanted)
    steps = tuple(
        Step(
            "iort-last-id" if step.provisional else "iort-mapping",
            step.id_in,
            step.id_out,
            step.mapping.place,
            number=step.node,
            count=step.mapping.index,
        )
        for step in result.steps
    )
    place: Place = steps[-1].place if steps else node.place
    if result.node is None:
        return result, nowhere(Cause("not-mapped", "IORT", told=str(result.reason)), place, steps)
    return result, Lookup(None, result.id, steps, None, place)
