"""A device tree as a value: nodes, properties made of typed parts, references by key, source places.

It knows nothing of PCI. `dtb` and `dts` write it; `places` tells which line of the description each
node, property and cell was made from. Source: Devicetree Specification 0.4, §2.2 and appendix A.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.backends.artifact import PlaceMap
from rootplex.model.part import NOWHERE
from rootplex.source.place import Place


class Ref(Struct, frozen=True):
    """The phandle of the node with this key."""

    key: str


class Word(Struct, frozen=True):
    """One 32-bit cell, and what it was made from."""

    value: int | Ref
    source: Place | None = None


Row: TypeAlias = tuple[Word, ...]
"""Cells that belong together: one `<…>` of the text."""

Part: TypeAlias = Row | str
"""As in the text: a group of cells or a string."""


class Property(Struct, frozen=True):
    """A name and the parts of its value; without parts it is an empty property."""

    name: str
    value: tuple[Part, ...] = ()
    source: Place | None = None

    @property
    def words(self) -> Iterator[Word]:
        """Its cells in order."""
        for part in self.value:
            if not isinstance(part, str):
                yield from part


class Node(Struct, frozen=True, kw_only=True):
    """A node. `key` is what a `Ref` calls it; `label` the label asked for (default: made of the key)."""

    name: str
    properties: tuple[Property, ...] = ()
    children: tuple[Node, ...] = ()
    key: str | None = None
    label: str | None = None
    comment: str | None = None
    source: Place | None = None


class Tree(Struct, frozen=True):
    """A whole tree, its siblings' names distinct, with a label and a phandle for each key in use."""

    root: Node
    labels: Mapping[str, str] = field(default_factory=dict)
    phandles: Mapping[str, int] = field(default_factory=dict)


def word(value: int | Ref | Word, source: Place | None = None) -> Word:
    return value if isinstance(value, Word) else Word(value, source)


def wide(value: int, source: Place | None = None) -> Row:
    """A 64-bit number as two cells, the high one first."""
    return (Word(value >> 32, source), Word(value & 0xFFFF_FFFF, source))


def flag(name: str, *, source: Place | None = None) -> Property:
    """An empty property: its presence says it."""
    return Property(name, (), source)


def text(name: str, *strings: str, source: Place | None = None) -> Property:
    return Property(name, strings, source)


def cells(name: str, *values: int | Ref | Word, source: Place | None = None) -> Property:
    """A property of one row of cells; those without a place of their own have the property's."""
    return Property(name, (tuple(word(value, source) for value in values),), source)


def rows(name: str, *rows: Row, source: Place | None = None) -> Property:
    return Property(name, rows, source)


def registers(name: str, base: int, size: int, *properties: Property, key: str | None = None) -> Node:
    """A node that is called by its address and labelled by its key, with `reg` behind the first property."""
    return Node(
        name=f"{name}@{base:x}",
        key=key,
        label=None if key is None else key.strip("/").replace("-", "_"),
        properties=(properties[0], rows("reg", (*wide(base), *wide(size))), *properties[1:]),
    )


def tree(root: Node) -> Tree:
    """The tree of a root node. ValueError where a reference names a key that no node has.

    Phandles count from 1 in the order of first reference, properties before child nodes: so
    `dtc` numbers them when it reads the text.
    """
    root = _distinct(root)
    nodes = [node for _, node in walk(root)]
    phandles: dict[str, int] = {}
    for node in nodes:
        for each in node.properties:
            for cell in each.words:
                if isinstance(cell.value, Ref):
                    phandles.setdefault(cell.value.key, len(phandles) + 1)
    missing = phandles.keys() - {node.key for node in nodes}
    if missing:
        raise ValueError(f"nothing in the device tree is called {', '.join(sorted(missing))}")
    return Tree(root, _labels(nodes), phandles)


def walk(root: Node) -> Iterator[tuple[str, Node]]:
    """Every node with its path, in document order: parents first, the root as `/`."""
    stack = [("/", root)]
    while stack:
        path, node = stack.pop()
        yield path, node
        below = path.rstrip("/")
        stack.extend((f"{below}/{child.name}", child) for child in reversed(node.children))


def paths(root: Node) -> dict[str, str]:
    """Key → path, of every node that has a key."""
    return {node.key: path for path, node in walk(root) if node.key is not None}


def places(root: Node) -> PlaceMap:
    """Where every node, property and cell of the tree came from; a cell that came from where its
    property did has no entry of its own."""
    out = PlaceMap()
    for path, node in walk(root):
        _note(out, node.source, path)
        for each in node.properties:
            _note(out, each.source, path, each.name)
            if any(isinstance(part, str) for part in each.value):
                continue  # behind a string the cells have no number
            for index, cell in enumerate(each.words):
                if cell.source is not each.source:
                    _note(out, cell.source, path, each.name, index)
    return out


def _note(
    out: PlaceMap, source: Place | None, node: str, name: str | None = None, cell: int | None = None
) -> None:
    if source is not None and source != NOWHERE:
        out.node(source, node, name, cell)


def _distinct(node: Node) -> Node:
    """The node with its children's names made distinct: a name that comes again gets `,2`, `,3`…

    Two nodes at one address are a fault of the description, which a check reports; the tree
    must come out all the same.
    """
    seen: Counter[str] = Counter()
    children = []
    for child in node.children:
        seen[child.name] += 1
        count = seen[child.name]
        name = child.name if count == 1 else f"{child.name}{',' if '@' in child.name else '-'}{count}"
        children.append(replace(_distinct(child), name=name))
    return replace(node, children=tuple(children))


def _labels(nodes: Iterable[Node]) -> dict[str, str]:
    """Key → label: those asked for first, then made of the keys, each once."""
    keyed = [(node.key, node.label) for node in nodes if node.key is not None]
    out: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for key, label in sorted(keyed, key=lambda pair: pair[1] is None):
        wanted = label or re.sub(r"\W", "_", key, flags=re.ASCII)
        taken[wanted] += 1
        while taken[wanted] > 1:
            wanted = f"{wanted}_{taken[wanted]}"
            taken[wanted] += 1
        out[key] = wanted
    return out
