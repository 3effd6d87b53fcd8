"""registration-refused

What it finds: under the 2017 protocol, a host bridge that Xen does not take: its numbers are none, its ECAM
has not 1 MiB a bus, or it lies over RAM or another window.
Why it matters: Xen knows none of the bridge's buses: no traps, and every device there is refused.
Example: `config: {base: 0x8000_0000}` where RAM is.
What to do: correct base, size or bus range.
Source: xen.md §7.2, the protocol discussed in 2017.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import booted, bridge_name, bridge_place, xen_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0907",
    name="registration-refused",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0901"),
)

TOLD_ELSEWHERE = {0, -17, -38}
"""Taken; owned buses (segment-shared); a Xen that does not speak the protocol."""


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges that were refused for themselves, unless an error speaks of them already."""
    outcome = booted(facts)
    told = {each.subject for each in facts.found if each.level is Level.ERROR}
    discovery = xen_of(facts).discovery
    refusals = () if discovery is None else discovery.refusals
    for root in outcome.dom0.root_bridges:
        name = bridge_name(facts, root)
        if root.registration is None or root.registration in TOLD_ELSEWHERE or name in told:
            continue
        why = [
            each.text
            for each in refusals
            if each.what == "bridge" and (each.segment, each.bus) == (root.segment, root.first_bus)
        ]
        yield RULE.finding(
            bridge_place(facts, root, "config"),
            f"Xen does not take the host bridge {name}",
            notes=[*why, f"the result is {root.registration}"],
            help="correct its base, size or bus range",
            subject=name,
        )
