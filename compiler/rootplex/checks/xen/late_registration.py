"""late-registration

What it finds: under the 2017 protocol, a host bridge that is registered after its configuration space has
been used.
Why it matters: traps are set when the bridge is registered; Xen has seen nothing of the accesses before that.
Example: `xen: {dom0: {registers: after-first-device}}`.
What to do: register every host bridge before it is scanned.
Source: xen.md §7.2, the protocol discussed in 2017: configuration space that is registered before discovery
can be trapped.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, bridge_name, bridge_place, xen_of
from rootplex.checks.xen.device_before_bridge import registers_place
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0908",
    name="late-registration",
    level=Level.WARNING,
    needs="simulation",
    only="xen",
    requires=("RPX0901", "RPX0905"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Registrations with accesses before them, and how many."""
    outcome = booted(facts)
    discovery = xen_of(facts).discovery
    for made in () if discovery is None else discovery.registrations:
        root = registered_root(outcome.dom0.root_bridges, made.bridge.segment, made.bridge.root.start)
        if not made.is_late or not made.kind.trapped or root is None:
            continue
        name = bridge_name(facts, root)
        yield RULE.finding(
            registers_place(facts) or bridge_place(facts, root),
            f"{made.untrapped} configuration accesses of {name} go untrapped before it is registered",
            related=[(bridge_place(facts, root, "config"), "its configuration space")],
            notes=[f"after that Xen traps {made.trapped}"],
            help="register host bridges before they are scanned: 'registers: before-scan'",
            subject=name,
        )


def registered_root(roots: list[RootBridge], segment: int, first: int) -> RootBridge | None:
    """Dom0's bridge of a registration."""
    return next((root for root in roots if (root.segment, root.first_bus) == (segment, first)), None)
