"""What `groups` and `explain` show of a simulated platform, as lines of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.jobs.details import unit_names
from rootplex.jobs.summary import names, verdict
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group, Grouping
from rootplex.simulator.groups.timing import timing
from rootplex.simulator.outcome import Outcome
from rootplex.simulator.routing.explain import Explainer, Explanation, Way
from rootplex.simulator.routing.firmware import Firmware
from rootplex.simulator.routing.routes import Step, Unit
from rootplex.source.place import FilePlace, Place

FIRMWARE = {"dt": "device tree", "acpi": "ACPI"}


def group_lines(facts: Facts, outcome: Outcome) -> Iterator[str]:
    """Each group with its guest, members and the chain of reasons; then those without one, then where
    the safe partition and Xen's differ, then what each guest's wish comes to."""
    settings = outcome.settings
    yield f"groups of {settings.kernel}, booted by {FIRMWARE[settings.firmware]}"
    if not timing(settings).at_boot:
        yield "(as they are once every function has been offered a driver; before, there are none)"
    owners = {function: view.name for view in outcome.guests for function in view.functions}
    for group in outcome.linux.groups:
        guests = list(dict.fromkeys(owners[each] for each in group.members if each in owners))
        whose = f" (guest {', '.join(guests)})" if guests else ""
        yield f"group {group.id}{whose}: {_names(group.members, facts)}"
        yield from (f"    {reason.text}" for reason in group.reasons)
    for reason in outcome.linux.ungrouped:
        yield f"no group: {_name(reason.function, facts)}"
        yield f"    {reason.text}"
    for reason in outcome.linux.hazards:
        yield f"too small: {reason.text}"
    yield from _differences("the safe partition", outcome.safe, outcome.linux, facts)
    if outcome.xen_groups.algorithm == "xen-arm":
        yield "Xen has no groups on Arm: to it every function is alone"
    else:
        yield from _differences("Xen's partition", outcome.xen_groups, outcome.linux, facts)
    for view in outcome.guests:
        yield f"guest {view.name}: {verdict(view, facts)} ({names(view, facts)})"


def _differences(whose: str, other: Grouping, linux: Grouping, facts: Facts) -> Iterator[str]:
    """Groups that Linux does not have so; what is alone in one line."""
    known = {frozenset(group.members) for group in linux.groups}
    differing = [group for group in other.groups if frozenset(group.members) not in known]
    if not differing:
        yield f"{whose} is the same"
        return
    yield f"{whose} differs:"
    for group in differing:
        if len(group.members) > 1:
            yield f"    together: {_names(group.members, facts)}"
            yield from (f"        {reason.text}" for reason in group.reasons)
    alone = [group.members[0] for group in differing if len(group.members) == 1]
    if alone:
        yield f"    alone: {_names(alone, facts)}"


def _names(functions: Iterable[Function], facts: Facts) -> str:
    return ", ".join(_name(function, facts) for function in functions)


def _name(function: Function, facts: Facts) -> str:
    name = facts.pages.get(function.page)
    return f"{function.sbdf} ({name})" if name else function.sbdf


def explanation_of(facts: Facts, outcome: Outcome, sbdf: str) -> Iterator[str]:
    """One requester's way by each firmware that there is, and its group.
    KeyError where no function has the SBDF."""
    function = next((each for each in outcome.dom0.functions if each.sbdf == sbdf), None)
    if function is None:
        raise KeyError(sbdf)
    explainer = Explainer(outcome.dom0, Firmware.of(facts.dt, facts.acpi), facts.arch)
    return _explained(explainer.explain(function), outcome.linux.of(function), facts)


def _explained(explanation: Explanation, group: Group | None, facts: Facts) -> Iterator[str]:
    function = explanation.function
    yield f"{_name(function, facts)}: requester id {function.rid:#06x} in segment {function.segment:04x}"
    for owner, rid in explanation.aliases[1:]:
        yield f"    also requests as {rid:#06x} ({_name(owner, facts)})"
    units = _Units(facts)
    for way in explanation.ways:
        yield f"by {FIRMWARE[way.source]}:"
        yield from (f"    {line}" for line in _way(way, units))
    if not explanation.differences and len(explanation.ways) > 1:
        yield "both firmwares say the same"
    for difference in explanation.differences:
        yield f"{difference.what} differs: {difference.by_dt} by device tree, {difference.by_acpi} by ACPI"
    if group is None:
        yield "it is in no group"
    elif len(group.members) == 1:
        yield "it is alone in its group"
    else:
        others = [each for each in group.members if each is not function]
        yield f"it is in a group with {_names(others, facts)}"


class _Units:
    """What controllers and IOMMUs are called, and how places are shown."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._names = {} if facts.described is None else unit_names(facts.described)

    def name(self, unit: Unit) -> str:
        """The description's name, with what the firmware calls it."""
        own = self._names.get(unit.name if unit.base is None else unit.base)
        return unit.name if own is None else f"{own} ({unit.name})"

    def place(self, place: Place) -> str:
        """` (file:line:column)`; nothing for what has no place of its own."""
        source = self._facts.source(place)
        return "" if isinstance(source, FilePlace) else f" ({source})"


def _way(way: Way, units: _Units) -> Iterator[str]:
    for route in way.streams.routes:
        end = "no IOMMU"
        if route.unit is not None and route.id is not None:
            end = f"StreamID {route.id:#x} at {units.name(route.unit)}"
        yield f"stream: RID {route.rid:#06x} -> {end}"
        yield from _steps(route.steps, units)
        if route.reason:
            yield f"    {route.reason}"
    message = way.msi
    end = "no controller"
    if message.controller is not None:
        end = f"DeviceID {message.id:#x} at {units.name(message.controller)}"
        if message.controller.kind == "lapic":
            end = "the local APIC"
    yield f"message: RID {message.rid:#06x} -> {end}"
    yield from _steps(message.steps, units)
    if message.reason:
        yield f"    {message.reason}"
    if way.intx is None:
        yield "pin: none"
        return
    pin = "ABCD"[(way.intx.pin - 1) & 3]
    end = f"interrupt {way.intx.irq}" if way.intx.irq is not None else f"interrupt {way.intx.line}"
    yield f"pin: INT{pin} -> {end if way.intx.is_routed else 'nothing'}"
    yield from _steps(way.intx.steps, units)
    if way.intx.reason:
        yield f"    {way.intx.reason}"


def _steps(steps: Iterable[Step], units: _Units) -> Iterator[str]:
    for step in steps:
        yield f"    {step.text}{units.place(step.place)}"
