"""bus-table-empty

What it finds: on x86, a conventional bridge above a guest's device that Xen met before it had bus numbers.
Why it matters: Xen learns which buses are behind such a bridge when it meets the bridge, once: without
numbers it takes the devices behind it for requesters of their own, and its groups are wrong.
Example: a `pcie-to-pci-bridge` without `bus` on an x86 platform.
What to do: let the firmware number the bridge: give it `bus`.
Source: Xen xen/drivers/passthrough/pci.c, alloc_pdev and find_upstream_bridge.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import called, device_place, wish_place, wishes, xen_of
from rootplex.simulator.function import Function
from rootplex.simulator.groups.xen import is_conventional_bridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0914",
    name="bus-table-empty",
    level=Level.WARNING,
    needs="simulation",
    only="x86-xen",
    requires=("RPX0901",),
    covers=("XP-42",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Guests' devices on a bus that Xen's table does not have."""
    segments = xen_of(facts).core.records.segments
    for guest, view in wishes(facts):
        for function in view.functions:
            bridge = _conventional_above(function)
            known = segments.get(function.segment)
            if bridge is None or (known is not None and function.bus.number in known.upstream):
                continue
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"Xen does not know that {called(facts, function)} is behind {called(facts, bridge)}",
                related=[(device_place(facts, bridge, "bus"), "the firmware has not numbered the bridge")],
                notes=["Xen takes the device for a requester of its own, and groups it alone"],
                help="let the firmware number the bridge: give it 'bus'",
                subject=facts.device_name(function),
            )


def _conventional_above(function: Function) -> Function | None:
    at = function.parent
    while at is not None and not is_conventional_bridge(at):
        at = at.parent
    return at
