"""What a backend returns: bytes, and the map from places in those bytes to the description.

A finding of the simulator names a place of an artifact; `PlaceMap.source` gives the line of the
description that a person can change.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from rootplex.source.place import DtPlace, Place, TablePlace


class PlaceMap(Struct):
    """Artifact place → source place, filled by one backend while it writes.

    Device tree: (node, property, cell); tables: (table, offset, length) or an AML path, and for
    `_CRS` the descriptor's offset in the buffer beside the path. `file` is left out of the keys.
    """

    nodes: dict[tuple[str, str | None, int | None], Place] = field(default_factory=dict)
    fields: dict[tuple[str, str | None], dict[int, list[tuple[int, int, Place]]]] = field(
        default_factory=dict
    )
    """By length the (offset, number of the note, source) of a table or object, ascending."""
    objects: dict[tuple[str, str], Place] = field(default_factory=dict)
    notes: int = 0
    """How many stretches of bytes have been noted; of several that hold a byte the first counts."""

    def node(self, source: Place, node: str, property: str | None = None, cell: int | None = None) -> None:
        """Note that a node, property or cell was made from `source`."""
        self.nodes[node, property, cell] = source

    def table(self, source: Place, table: str, offset: int, length: int, path: str | None = None) -> None:
        """Note that `length` bytes at `offset` of a table (or of the buffer at an AML path) were."""
        insort(self.fields.setdefault((table, path), {}).setdefault(length, []), (offset, self.notes, source))
        self.notes += 1

    def object(self, source: Place, table: str, path: str) -> None:
        """Note that an AML object was made from `source`."""
        self.objects[table, path] = source

    def source(self, place: Place) -> Place | None:
        """The description's place for an artifact place, or the nearest enclosing one's.

        Cell, then property, then node and its parents; bytes, then the AML object and its
        parents. None where nothing above it came from the description.
        """
        if isinstance(place, DtPlace):
            return self._node_source(place)
        if isinstance(place, TablePlace):
            return self._table_source(place)
        return place

    def _node_source(self, place: DtPlace) -> Place | None:
        for key in ((place.node, place.property, place.cell), (place.node, place.property, None)):
            if key in self.nodes:
                return self.nodes[key]
        if place.cell is not None:
            before = [
                (cell, source)
                for (node, name, cell), source in self.nodes.items()
                if node == place.node and name == place.property and cell is not None and cell <= place.cell
            ]
            if before:
                return max(before, key=lambda pair: pair[0])[1]
        node = place.node
        while node:
            if (node, None, None) in self.nodes:
                return self.nodes[node, None, None]
            node = node.rpartition("/")[0]
        return None

    def _table_source(self, place: TablePlace) -> Place | None:
        if place.offset is not None:
            found = min(self._noted_at(place.table, place.path, place.offset), default=None)
            if found is not None:
                return found[1]
        path = place.path
        while path:
            if (place.table, path) in self.objects:
                return self.objects[place.table, path]
            path = path.rpartition(".")[0]
        return None

    def _noted_at(self, table: str, path: str | None, offset: int) -> Iterator[tuple[int, Place]]:
        """The stretches that hold a byte: the numbers of their notes, and where they came from."""
        for length, noted in self.fields.get((table, path), {}).items():
            at = bisect_left(noted, (offset + 1,))
            while at and noted[at - 1][0] + length > offset:
                at -= 1
                yield noted[at][1:]

    def merge(self, other: PlaceMap) -> None:
        """Take over the other map's entries."""
        self.nodes.update(other.nodes)
        self.objects.update(other.objects)
        notes = (
            (number, source, table, offset, length, path)
            for (table, path), by_length in other.fields.items()
            for length, noted in by_length.items()
            for offset, number, source in noted
        )
        for note in sorted(notes, key=lambda each: each[0]):
            self.table(*note[1:])


class Artifact(Struct, frozen=True):
    """One file: its bytes and where they came from."""

    file: str
    data: bytes
    places: PlaceMap = field(default_factory=PlaceMap)


class BridgeNames(Struct, frozen=True):
    """What the artifacts call one host bridge of the description; None where they do not have it."""

    name: str
    node: str | None
    path: str | None
    hardware: str


class Compiled(Struct, frozen=True, kw_only=True):
    """All artifacts of one platform, and how they belong to the description.

    `pages` maps a page id of the hardware image to (bridge name, device key).
    """

    name: str
    files: Mapping[str, bytes]
    places: PlaceMap
    bridges: tuple[BridgeNames, ...]
    pages: Mapping[str, tuple[str, str]]
