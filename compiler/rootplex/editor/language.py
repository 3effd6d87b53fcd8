"""What the language has at a place: a key's own text, the keys and the values that can stand there.

All of it is the schema's. `refersTo` there says what a name leads to: a list of the description, a catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft7Validator
from msgspec import Struct

from rootplex.editor.tree import Path
from rootplex.source.node import Node
from rootplex.source.schema import Schema, definition, platform_schema


class Slot(Struct, frozen=True, kw_only=True):
    """A place for a value: the key's own words, the schemas that hold there, and what a name in it refers to:
    the value, an entry of the list, or a key of the mapping."""

    own: Schema
    views: tuple[Schema, ...]
    refers_to: str | None = None

    @property
    def keys(self) -> dict[str, Schema]:
        """The keys of a mapping here, each with its own words, in the schema's order."""
        found: dict[str, Schema] = {}
        for view in self.views:
            for key, below in view.get("properties", {}).items():
                if "description" in below:
                    found.setdefault(key, below)
        for view in self.views:
            for key in view.get("propertyNames", {}).get("not", {}).get("enum", ()):
                found.pop(key, None)
        return found

    @property
    def required(self) -> frozenset[str]:
        """The keys that a mapping here must have."""
        return frozenset(key for view in self.views for key in view.get("required", ()))

    @property
    def values(self) -> tuple[object, ...]:
        """The values of a fixed set, where there is one."""
        for view in self.views:
            if "enum" in view:
                return tuple(view["enum"])
        types = {each for view in self.views for each in _types(view)}
        return (True, False) if "boolean" in types else ()

    @property
    def default(self) -> object:
        return self.own.get("default")

    @property
    def title(self) -> str:
        return str(self.own.get("title", ""))

    @property
    def text(self) -> str:
        return str(self.own.get("description", ""))


def _types(view: Schema) -> list[str]:
    said = view.get("type", [])
    return [said] if isinstance(said, str) else said


def slot_at(document: Node, path: Path) -> Slot | None:
    """What the schema has at a path of a document; None where it has nothing."""
    root = platform_schema()
    node = document
    slot = Slot(own=root, views=tuple(_holding(root, node)))
    for step in path:
        below = _below(slot, step)
        if below is None:
            return None
        node = _node_below(node, step)
        inherited = slot.refers_to if isinstance(step, int) else None
        refers_to = below.get("refersTo", inherited)
        slot = Slot(own=below, views=tuple(_holding(below, node)), refers_to=refers_to)
    return slot


def _below(slot: Slot, step: str | int) -> Schema | None:
    if isinstance(step, int):
        return next((view["items"] for view in slot.views if "items" in view), None)
    known = slot.keys.get(step)
    if known is not None:
        return known
    others = (view.get("additionalProperties") for view in slot.views)
    return next((each for each in others if isinstance(each, dict)), None)


def _node_below(node: Node, step: str | int) -> Node:
    if isinstance(step, str):
        return node.get(step) or Node(None, node.place)
    return node.items[step] if step < len(node.items) else Node(None, node.place)


def _holding(schema: Any, node: Node) -> Iterator[Schema]:
    """The schemas that hold for a value: its own and, by their conditions, those of `allOf` and `if`."""
    root = platform_schema()
    if isinstance(schema, Mapping) and "$ref" in schema:
        yield {key: value for key, value in schema.items() if key != "$ref"}
    schema = definition(schema, root)
    assert isinstance(schema, dict)
    yield schema
    for each in schema.get("allOf", ()):
        yield from _holding(each, node)
    if "if" in schema:
        branch = "then" if _condition(json.dumps(schema["if"])).is_valid(node.plain()) else "else"
        if branch in schema:
            yield from _holding(schema[branch], node)


@cache
def _condition(text: str) -> Draft7Validator:
    """A condition of the schema; none of them refers to a definition."""
    return Draft7Validator(json.loads(text))
