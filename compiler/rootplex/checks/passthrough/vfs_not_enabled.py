"""vfs-not-enabled

What it finds: virtual functions that are to be enabled and cannot be: they reach beyond the bus range, or
their BARs have no place.
Why it matters: not one of them comes up.
Example: `sriov: {total: 64, offset: 0x80, stride: 2, enabled: 64}` at the end of a bus range.
What to do: widen the bus range, or enable fewer.
Source: Linux drivers/pci/iov.c, sriov_enable.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, bridge_place, called, device_place, root_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0512",
    name="vfs-not-enabled",
    level=Level.ERROR,
    needs="simulation",
    covers=("LNX-55", "LNX-56"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Every PF whose VFs Dom0 could not enable."""
    for function in booted(facts).dom0.functions:
        sriov = function.sriov
        if sriov is None or sriov.refused is None:
            continue
        name = facts.device_name(function)
        root = root_of(facts, function)
        yield RULE.finding(
            device_place(facts, function, "sriov.enabled"),
            f"{sriov.wanted} VFs of {called(facts, function)} cannot be enabled: {sriov.refused}",
            related=[(bridge_place(facts, root, "bus_range"), "the bus range of its host bridge")],
            help="widen the bus range or the windows, or enable fewer VFs",
            subject=name,
        )
