"""passed-over

What it finds: a host bridge of which Linux makes no device, though it looks enabled: it, or a bus above it,
has no `compatible`; or its `status` (or that of a controller that it leads to) is no status that there is,
such as "enabled".
Why it matters: no driver is ever asked, and nothing is said. Every status but "okay" and "ok" disables.
Example: `soc { ranges; pcie@40000000 { … }; };`: the bus has no `compatible = "simple-bus"`.
What to do: write `compatible`, a bus's is `simple-bus`; write `status = "okay"`, or leave it out.
Source: Linux drivers/of/platform.c, of_platform_bus_create, and drivers/of/base.c,
__of_device_is_available; Devicetree Specification 0.4 §2.3.1 and §2.3.4.
Sources that prove it: device tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0626", name="passed-over", level=Level.ERROR, needs="artifacts")

STATUS = re.compile(r"okay|ok|disabled|reserved|fail|fail-.*")


def check(facts: Facts) -> Iterator[Finding]:
    """Each node once, with the first bridge that is lost by it."""
    if facts.dt is None:
        return
    tree = facts.dt.tree
    told: set[DtNode] = set()
    for bridge in facts.dt_bridges:
        name = name_of(facts, bridge.path)
        above = ((node, name) for node in (bridge.node, *bridge.node.ancestors()))
        for node, lost in (*above, *_targets(tree, bridge, name)):
            if node not in told:
                told.add(node)
                yield from _node(tree, bridge, name, node, lost, is_described=facts.described is not None)


def _targets(tree: Tree, bridge: DtHostBridge, name: str) -> Iterator[tuple[DtNode, str]]:
    """The controllers that a bridge's properties lead to, and what is lost with each."""
    for map in (bridge.iommu_map, bridge.msi_map):
        for entry in () if map is None else map.entries:
            if entry.target is not None:
                yield tree.by_path[entry.target], map_of(name, map.property if map else "")
    for line in () if bridge.interrupt_map is None else bridge.interrupt_map.entries:
        if line.parent is not None:
            yield tree.by_path[line.parent], property_of(name, "interrupt-map")
    for parent in bridge.msi_parent:
        if parent.target is not None:
            yield tree.by_path[parent.target], map_of(name, "msi-map")


def _node(
    tree: Tree, bridge: DtHostBridge, name: str, node: DtNode, lost: str, *, is_described: bool
) -> Iterator[Finding]:
    status = node.string("status")
    if status and not STATUS.fullmatch(status):
        yield RULE.finding(
            tree.place(node, "status"),
            f'the status of {node.path} is "{status}", which disables it',
            notes=[_lost(name, bridge, node)],
            help='write status = "okay", or leave it out',
            subject=name,
            about=(lost,),
        )
    elif node is bridge.skipped and bridge.enabled and bridge.ancestors_enabled:
        help = 'write compatible = "simple-bus", if it is a plain bus'
        if node is bridge.node:
            help = f"write {'config.' if is_described else ''}compatible, by which its driver knows it"
        yield RULE.finding(
            tree.place(node),
            f"{node.path} has no compatible, and Linux makes no device of it",
            notes=[_lost(name, bridge, node)],
            help=help,
            subject=name,
        )


def _lost(name: str, bridge: DtHostBridge, node: DtNode) -> str:
    if node is bridge.node:
        return "no driver comes up for this host bridge"
    if node in bridge.node.ancestors():
        return f"nor of '{name}' below it"
    return f"'{name}' leads to it"
