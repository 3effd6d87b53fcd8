"""What each guest's wish comes to."""

from __future__ import annotations

from rootplex.checks.facts import Facts
from rootplex.jobs.result import Guest, Named, Wish
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.function import Function
from rootplex.simulator.groups.guests import GuestView


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
