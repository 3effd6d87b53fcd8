"""A document as a tree of values with places: what YAML text and vendor firmware both become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from rootplex.source.place import Place

Scalar: TypeAlias = bool | int | float | str | None


NO_KEYS: Mapping[str, Place] = {}
"""Of all values that are no maps; shared, and never changed."""


class Node(Struct, frozen=True, gc=False):
    """One value: a scalar, a list of nodes, or a map of nodes, with its place.

    `keys` has the place of each key of a map. `comment` is a remark for the reader of a written
    description, such as where an imported value was found. `written` is the text of a number that other
    readers than YAML 1.2's take for another one (`010`).

    There may be half a million: what is made from the leaves up cannot lie in a circle, so the collector of
    circles is not told of each.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    place: Place
    keys: Mapping[str, Place] = field(default_factory=lambda: NO_KEYS)
    comment: str | None = None
    written: str | None = None

    def get(self, key: str) -> Node | None:
        """The node at a key of a map; None where there is no such key or this is no map."""
        return self.value.get(key) if isinstance(self.value, Mapping) else None

    def text(self, key: str) -> str:
        """The value at a key of a map as text; empty where there is none."""
        below = self.get(key)
        return "" if below is None else str(below.value)

    @property
    def items(self) -> tuple[Node, ...]:
        """The nodes of a list; empty for anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    def find(self, path: tuple[str | int, ...]) -> Node:
        """The node at a path of keys and indices, or the deepest one on the way to it."""
        node = self
        for step in path:
            below: Node | None = None
            if isinstance(step, str):
                below = node.get(step)
            elif step < len(node.items):
                below = node.items[step]
            if below is None:
                return node
            node = below
        return node

    def plain(self) -> object:
        """The value without places: dicts, lists and scalars."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in order."""
        yield self
        below = self.value.values() if isinstance(self.value, Mapping) else self.items
        for node in below:
            yield from node.walk()
