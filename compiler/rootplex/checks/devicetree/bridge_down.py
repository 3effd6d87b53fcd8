"""bridge-down

What it finds: an enabled host bridge that did not come up in Dom0, on a device tree boot, for a reason that
no other finding gives: most often no driver of this kernel binds to it.
Why it matters: none of its devices is found.
Example: `config: {kind: windowed, ...}` without a `compatible`.
What to do: write the compatible string of its driver.
Source: linux-pci §1.1, §1.2.
Sources that prove it: for a given tree it is a note: the simulated kernel does not have every vendor's
driver.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import name_of
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0619", name="bridge-down", level=Level.ERROR, needs="simulation")

# Faults with a finding of their own, from the bytes or from the simulation.
TOLD_ELSEWHERE = {
    "config-clash",
    "config-empty",
    "config-missing",
    "config-above-4g",
    "no-bus-map",
    "window-clash",
    "bus-range-reversed",
    "domain-taken",
    "domain-inconsistent",
    "bus-exists",
}


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges that are down for another reason."""
    assert facts.outcome is not None
    if facts.outcome.settings.firmware != "dt":
        return
    for root in facts.outcome.dom0.root_bridges:
        if root.fault is None or root.fault.slug in TOLD_ELSEWHERE:
            continue
        name = name_of(facts, root.path)
        yield RULE.finding(
            facts.source(root.fault.at),
            f"'{name}' does not come up in Dom0",
            level=Level.ERROR if facts.described is not None else Level.NOTE,
            notes=[root.fault.reason],
            subject=name,
        )
