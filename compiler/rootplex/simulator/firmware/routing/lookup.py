"""One id through a firmware's map: `iommu-map` and `msi-map`, or the mappings of IORT."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rootplex.readers.acpi.iort_facts import IdResult, Iort
from rootplex.readers.acpi.iort_ids import map_id, root_complex
from rootplex.readers.ridmap import RidMap, map_rid
from rootplex.simulator.firmware.routing.firmware import DtFacts
from rootplex.simulator.firmware.routing.routes import FirmwareUnit, Step
from rootplex.source.place import Place


class Lookup(Struct, frozen=True):
    """Where an id ends: `unit` and `id`, or the `reason`; `refused` tells that the map itself is at
    fault, not that it leaves the id out. `place` decided it."""

    unit: FirmwareUnit | None
    id: int | None
    steps: tuple[Step, ...]
    reason: str | None
    place: Place | None
    refused: bool = False


def dt_lookup(facts: DtFacts, map: RidMap, rid: int) -> Lookup:
    """A requester id through a map property of a device tree (Linux `of_map_id`). A map whose
    target is disabled, or has no driver, leads nowhere."""
    result = map_rid(map, rid)
    entry = result.entry
    if entry is None or result.id is None or entry.target is None:
        reason = f"{map.property}: {result.reason}"
        return Lookup(None, None, (), reason, result.place, refused=result.error is not None)
    text = f"{map.property} entry {entry.rid_base:#06x}, {entry.length} ids, to {entry.target}"
    steps = (Step(text, result.masked, result.id, entry.place),)
    if not entry.target_enabled:
        reason = f"{map.property}: {entry.target} is disabled"
        return Lookup(None, None, steps, reason, entry.place)
    lost = facts.lost(entry.target)
    if lost is not None:
        return Lookup(None, None, steps, f"{map.property}: no driver comes up, {lost}", entry.place)
    return Lookup(facts.unit(entry.target), result.id, steps, None, entry.place)


def iort_lookup(iort: Iort, segment: int, rid: int, wanted: Sequence[int]) -> tuple[IdResult | None, Lookup]:
    """A requester id of a segment through IORT to a node of a wanted type. The unit is left to the
    caller, who knows what the node stands for; the result is None without a root complex node."""
    node = root_complex(iort, segment)
    if node is None:
        reason = f"IORT has no root complex node for segment {segment:#06x}"
        return None, Lookup(None, None, (), reason, iort.place(iort.nodes[0]) if iort.nodes else None)
    result = map_id(iort, node, rid, wanted)
    steps = tuple(
        Step(
            f"IORT mapping {step.mapping.index} of the node at {step.node:#x}"
            + (" (its last id, taken since no range starts there)" if step.provisional else ""),
            step.id_in,
            step.id_out,
            step.mapping.place,
        )
        for step in result.steps
    )
    place = steps[-1].place if steps else node.place
    if result.node is None:
        return result, Lookup(None, None, steps, f"IORT: {result.reason}", place)
    return result, Lookup(None, result.id, steps, None, place)
