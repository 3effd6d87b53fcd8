"""The names of a description: where each is given, and where it is used."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.editor.language import slot_at
from rootplex.editor.tree import Path, spots
from rootplex.source.node import Node
from rootplex.source.place import Span

DESCRIBED = ("interrupt_controllers", "msi_controllers", "iommus", "host_bridges", "devices", "guests")
"""The lists whose entries have names that others refer to."""


class Name(Struct, frozen=True, kw_only=True):
    """A name where it is given: in what list, at which path its entry is, and where the name stands."""

    name: str
    list: str
    path: Path
    entry: Node
    at: Span


class Use(Struct, frozen=True, kw_only=True):
    """A name where something else refers to it; `list` is what it must lead to."""

    name: str
    list: str
    at: Span


def names_of(document: Node) -> Iterator[Name]:
    """Every name that is given, in the order of the document."""
    for key in ("interrupt_controllers", "msi_controllers", "iommus", "host_bridges", "guests"):
        yield from _entries(document, (key,))
    yield from _entries(document, ("xen", "guests"))


def _entries(document: Node, path: Path) -> Iterator[Name]:
    list_ = document
    for step in path:
        assert isinstance(step, str)
        below = list_.get(step)
        if below is None:
            return
        list_ = below
    yield from _of_list(list_, path)


def _of_list(entries: Node, path: Path) -> Iterator[Name]:
    for i, entry in enumerate(entries.items):
        name = entry.get("name")
        if name is not None and isinstance(name.value, str) and isinstance(name.place, Span):
            yield Name(name=name.value, list=str(path[-1]), path=(*path, i), entry=entry, at=name.place)
        below = entry.get("devices")
        if path[-1] in ("host_bridges", "devices") and below is not None:
            yield from _of_list(below, (*path, i, "devices"))


def uses_of(document: Node) -> Iterator[Use]:
    """Every reference by name, in the order of the document."""
    for spot in spots(document):
        if spot.path[0] == "host_bridges" and "devices" in spot.path:
            continue  # a device refers to catalogues alone
        slot = slot_at(document, spot.path[:-1] if spot.is_key else spot.path)
        name = spot.path[-1] if spot.is_key else spot.node.value
        if slot is None or not isinstance(name, str) or slot.refers_to not in (*DESCRIBED, "names"):
            continue
        if not (spot.is_key and name in slot.keys):
            yield Use(name=name, list=slot.refers_to, at=spot.at)
