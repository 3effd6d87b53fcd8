"""accesses-forwarded

What it finds: under the 2017 protocol, a guest's device on a host bridge whose configuration space is not
ECAM, with how many of Xen's accesses Dom0 had to make for it. A note.
Why it matters: each costs two world switches, and waits for Dom0.
Example: a guest's device on a bridge with `config: {kind: windowed}`.
What to do: nothing, or a small driver in Xen for this kind of bridge.
Source: xen.md §7.2, the protocol discussed in 2017: accesses of bridges that are not ECAM are forwarded to
Dom0; linux.md §1.13.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import bridge_name, bridge_place, root_of, wish_place, wishes, xen_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0909",
    name="accesses-forwarded",
    level=Level.NOTE,
    needs="simulation",
    only="xen",
    requires=("RPX0901",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One note a guest and bridge."""
    discovery = xen_of(facts).discovery
    if discovery is None:
        return
    made = {(each.bridge.segment, each.bridge.root.start): each for each in discovery.registrations}
    for guest, view in wishes(facts):
        told: set[int] = set()
        for function in view.functions:
            root = root_of(facts, function)
            each = made.get((function.segment, root.first_bus))
            if each is None or each.kind.trapped or root.index in told:
                continue
            told.add(root.index)
            name = bridge_name(facts, root)
            bridge = facts.described_bridge(name)
            at = bridge_place(facts, root) if bridge is None else bridge.at("config.kind")
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"{facts.device_name(function)}, which guest {guest.name} is to have, is on {name}, "
                "whose accesses Dom0 makes for Xen",
                related=[(at, f"its configuration space is {each.bridge.kind}")],
                notes=[f"{each.forwarded} accesses were forwarded, with {each.switches} world switches"],
                subject=facts.device_name(function),
            )
