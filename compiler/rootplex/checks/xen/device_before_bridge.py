"""device-before-bridge

What it finds: under the 2017 protocol, devices that Dom0 reports before their host bridge is registered.
Why it matters: Xen knows a device by its segment alone until the bridge comes, so it does not know on which
bridge it is, and refuses it (-ENODEV).
Example: `xen: {dom0: {registers: after-scan}}`.
What to do: register every host bridge before it is scanned (`registers: before-scan`).
Source: xen.md §7.2, the protocol discussed in 2017: a host bridge is registered before its devices.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, bridge_name, bridge_place, root_of
from rootplex.checks.xen.device_refused import listed, refused_by_protocol
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0905",
    name="device-before-bridge",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    requires=("RPX0901",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a host bridge that is registered in the end, or one for all where one key says when; the
    others are told elsewhere."""
    outcome = booted(facts)
    at = registers_place(facts)
    early: dict[int, list[Function]] = {}
    for function, why in refused_by_protocol(facts).items():
        root = outcome.dom0.root_bridges[function.root]
        is_inside = root.first_bus <= function.bus.number <= root.effective_end
        if why == "unowned-bus" and root.registration == 0 and is_inside:
            early.setdefault(function.root if at is None else 0, []).append(function)
    for functions in early.values():
        yield _finding(facts, at, functions)


def _finding(facts: Facts, at: Place | None, functions: list[Function]) -> Finding:
    roots = {each.root: root_of(facts, each) for each in functions}
    names = [bridge_name(facts, root) for root in roots.values()]
    count = len(functions)
    whose = "a device reaches Xen" if count == 1 else f"{count} devices reach Xen"
    bridges = f"the host bridge {names[0]} is" if len(names) == 1 else f"the host bridges {_list(names)} are"
    when = booted(facts).settings.registers
    return RULE.finding(
        at or bridge_place(facts, root_of(facts, functions[0])),
        f"{whose} before {bridges} registered",
        related=[
            (bridge_place(facts, root), f"{bridge_name(facts, root)} is registered {when}")
            for root in roots.values()
        ],
        notes=[f"refused: {listed(facts, functions)}"],
        help="register host bridges before they are scanned: 'registers: before-scan'",
        subject=names[0],
        about=names,
    )


def _list(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def registers_place(facts: Facts) -> Place | None:
    """Where the description says when bridges are registered, if it does."""
    described = facts.described
    if described is None or not described.xen.dom0.wrote("registers"):
        return None
    return described.xen.dom0.at("registers")
