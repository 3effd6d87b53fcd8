"""stream-shared

What it finds: another owner's function with a StreamID of a guest's device.
Why it matters: an IOMMU tells requesters apart by their stream: both would use the guest's memory, or
neither is translated at all.
Example: two host bridges whose `iommu.map` end at the same StreamIDs.
What to do: give each requester id a StreamID of its own.
Source: xen-pci XP-33 (§1.9), linux-pci §1.10.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.subjects import called, wish_place, wishes
from rootplex.simulator.function import Function
from rootplex.simulator.groups.guests import GuestView
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(code="RPX0511", name="stream-shared", level=Level.ERROR, needs="simulation", covers=("XP-33",))


def check(facts: Facts) -> Iterator[Finding]:
    """Functions that are not in the guest's groups, which tell of theirs, and share a stream."""
    for guest, view in wishes(facts):
        told: set[tuple[Function, Function]] = set()
        for shared in view.shared_streams:
            function, other = shared.route.function, shared.other.function
            pair = function, other
            if pair in told or function in view.ungrouped or _is_beside(view, other):
                continue
            told.add(pair)
            related: list[tuple[Place, str]] = []
            if shared.other.place is not None:
                related.append((facts.source(shared.other.place), f"of {called(facts, other)}"))
            if shared.route.place is not None:
                related.append((facts.source(shared.route.place), f"of {called(facts, function)}"))
            yield RULE.finding(
                wish_place(facts, guest, function),
                f"{facts.device_name(function)}, which guest {guest.name} is to have, has StreamID "
                f"{shared.route.id:#x}, as {called(facts, other)} has",
                related=related,
                help="give each requester id a StreamID of its own",
                subject=facts.device_name(function),
            )


def _is_beside(view: GuestView, other: Function) -> bool:
    return any(each.function is other for each in (*view.neighbours, *view.safe_neighbours))
