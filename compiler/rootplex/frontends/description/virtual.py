"""`{device: nic, vf: [0, 3]}` spelled out: the names of those virtual functions, each at the map's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from rootplex.frontends.description.values import Faults, number_of
from rootplex.model.virtual import virtual_name
from rootplex.source.node import Node

_WITH_NAMES = frozenset({"xen", "guests", "expect"})
"""Keys of a description below which lists of devices stand."""


def spelled_out(document: Node, faults: Faults) -> Node:
    """A description in which every list of devices has names alone; a map with a faulty key is left out."""
    if not isinstance(document.value, Mapping):
        return document
    changed = {
        key: _spelled_out(node, faults) if key in _WITH_NAMES else node
        for key, node in document.value.items()
    }
    return replace(document, value=changed)


def _spelled_out(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, Mapping):
        return replace(node, value={key: _spelled_out(below, faults) for key, below in node.value.items()})
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(name for item in node.value for name in _names(item, faults)))
    return node


def _names(item: Node, faults: Faults) -> Iterator[Node]:
    device, vf = item.get("device"), item.get("vf")
    if device is None and vf is None:
        yield _spelled_out(item, faults)
    if device is None or vf is None:
        return
    ends = [number_of(each.value) or 0 for each in vf.items] or [number_of(vf.value) or 0]
    if ends[0] > ends[-1]:
        help = f"write [{ends[-1]}, {ends[0]}]"
        faults.value(vf.place, f"the first VF, {ends[0]}, comes after the last, {ends[-1]}", help=help)
    for index in range(ends[0], ends[-1] + 1):
        yield Node(virtual_name(str(device.value), index), item.place)
