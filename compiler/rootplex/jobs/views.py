"""What `groups` and `explain` show of a simulated platform, as lines of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.outcome import Outcome
from rootplex.simulator.routing.explain import Explainer, Explanation, Way
from rootplex.simulator.routing.firmware import Firmware
from rootplex.simulator.routing.routes import Step

FIRMWARE = {"dt": "device tree", "acpi": "ACPI"}


def group_lines(facts: Facts, outcome: Outcome) -> Iterator[str]:
    """Each group with its members and the chain of reasons; then those without one, then where
    Linux, Xen and the safe partition differ."""
    for group in outcome.linux.groups:
        yield f"group {group.id}: {_names(group.members, facts)}"
        yield from (f"    {reason.text}" for reason in group.reasons)
    for reason in outcome.linux.ungrouped:
        yield f"no group: {_name(reason.function, facts)}"
        yield f"    {reason.text}"
    yield from _differences("safe", outcome.safe, outcome.linux, facts)
    yield from _differences("Xen's", outcome.xen_groups, outcome.linux, facts)


def _differences(whose: str, other: Grouping, linux: Grouping, facts: Facts) -> Iterator[str]:
    known = {frozenset(group.members) for group in linux.groups}
    differing = [group for group in other.groups if frozenset(group.members) not in known]
    if not differing:
        yield f"the {whose} partition is the same" if whose == "safe" else f"{whose} partition is the same"
        return
    title = "the safe partition differs" if whose == "safe" else f"{whose} partition differs"
    yield f"{title}:"
    for group in differing:
        yield f"    together: {_names(group.members, facts)}"
        yield from (f"        {reason.text}" for reason in group.reasons)


def _names(functions: Iterable[Function], facts: Facts) -> str:
    return ", ".join(_name(function, facts) for function in functions)


def _name(function: Function, facts: Facts) -> str:
    name = facts.pages.get(function.page)
    return f"{function.sbdf} ({name})" if name else function.sbdf


def explanation_of(facts: Facts, outcome: Outcome, sbdf: str) -> Iterator[str]:
    """One requester's way by each firmware that there is; KeyError where no function has the SBDF."""
    function = next(each for each in outcome.dom0.functions if each.sbdf == sbdf)
    explainer = Explainer(outcome.dom0, Firmware.of(facts.dt, facts.acpi), facts.arch)
    return _explained(explainer.explain(function), facts)


def _explained(explanation: Explanation, facts: Facts) -> Iterator[str]:
    function = explanation.function
    yield f"{_name(function, facts)}: requester id {function.rid:#06x}"
    for owner, rid in explanation.aliases[1:]:
        yield f"    also requests as {rid:#06x} ({_name(owner, facts)})"
    for way in explanation.ways:
        yield f"by {FIRMWARE[way.source]}:"
        yield from (f"    {line}" for line in _way(way, facts))
    if not explanation.differences and len(explanation.ways) > 1:
        yield "both firmwares say the same"
    for difference in explanation.differences:
        yield f"{difference.what} differs: {difference.by_dt} by device tree, {difference.by_acpi} by ACPI"


def _way(way: Way, facts: Facts) -> Iterator[str]:
    for route in way.streams.routes:
        end = (
            f"StreamID {route.id:#x} at {route.unit.name}"
            if route.unit and route.id is not None
            else "no IOMMU"
        )
        yield f"stream: RID {route.rid:#06x} -> {end}"
        yield from _steps(route.steps, facts)
        if route.reason:
            yield f"    {route.reason}"
    message = way.msi
    end = f"DeviceID {message.id:#x} at {message.controller.name}" if message.controller else "no controller"
    yield f"message: RID {message.rid:#06x} -> {end}"
    yield from _steps(message.steps, facts)
    if message.reason:
        yield f"    {message.reason}"
    if way.intx is not None:
        pin = "ABCD"[(way.intx.pin - 1) & 3]
        end = f"interrupt {way.intx.irq}" if way.intx.is_routed else "nothing"
        yield f"pin: INT{pin} -> {end}"
        yield from _steps(way.intx.steps, facts)
        if way.intx.reason:
            yield f"    {way.intx.reason}"


def _steps(steps: Iterable[Step], facts: Facts) -> Iterator[str]:
    for step in steps:
        yield f"    {step.text} ({facts.source(step.place)})"
