"""The passthrough groups as lines of plain text, with the chain of reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.jobs.result import Groups, Together
from rootplex.report.closing import guest_line
from rootplex.report.words import FIRMWARE, function_name, function_names


def lines(groups: Groups) -> Iterator[str]:
    """Each group with its guest, members and reasons; then those without one, then where the safe
    partition and Xen's differ, then what each guest's wish comes to."""
    yield f"groups of {groups.kernel}, booted by {FIRMWARE[groups.firmware]}"
    if not groups.at_boot:
        yield "(as they are once every function has been offered a driver; before, there are none)"
    yield from (f"assumed: {text}" for text in groups.assumed)
    for group in groups.linux:
        whose = f" (guest {', '.join(group.guests)})" if group.guests else ""
        yield f"group {group.id}{whose}: {function_names(group.members)}"
        yield from (f"    {text}" for text in group.why)
    for each in groups.without:
        yield f"no group: {function_name(each.members[0])}"
        yield from (f"    {text}" for text in each.why)
    yield from (f"too small: {text}" for text in groups.hazards)
    for each in groups.unknown:
        yield f"not known: {function_names(each.members)}"
        yield from (f"    {text}" for text in each.why)
    yield from (f"the kernel says otherwise: {text}" for text in groups.differing)
    if groups.linux or not groups.unknown:
        yield from _differing("the safe partition", groups.safe)
    if groups.xen_alone:
        yield "Xen has no groups on Arm: to it every function is alone"
    elif groups.xen is not None:
        yield from _differing("Xen's partition", groups.xen)
    yield from map(guest_line, groups.guests)


def _differing(whose: str, groups: Sequence[Together]) -> Iterator[str]:
    """Groups that Linux has not so; what is alone in one line."""
    if not groups:
        yield f"{whose} is the same"
        return
    yield f"{whose} differs:"
    for group in groups:
        if len(group.members) > 1:
            yield f"    together: {function_names(group.members)}"
            yield from (f"        {text}" for text in group.why)
    alone = [group.members[0] for group in groups if len(group.members) == 1]
    if alone:
        yield f"    alone: {function_names(alone)}"
