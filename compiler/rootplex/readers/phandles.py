"""References to other nodes with arguments, as in `msi-parent`, `iommus` and `interconnects`."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.readers.tree import DtNode, Tree
from rootplex.source.place import DtPlace


class PhandleRef(Struct, frozen=True):
    """A reference with arguments, as in `msi-parent` and `iommus`; `target` None: no such node. `lacking`
    counts the argument cells that the target asks for and the property does not have."""

    phandle: int
    target: str | None
    target_enabled: bool
    arguments: tuple[int, ...]
    cell: int
    place: DtPlace
    lacking: int = 0


def phandle_refs(tree: Tree, node: DtNode, property: str, cells_name: str) -> Iterator[PhandleRef]:
    """The references of a property, each followed by as many arguments as its target's
    `cells_name` says (0 where absent); they end at the first one without a target."""
    cells = node.cells(property) or ()
    at = 0
    while at < len(cells):
        target = tree.by_phandle.get(cells[at])
        width = 0 if target is None else target.u32(cells_name) or 0
        yield PhandleRef(
            phandle=cells[at],
            target=None if target is None else target.path,
            target_enabled=target is not None and target.is_enabled,
            arguments=cells[at + 1 : at + 1 + width],
            cell=at,
            place=tree.place(node, property, at),
            lacking=max(0, at + 1 + width - len(cells)),
        )
        if target is None:
            return
        at += 1 + width
