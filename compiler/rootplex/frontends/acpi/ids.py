"""A bridge's requester ids through IORT: RID → StreamID, and RID → (StreamID →) DeviceID, composed; through
VIOT: RID → endpoint id; through RIMT: RID → device id of the IOMMU.

A piece is what goes one way from the root complex's mapping on, or by a range, to one controller of the
description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from rootplex.formats.idruns import RUNS_LIMIT, Run, joined
from rootplex.frontends.acpi.controllers import AcpiControllers
from rootplex.frontends.document import Hex, Missing, flag, leaf, listing, record, told
from rootplex.readers.acpi.iort_facts import Iort, IortNode, ItsGroup
from rootplex.readers.acpi.iort_ids import ITS_TYPES, SMMU_TYPES, root_complex
from rootplex.readers.buses import Buses
from rootplex.readers.idruns import Way, iort_ways, rimt_runs, viot_runs
from rootplex.source.node import Node
from rootplex.source.place import Place


def msi_of(controllers: AcpiControllers, segment: int, buses: tuple[int, int], name: str) -> Node | None:
    """The `msi` key: the ITS that IORT leads to, the GICv2m frame of a machine without any, or RISC-V's
    IMSICs; else None."""
    if controllers.frame is not None:
        frame, place = controllers.frame
        fields: dict[str, Node | None] = {"controller": leaf(frame, place), "parent": flag(True, place)}
        return record(place, fields, told(place))

    def target(node: IortNode) -> str | None:
        assert isinstance(node.data, ItsGroup)
        return next((controllers.its[each] for each in node.data.ids if each in controllers.its), None)

    return _key(controllers, segment, buses, ITS_TYPES, target, "controller", name)


def iommu_of(controllers: AcpiControllers, segment: int, buses: tuple[int, int], name: str) -> Node | None:
    """The `iommu` key: the unit of VT-d or AMD's, the SMMU that IORT leads to, VIOT's virtio-iommu, or
    RIMT's unit."""
    unit = controllers.unit_of(segment, buses[0])
    if unit is not None:
        ats = controllers.ats_of(segment, buses[0])
        fields: dict[str, Node | None] = {
            "unit": leaf(unit.name, unit.place),
            "ats": None if ats is None else leaf(True, ats, told(ats)),
        }
        return record(unit.place, fields, told(unit.place))
    by_iort = _key(
        controllers, segment, buses, SMMU_TYPES, lambda node: controllers.units.get(node.offset), "unit", name
    )
    return (
        by_iort or _by_viot(controllers, segment, buses, name) or _by_rimt(controllers, segment, buses, name)
    )


def _by_viot(controllers: AcpiControllers, segment: int, buses: tuple[int, int], name: str) -> Node | None:
    viot = controllers.source.viot
    runs = () if viot is None else viot_runs(viot, segment, Buses(*buses)) or ()
    return _of_runs(controllers, runs, controllers.virtio, name, {})


def _by_rimt(controllers: AcpiControllers, segment: int, buses: tuple[int, int], name: str) -> Node | None:
    rimt = controllers.source.rimt
    root = None if rimt is None else rimt.root_of(segment)
    if rimt is None or root is None:
        return None
    runs = rimt_runs(rimt, segment, Buses(*buses)) or ()
    more = {
        "ats": leaf(True, root.place) if root.ats else None,
        "pri": leaf(True, root.place) if root.pri else None,
    }
    return _of_runs(controllers, runs, controllers.riscv, name, more)


def _of_runs(
    controllers: AcpiControllers,
    runs: Iterable[Way],
    names: Mapping[object, str],
    name: str,
    more: Mapping[str, Node | None],
) -> Node | None:
    """The `iommu` key of runs to units of these names; None where none leads to one."""
    pieces = [
        Run(run.first, run.count, names[run.target], run.id, run.constant, run.at)
        for run in runs
        if run.target in names
    ]
    return _of_pieces(controllers, pieces, "unit", name, more) if pieces else None


def _key(
    controllers: AcpiControllers,
    segment: int,
    buses: tuple[int, int],
    wanted: Sequence[int],
    target: Callable[[IortNode], str | None],
    key: str,
    name: str,
) -> Node | None:
    iort = controllers.source.iort
    root = None if iort is None else root_complex(iort, segment)
    if iort is None or root is None:
        return None
    pieces = list(joined(_pieces(iort, root, Buses(*buses), wanted, target)))
    if not pieces:
        return None
    ats = root.data.ats_attribute if key == "unit" and hasattr(root.data, "ats_attribute") else 0
    more = {
        "ats": leaf(True, iort.place(root)) if ats & 1 else None,
        "pri": leaf(True, iort.place(root)) if ats & 2 else None,
    }
    return _of_pieces(controllers, pieces, key, name, more)


def _of_pieces(
    controllers: AcpiControllers,
    pieces: Sequence[Run[str]],
    key: str,
    name: str,
    more: Mapping[str, Node | None],
) -> Node:
    """The key: the one controller, or one for each entry of the map; `more` of its keys."""
    one = len({piece.target for piece in pieces}) == 1
    head = leaf(pieces[0].target, pieces[0].at) if one else None
    constant = [piece for piece in pieces if piece.constant and piece.count > 1]
    if constant and len(pieces) == 1:
        (piece,) = pieces
        entries = [_entry(0, piece.id, 1, None, key, piece.at)]
        mask: Node | None = leaf(0, piece.at, "one id for all")
    else:
        for piece in constant:
            why = "many requester ids become one, which the language can say of a whole bridge only"
            controllers.missing.append(Missing(f"{name}: ids from {piece.first:#x}", why, piece.at))
        entries = [
            _entry(piece.first, piece.id, piece.count, None if one else piece.target, key, piece.at)
            for piece in pieces
            if piece not in constant
        ]
        mask = None
    place = pieces[0].at
    fields: dict[str, Node | None] = {key: head, "map": listing(entries, place), "mask": mask, **more}
    return record(place, fields, told(place))


def _entry(rid: int, id: int, count: int, target: str | None, key: str, place: Place) -> Node:
    fields: dict[str, Node | None] = {
        "rid": leaf(Hex(rid), place),
        "id": leaf(Hex(id), place),
        "count": leaf(Hex(count), place),
        key: None if target is None else leaf(target, place),
    }
    return record(place, fields)


def _pieces(
    iort: Iort, root: IortNode, buses: Buses, wanted: Sequence[int], target: Callable[[IortNode], str | None]
) -> Iterator[Run[str]]:
    for way, entrance in islice(iort_ways(iort, root, buses, wanted), RUNS_LIMIT):
        node = iort.at(way.target) if isinstance(way.target, int) else None
        name = None if node is None else target(node)
        if name is not None:
            yield Run(way.first, way.count, name, way.id, way.constant, entrance)
