"""Functions with their configuration space to the `devices` of each first bus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rootplex.frontends.configspace import FunctionFact, device_record, read_config
from rootplex.frontends.document import Missing, listing, record
from rootplex.source.node import Node

_CARDBUS = 2


def device_list(functions: Iterable[FunctionFact], missing: list[Missing]) -> Node | None:
    """The trees of one root bus; None without functions. What a header cannot be said of is listed."""
    below: dict[str | None, list[FunctionFact]] = {}
    for fact in functions:
        if read_config(fact.config).header == _CARDBUS:
            why = "it has the header of a CardBus bridge, which the language has not"
            missing.append(Missing(fact.key, why, fact.place))
            continue
        below.setdefault(fact.parent, []).append(fact)
    nodes = _nodes(None, below)
    return listing(nodes, nodes[0].place) if nodes else None


def _nodes(parent: str | None, below: Mapping[str | None, Sequence[FunctionFact]]) -> list[Node]:
    facts = sorted(below.get(parent, ()), key=lambda fact: (fact.bus, fact.devfn))
    return [device_record(fact, _nodes(fact.key, below)) for fact in facts]


def with_devices(document: Node, devices: Mapping[int, Node]) -> Node:
    """The document with these `devices` in its host bridges, by their place in the list."""
    bridges = document.get("host_bridges")
    if bridges is None or not isinstance(document.value, Mapping):
        return document
    items = [
        record(bridge.place, {**bridge.value, "devices": devices[i]}, bridge.comment)
        if i in devices and isinstance(bridge.value, Mapping)
        else bridge
        for i, bridge in enumerate(bridges.items)
    ]
    whole = {**document.value, "host_bridges": listing(items, bridges.place)}
    return record(document.place, whole, document.comment)
