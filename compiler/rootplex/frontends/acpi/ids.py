"""A bridge's requester ids through IORT: RID → StreamID, and RID → (StreamID →) DeviceID, composed.

Linux asks IORT for one id at a time (`iort_ids.map_id`). Here the ids of the bridge's buses are cut where
any mapping on the way begins or ends, so that each piece goes one way; the piece's first and last
id are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from rootplex.frontends.acpi.controllers import ControllerBook
from rootplex.frontends.document import Hex, Missing, flag, leaf, listing, record, told
from rootplex.readers.acpi.iort import ITS_TYPES, SMMU_TYPES, Iort, IortNode, ItsGroup, map_id, root_complex
from rootplex.source.node import Node
from rootplex.source.place import Place

_RIDS = 256
_MAX_PIECES = 4096


class Piece(Struct, frozen=True):
    """`count` requester ids from `rid` become ids from `id` at `target` (`constant`: all become `id`)."""

    rid: int
    count: int
    id: int
    constant: bool
    target: str
    place: Place


def msi_of(book: ControllerBook, segment: int, buses: tuple[int, int], name: str) -> Node | None:
    """The `msi` key: the ITS that IORT leads to, or the GICv2m frame of a machine without any; else None."""
    if book.frame is not None:
        frame, place = book.frame
        fields: dict[str, Node | None] = {"controller": leaf(frame, place), "parent": flag(True, place)}
        return record(place, fields, told(place))

    def target(node: IortNode) -> str | None:
        assert isinstance(node.data, ItsGroup)
        return next((book.its[each] for each in node.data.ids if each in book.its), None)

    return _key(book, segment, buses, ITS_TYPES, target, "controller", name)


def iommu_of(book: ControllerBook, segment: int, buses: tuple[int, int], name: str) -> Node | None:
    """The `iommu` key: the VT-d unit of the segment, or the SMMU that IORT leads to."""
    unit = book.vtd_of(segment, buses[0])
    if unit is not None:
        return record(unit.place, {"unit": leaf(unit.name, unit.place)}, told(unit.place))
    return _key(book, segment, buses, SMMU_TYPES, lambda node: book.units.get(node.offset), "unit", name)


def _key(
    book: ControllerBook,
    segment: int,
    buses: tuple[int, int],
    wanted: Sequence[int],
    target: Callable[[IortNode], str | None],
    key: str,
    name: str,
) -> Node | None:
    iort = book.source.iort
    root = None if iort is None else root_complex(iort, segment)
    if iort is None or root is None:
        return None
    first, end = buses[0] * _RIDS, (buses[1] + 1) * _RIDS
    pieces = _pieces(iort, root, first, end, wanted, target)
    if not pieces:
        return None
    one = len({piece.target for piece in pieces}) == 1
    head = leaf(pieces[0].target, pieces[0].place) if one else None
    constant = [piece for piece in pieces if piece.constant]
    if constant and len(pieces) == 1:
        (piece,) = pieces
        entries = [_entry(0, piece.id, 1, None, key, piece.place)]
        mask: Node | None = leaf(0, piece.place, "one id for all")
    else:
        for piece in constant:
            why = "many requester ids become one, which the language can say of a whole bridge only"
            book.missing.append(Missing(f"{name}: ids from {piece.rid:#x}", why, piece.place))
        entries = [
            _entry(piece.rid, piece.id, piece.count, None if one else piece.target, key, piece.place)
            for piece in pieces
            if not piece.constant
        ]
        mask = None
    place = pieces[0].place
    ats = root.data.ats_attribute if key == "unit" and hasattr(root.data, "ats_attribute") else 0
    fields: dict[str, Node | None] = {
        key: head,
        "map": listing(entries, place),
        "mask": mask,
        "ats": leaf(True, iort.place(root)) if ats & 1 else None,
        "pri": leaf(True, iort.place(root)) if ats & 2 else None,
    }
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
    iort: Iort,
    root: IortNode,
    first: int,
    end: int,
    wanted: Sequence[int],
    target: Callable[[IortNode], str | None],
) -> list[Piece]:
    """The ids first…end - 1 in pieces, joined where they go on alike."""
    found: list[Piece] = []
    for start, stop in pairwise(_cuts(iort, root, first, end)):
        low, high = map_id(iort, root, start, wanted), map_id(iort, root, stop - 1, wanted)
        if low.node is None or high.node is not low.node:
            continue
        name = target(low.node)
        if name is None:
            continue
        count = stop - start
        constant = count > 1 and high.id == low.id
        if not constant and high.id - low.id != count - 1:
            continue
        place = low.steps[0].mapping.place if low.steps else root.place
        last = found[-1] if found else None
        if last and last.rid + last.count == start and last.target == name and last.place == place:
            goes_on = low.id == (last.id if constant else last.id + last.count)
            if goes_on and (constant == last.constant or (last.count == 1 and constant)):
                found[-1] = Piece(last.rid, last.count + count, last.id, constant, name, last.place)
                continue
        found.append(Piece(start, count, low.id, constant, name, place))
    return found


def _cuts(iort: Iort, root: IortNode, first: int, end: int) -> list[int]:
    """Where an id of first…end may begin to go another way: the edges of the root's mappings, and those
    of the mappings behind, brought back to requester ids."""
    cuts = {first, end}
    for mapping in root.mappings:
        if mapping.single:
            continue
        base, last = mapping.input_base, mapping.input_base + mapping.id_count
        cuts |= {base, last, last + 1}
        behind = iort.at(mapping.output_reference)
        for inner in behind.mappings if behind is not None else ():
            shift = mapping.input_base - mapping.output_base
            edges = (
                inner.input_base,
                inner.input_base + inner.id_count,
                inner.input_base + inner.id_count + 1,
            )
            cuts |= {edge + shift for edge in edges if base <= edge + shift <= last + 1}
        if len(cuts) > _MAX_PIECES:
            break
    return sorted(cut for cut in cuts if first <= cut <= end)
