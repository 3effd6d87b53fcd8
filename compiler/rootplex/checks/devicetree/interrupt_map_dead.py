"""interrupt-map-dead

What it finds: an `interrupt-map` of an enabled bridge that cannot be read (an error), or entries that end
nowhere: at a disabled controller, at a node that takes no interrupts, in a loop (a warning).
Why it matters: entries with a disabled parent are skipped and what follows a malformed one cannot be found:
the devices have no INTx, and drivers that need it wait for ever.
Example: `interrupt-map` entries whose phandle no node has.
What to do: name an enabled interrupt controller, with as many cells as it takes.
Source: Devicetree Specification 0.4 §2.4.3; Linux drivers/of/irq.c, of_irq_parse_raw.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.intx import InterruptMap, InterruptMapEntry
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0615",
    name="interrupt-map-dead",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601", "RPX0619", "RPX0626"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """What is malformed; then one finding for all entries of a bridge that end nowhere."""
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or facts.dt is None:
            continue
        name = name_of(facts, bridge.path)
        for problem in map.problems:
            yield RULE.finding(
                problem.place,
                f"interrupt-map of '{name}' cannot be read to its end",
                notes=[problem.text],
                help="write '0 0 0 7': three cells of address, one of pin"
                if problem.kind == "size"
                else "an entry is 3 cells of address, 1 of pin, the controller, and its #address-cells and "
                "#interrupt-cells",
                subject=name,
                rests_on=(property_of(name, "interrupt-map"),),
            )
        yield from _dead(facts.dt.tree, name, map)


def _dead(tree: Tree, name: str, map: InterruptMap) -> Iterator[Finding]:
    dead = [(entry, why) for entry in map.entries if (why := _fault(tree, entry)) is not None]
    if not dead:
        return
    entry, why = dead[0]
    count = "no entry" if len(dead) == len(map.entries) else f"{len(dead)} of {len(map.entries)} entries"
    verb = "leads to an interrupt controller" if count == "no entry" else "lead to no interrupt controller"
    yield RULE.finding(
        entry.place,
        f"{count} of the interrupt-map of '{name}' {verb}",
        level=Level.WARNING,
        notes=[why],
        help="name an enabled interrupt controller",
        subject=name,
        rests_on=(property_of(name, "interrupt-map"),),
    )


def _fault(tree: Tree, entry: InterruptMapEntry) -> str | None:
    """Why an entry ends nowhere: follows interrupt parents up to a controller, or another map."""
    if not entry.parent_enabled:
        return f"{entry.parent} is disabled"
    node: DtNode | None = tree.by_path.get(entry.parent or "")
    seen: set[str] = set()
    while node is not None:
        if "interrupt-controller" in node.properties or "interrupt-map" in node.properties:
            return None
        if node.path in seen:
            return f"the interrupt parents of {entry.parent} run in a circle"
        seen.add(node.path)
        phandle = node.u32("interrupt-parent")
        node = node.parent if phandle is None else tree.by_phandle.get(phandle)
    return f"{entry.parent} takes no interrupts, and has no interrupt parent that does"
