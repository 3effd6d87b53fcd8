"""`groups`: the partitions of a simulated platform, Linux's and those that differ from it; and what each
guest's wish comes to."""

from __future__ import annotations

from collections.abc import Mapping

from rootplex.checks.facts import Facts
from rootplex.jobs.result import Groups, Guest, Named, Together, Wish
from rootplex.report.reasons import sentence
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group, Grouping
from rootplex.simulator.groups.guests import GuestView
from rootplex.simulator.groups.reason import Reason
from rootplex.simulator.groups.timing import timing


def groups_of(facts: Facts, outcome: Outcome) -> Groups:
    """The groups with the chain of reasons."""
    settings, linux = outcome.settings, outcome.linux
    owners = {function: view.name for view in outcome.guests for function in view.functions}
    xen = outcome.xen_groups
    alone = xen is not None and xen.algorithm == "xen-arm"
    return Groups(
        kernel=settings.kernel,
        firmware=settings.firmware,
        at_boot=timing(settings).at_boot,
        linux=tuple(_together(group, facts, owners) for group in linux.groups),
        without=tuple(_without(reason, facts) for reason in linux.ungrouped),
        hazards=tuple(map(sentence, linux.hazards)),
        safe=_differing(outcome.safe, linux, facts),
        xen=None if xen is None else () if alone else _differing(xen, linux, facts),
        xen_alone=alone,
        guests=guests_of(facts, outcome),
    )


def _together(group: Group, facts: Facts, owners: Mapping[Function, str]) -> Together:
    return Together(
        id=group.id,
        members=tuple(named(function, facts) for function in group.members),
        guests=tuple(dict.fromkeys(owners[each] for each in group.members if each in owners)),
        why=tuple(map(sentence, group.reasons)),
    )


def _without(reason: Reason, facts: Facts) -> Together:
    return Together(members=(named(reason.function, facts),), why=(sentence(reason),))


def _differing(other: Grouping, linux: Grouping, facts: Facts) -> tuple[Together, ...]:
    known = {frozenset(group.members) for group in linux.groups}
    return tuple(
        _together(group, facts, {}) for group in other.groups if frozenset(group.members) not in known
    )


def guests_of(facts: Facts, outcome: Outcome) -> tuple[Guest, ...]:
    """The guests of the description, in its order."""
    return tuple(
        Guest(
            name=view.name,
            comes_to=_comes_to(view, facts),
            devices=tuple(named(function, facts) for function in view.functions),
        )
        for view in outcome.guests
    )


def named(function: Function, facts: Facts) -> Named:
    """A function with the description's name for it."""
    return Named(sbdf=function.sbdf, name=facts.pages.get(function.page))


def _comes_to(view: GuestView, facts: Facts) -> Wish:
    described = () if facts.described is None else facts.described.xen.guests
    wished = next((len(guest.devices) for guest in described if guest.name == view.name), 0)
    if len(view.functions) < wished:
        return "devices-missing"
    if view.ungrouped:
        return "untranslated"
    if not view.whole:
        return "groups-not-whole"
    return "groups-whole" if view.safe else "groups-whole-not-apart"
