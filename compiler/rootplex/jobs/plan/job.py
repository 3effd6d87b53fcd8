"""The plan of a simulated platform: for each guest what goes together, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rootplex.checks.facts import Facts
from rootplex.checks.passthrough.reserved_memory import reserved as reserved_memory
from rootplex.checks.phantoms import phantom_stride
from rootplex.checks.simulated import booted
from rootplex.jobs.groups import named
from rootplex.jobs.plan.obstacles import bears_on, chain_of, needed_for, obstacles_of
from rootplex.jobs.plan.result import GuestPlan, Handed, Plan
from rootplex.jobs.result import Named, Together
from rootplex.model.platform import Guest
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.function import Function
from rootplex.simulator.groups.guests import GuestView
from rootplex.simulator.inputs import GuestWish
from rootplex.source.finding import CannotDo, Finding, Level
from rootplex.source.suggest import advice


def wishes_of(facts: Facts, named: Iterable[tuple[str, Sequence[str]]]) -> tuple[GuestWish, ...]:
    """Guests and their devices, by name or SBDF, as a boot takes them. CannotDo where the host sees no such
    device."""
    outcome = booted(facts)
    pages: dict[str, str] = {}
    for function in outcome.dom0.functions:
        pages[function.sbdf] = pages[facts.device_name(function)] = function.page
    made = []
    for name, devices in named:
        for device in devices:
            if device not in pages:
                near = advice(device, pages, "function")
                raise CannotDo(f"{facts.host} sees no function '{device}'; {near}")
        made.append(GuestWish(name, tuple(pages[device] for device in devices)))
    return tuple(made)


def plan_of(facts: Facts, name: str, findings: Sequence[Finding]) -> Plan:
    """The plan for all guests of the simulated machine; `findings` are those of the board, expected ones
    among them."""
    outcome = booted(facts)
    described = {} if facts.described is None else {each.name: each for each in facts.described.xen.guests}
    reserved = {each for each, *_ in reserved_memory(facts)}
    guests = tuple(
        _guest(facts, view, described.get(view.name), findings, reserved) for view in outcome.guests
    )
    errors = [each for each in findings if each.level is Level.ERROR]
    elsewhere = [
        each
        for each in errors
        if not any(bears_on(facts, view, described.get(view.name), each) for view in outcome.guests)
    ]
    return Plan(
        platform=name,
        arch=outcome.settings.arch,
        hypervisor=outcome.settings.hypervisor,
        kernel=outcome.settings.kernel,
        firmware=outcome.settings.firmware,
        guests=guests,
        translated_by=tuple(dict.fromkeys(_units(outcome))),
        elsewhere=len(elsewhere),
    )


def _units(outcome: Outcome) -> Iterator[str]:
    for view in outcome.guests:
        for function in view.functions:
            streams = outcome.streams.get(function)
            if streams is not None and streams.unit is not None:
                yield streams.unit.kind


def _guest(
    facts: Facts, view: GuestView, wished: Guest | None, findings: Sequence[Finding], reserved: set[Function]
) -> GuestPlan:
    outcome = booted(facts)
    groups = {group.id: group for each in view.functions if (group := outcome.safe.of(each)) is not None}
    own = set(view.functions)
    return GuestPlan(
        name=view.name,
        devices=tuple(_handed(facts, function, reserved) for function in view.functions),
        together=tuple(
            Together(
                members=tuple(named(each, facts) for each in group.members if each in own),
                why=chain_of(group, next(each for each in view.functions if each in group.members)),
            )
            for group in groups.values()
        ),
        obstacles=obstacles_of(facts, view, wished, findings, reserved),
        staying=tuple(
            dict.fromkeys(
                named(each.function, facts)
                for each in (*view.neighbours, *view.safe_neighbours)
                if each.harmless is not None
            )
        ),
        lines=tuple(facts.device_name(shared.function) for shared in view.shared_lines if shared.excusable),
    )


def _handed(facts: Facts, function: Function, reserved: set[Function]) -> Handed:
    physfn = function.physfn
    xen = booted(facts).xen is not None
    return Handed(
        function=named(function, facts),
        physfn=None if physfn is None else physfn.sbdf,
        vfs=0 if physfn is None else len(physfn.virtual_functions),
        phantom=(phantom_stride(function) or None) if xen else None,
        reserved=function in reserved,
    )


def example(facts: Facts) -> Named | None:
    """A function that a guest could be given, for a line to show; None where the host sees none."""
    outcome = booted(facts)
    candidates = [
        each
        for each in outcome.dom0.functions
        if not each.is_bridge and each.class_code >> 8 != 0x0600 and needed_for(facts, each, None) is None
    ]
    wanted = {each for each in outcome.dom0.functions if needed_for(facts, each, None) is not None}

    def rank(function: Function) -> tuple[bool, int, bool]:
        """Nobody the host needs beside it, few others, a name."""
        group = outcome.safe.of(function)
        beside = [] if group is None else [each for each in group.members if not each.is_bridge]
        unnamed = facts.pages.get(function.page) is None
        return group is None or not wanted.isdisjoint(beside), len(beside), unnamed

    return named(min(candidates, key=rank), facts) if candidates else None
