"""`iommu-map` and `msi-map`: from requester ids to stream ids and device ids.

An entry is `rid-base, phandle, output specifier, length`. How wide the output specifier is depends
on who reads: one cell up to Linux 6.12 and in Xen, the target's `#iommu-cells` or `#msi-cells` in
Linux 7.2. The caller chooses (`MapCells`). Lookup follows Linux `drivers/of/base.c:of_map_id`.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct, field

from rootplex.formats.devicetree import MapCells
from rootplex.readers.first import First
from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode, Tree, cells_of, number
from rootplex.source.place import DtPlace


class RidMapEntry(Struct, frozen=True):
    """One entry. `output` are the specifier's cells; `target` is the node behind `phandle`, None
    where there is none, and `target_enabled` its own status."""

    rid_base: int
    phandle: int
    target: str | None
    target_enabled: bool
    output: tuple[int, ...]
    length: int
    cell: int
    """Index of the entry's first cell in the property."""
    place: DtPlace

    @property
    def out_base(self) -> int:
        """The specifier as one number: the id of `rid_base`."""
        return number(self.output)


class RidMap(Struct, frozen=True):
    """One map property. `invalid` says why Linux refuses it (-EINVAL), else None: as a whole (then
    there are no entries), or from the point where its entries stop. `mask` is 0xffffffff where no
    mask property stands (`mask_present`)."""

    node: str
    property: str
    cells: MapCells
    mask: int
    mask_present: bool
    entries: tuple[RidMapEntry, ...]
    invalid: str | None
    place: DtPlace
    problems: tuple[Problem, ...] = ()
    first: First = field(default_factory=lambda: First([]))
    """Which entry holds a RID."""
    stop: int | None = None
    """The first entry that ends every search that comes to it, whatever it covers."""


class MapResult(Struct, frozen=True, kw_only=True):
    """Where a requester id goes. Mapped: `entry` and `output` are set. Not covered by any entry:
    both None and no `error`. Refused: `error` is the kernel's error name (EINVAL, EFAULT, ENODEV)
    and `reason` says why; `place` points at what decided."""

    masked: int
    place: DtPlace
    entry: RidMapEntry | None = None
    output: tuple[int, ...] | None = None
    error: str | None = None
    reason: str | None = None

    @property
    def id(self) -> int | None:
        """The stream or device id as one number; None where the id is not mapped."""
        return None if self.output is None else number(self.output)


_FIELDS = {"iommu-map": ("iommu-map-mask", "#iommu-cells"), "msi-map": ("msi-map-mask", "#msi-cells")}
_FULL_MASK = 0xFFFFFFFF
_MAX_OUTPUT = 16
"""Linux takes no more argument cells (`MAX_PHANDLE_ARGS`)."""


def rid_map(tree: Tree, node: DtNode, property: str, cells: MapCells) -> RidMap | None:
    """The map in a node's `iommu-map` or `msi-map`; None where it has none."""
    value = node.properties.get(property)
    if value is None:
        return None
    mask_name, cells_name = _FIELDS[property]
    mask = node.u32(mask_name)
    place = tree.place(node, property)
    words = cells_of(value)
    problems = []
    invalid = None
    if len(value) % 4:
        invalid = f"{property} has {len(value)} bytes, not a whole number of cells"
    elif not words:
        invalid = f"{property} is empty"
    elif cells is MapCells.ONE and len(words) % 4:
        invalid = f"{property} has {len(words)} cells, not a multiple of 4"
    if invalid:
        words = ()
    one_cell = cells is MapCells.ONE
    if not one_cell and _is_one_cell_map(tree, words, cells_name):
        one_cell = True
        text = f"entries have one output cell where their target's {cells_name} is 2"
        problems.append(Problem("cells", place, text))
    entries: list[RidMapEntry] = []
    at = 0
    while at < len(words):
        left = len(words) - at
        target = tree.by_phandle.get(words[at + 1]) if left > 1 else None
        own = None if one_cell or target is None else target.u32(cells_name)
        width = 1 if own is None else own
        if width > _MAX_OUTPUT or 3 + width > left:
            invalid = f"{property} has an entry of {3 + width} cells where {left} are left"
            if entries and not one_cell:
                last = entries[-1]
                invalid += f"; {cells_name} of {last.target} is {len(last.output)}"
            break
        entry_place = tree.place(node, property, at)
        entries.append(
            RidMapEntry(
                rid_base=words[at],
                phandle=words[at + 1],
                target=None if target is None else target.path,
                target_enabled=target is not None and target.is_enabled,
                output=words[at + 2 : at + 2 + width],
                length=words[at + 2 + width],
                cell=at,
                place=entry_place,
            )
        )
        if target is None:
            problems.append(Problem("reference", entry_place, f"no node has phandle {words[at + 1]:#x}"))
        at += 3 + width
    if invalid:
        problems.insert(0, Problem("size", place, invalid))
    full = _FULL_MASK if mask is None else mask
    stops = (
        index
        for index, entry in enumerate(entries)
        if (cells is MapCells.TARGET and entry.target is None) or entry.rid_base & ~full
    )
    return RidMap(
        node=node.path,
        property=property,
        cells=cells,
        mask=full,
        mask_present=mask is not None,
        entries=tuple(entries),
        invalid=invalid,
        place=place,
        problems=tuple(problems),
        stop=next(stops, None),
        first=First([(entry.rid_base, entry.length) for entry in entries]),
    )


def _is_one_cell_map(tree: Tree, words: tuple[int, ...], cells_name: str) -> bool:
    """Linux 7.2's exception for old vendor trees (`of_check_bad_map`): the first target says two
    cells, but the property reads as entries of one output cell, all of length 1 to one target."""
    if len(words) < 4 or len(words) % 4:
        return False
    target = tree.by_phandle.get(words[1])
    if target is None or target.u32(cells_name) != 2:
        return False
    return all(words[at + 1] == words[1] and words[at + 3] == 1 for at in range(0, len(words), 4))


def map_rid(map: RidMap, rid: int) -> MapResult:
    """Look a requester id up, as Linux `of_map_id` does: mask it, take the first entry that covers
    it; an entry met on the way with bits outside the mask, or (with `MapCells.TARGET`) without a
    target, ends the search with an error."""
    masked = rid & map.mask

    result = partial(MapResult, masked=masked)
    index = map.first.of(masked)
    stop = map.stop
    if stop is not None and (index is None or stop <= index):
        entry = map.entries[stop]
        if map.cells is MapCells.TARGET and entry.target is None:
            reason = f"no node has phandle {entry.phandle:#x}"
            return result(place=entry.place, entry=entry, error="ENODEV", reason=reason)
        reason = f"rid base {entry.rid_base:#x} has bits outside the mask {map.mask:#x}"
        return result(place=entry.place, entry=entry, error="EFAULT", reason=reason)
    if index is not None:
        entry = map.entries[index]
        if entry.target is None:
            reason = f"no node has phandle {entry.phandle:#x}"
            return result(place=entry.place, entry=entry, error="ENODEV", reason=reason)
        if len(entry.output) > 1 and entry.length > 1:
            reason = f"{len(entry.output)} output cells with a length of {entry.length}"
            return result(place=entry.place, entry=entry, error="EINVAL", reason=reason)
        output = entry.output
        if len(output) == 1:
            output = ((output[0] + masked - entry.rid_base) & _FULL_MASK,)
        return result(place=entry.place, entry=entry, output=output)
    if map.invalid:
        return result(place=map.place, error="EINVAL", reason=map.invalid)
    return result(place=map.place, reason=f"no entry covers {masked:#x}")
