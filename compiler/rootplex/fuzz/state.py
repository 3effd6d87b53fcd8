"""All that Xen and the hardware remember, as values: what a step changed, and whether two runs agree."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, TypeAlias

from rootplex.fuzz.stage import Stage
from rootplex.simulator.xen.amd import AmdIommu
from rootplex.simulator.xen.core import Domain
from rootplex.simulator.xen.iommu import ArmIommu
from rootplex.simulator.xen.lists import ListHead
from rootplex.simulator.xen.records import Record
from rootplex.simulator.xen.vtd import VtdIommu

State: TypeAlias = dict[str, dict[Any, Any]]
"""Part → what it is kept by → value."""

_NOT_VALUES = frozenset(
    {"segment", "bus", "devfn", "vf_list", "in_domain", "pf", "heir", "streams", "vf_sizes"}
)
_FIELDS = tuple(name for name in Record.__struct_fields__ if name not in _NOT_VALUES)
_LONGEST = 256


def state_of(stage: Stage) -> State:
    """The state now. Lists are followed as far as they can be."""
    xen = stage.xen
    core = xen.core
    records = list(core.records)
    made: State = {
        "segments": dict.fromkeys(core.records.segments, True),
        "records": {(one.segment, one.rid): _record(one) for one in records},
        "owners": {(one.segment, one.rid): one.owner for one in records if one.owner is not None},
        "virtual": {
            (one.segment, one.rid): tuple(_members(one)) for one in records if not one.vf_list.is_empty
        },
        "upstream": {number: dict(one.upstream) for number, one in core.records.segments.items()},
        "lists": {number: tuple(listed(domain, len(records))) for number, domain in core.domains.items()},
        "domains": {number: (each.dying, each.crashed) for number, each in core.domains.items()},
        "windows": dict(enumerate(core.windows.state)),
        "bridges": dict(enumerate(_bridges(stage))),
        "traps": dict.fromkeys(xen._traps.handlers, True),
        "translation": dict(_translation(stage)),
        "hardware": stage.hardware.written,
    }
    if xen.vpci is not None:
        made["emulation"] = {(one.segment, one.rid): True for one in xen.vpci.devices}
        made["slots"] = {
            (domain, slot): one.sbdf
            for domain, slots in xen.vpci.slots.items()
            for slot, one in slots.taken.items()
        }
        made["mappings"] = {
            (record.owner, record.sbdf): areas
            for record, device in xen.vpci.devices.items()
            if (areas := tuple(device.header.mapped()))
        }
    return made


def differing(before: State, after: State) -> frozenset[str]:
    """The parts that are not the same."""
    return frozenset(part for part in before.keys() | after.keys() if before.get(part) != after.get(part))


def changes(before: State, after: State) -> frozenset[tuple[str, Any]]:
    """(part, key) of every value that is not the same."""
    found: set[tuple[str, Any]] = set()
    for part in differing(before, after):
        old, new = before.get(part, {}), after.get(part, {})
        found |= {(part, key) for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    return frozenset(found)


def listed(domain: Domain, known: int) -> Iterator[str]:
    """The devices that a domain lists, in order; `…` where the list leads into memory that was freed, or is
    longer than there are records `known`."""
    here: ListHead[Record] = domain.devices.next
    for _ in range(known + 1):
        if here is domain.devices:
            return
        if here.owner is None or here.owner.freed:
            break
        yield here.owner.sbdf
        here = here.next
    yield "…"


def _record(record: Record) -> tuple[object, ...]:
    streams = record.streams
    return (
        *(getattr(record, name) for name in _FIELDS if name != "owner"),
        None if record.pf is None else record.pf.sbdf,
        tuple(record.vf_sizes),
        None if streams is None else (streams.iommu, streams.ids),
    )


def _members(record: Record) -> Iterator[str]:
    here = record.vf_list.next
    for _ in range(_LONGEST):
        if here is record.vf_list or here.owner is None:
            return
        yield here.owner.sbdf
        here = here.next


def _bridges(stage: Stage) -> Iterator[object]:
    for bridge in stage.xen.core.routes.bridges:
        yield bridge.path, bridge.segment, bridge.kind, bridge.windows


def _translation(stage: Stage) -> Iterator[tuple[Hashable, object]]:
    """Which domain's tables a requester's accesses go through, by the driver's own book."""
    iommu = stage.xen.core.iommu
    if isinstance(iommu, ArmIommu):
        for (unit, stream), record in iommu.live.items():
            yield (unit, stream), (record.sbdf, record.freed)
    elif isinstance(iommu, VtdIommu):
        for (drhd, rid), domain in iommu.contexts.items():
            yield (iommu.units.index(drhd), rid), domain
    elif isinstance(iommu, AmdIommu):
        for segment, known in iommu.ivrs.segments.items():
            yield segment, len(known)
        shared: dict[int, int] = {}
        for requester, table in iommu.ivrs.tables.items():
            yield requester, (shared.setdefault(id(table), len(shared)), table.freed)
