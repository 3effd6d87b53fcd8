"""What the simulation speaks of, in the description's names and places: functions, root bridges, guests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.model.platform import Guest
from rootplex.model.virtual import device_of
from rootplex.report.reasons import sentence
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.function import Function
from rootplex.simulator.groups.guests import GuestView
from rootplex.simulator.groups.reason import Reason
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.simulator.xen.machine import Xen
from rootplex.source.place import FilePlace, Place

NOWHERE: Place = FilePlace("<none>")


def booted(facts: Facts) -> Outcome:
    """The outcome; only checks that need `simulation` may ask for it."""
    assert facts.outcome is not None
    return facts.outcome


def xen_of(facts: Facts) -> Xen:
    """The hypervisor; only checks that hold with Xen alone (`only`) may ask for it."""
    xen = booted(facts).xen
    assert xen is not None
    return xen


def lives(facts: Facts) -> bool:
    """Whether Xen and Dom0 came through the boot; if not, that alone is told."""
    outcome = booted(facts)
    return (outcome.xen is None or outcome.xen.crash is None) and outcome.dom0.died is None


def root_of(facts: Facts, function: Function) -> RootBridge:
    """The root bridge that a function is below."""
    return booted(facts).dom0.root_bridges[function.root]


def bridge_place(facts: Facts, root: RootBridge, fact: str = "node") -> Place:
    """Where a fact of a root bridge is written: `segment`, `bus_range`, `config`, `windows`, `node`."""
    bridge = facts.described_bridge(facts.name_of(root.path))
    seen = None if bridge is None else bridge.as_seen_by(booted(facts).settings.firmware)
    if seen is not None and fact != "node":
        return seen.at(fact)
    return root.places.get(fact, root.places.get("node", NOWHERE))


def device_place(facts: Facts, function: Function, field: str = "") -> Place:
    """Where a function's field is described, else its PF, else its bridge."""
    described = facts.devices.get((function.physfn or function).page)
    if described is not None:
        return described.at(field)
    return bridge_place(facts, root_of(facts, function))


def map_above(facts: Facts, function: Function, property: str) -> str:
    """The map of requester ids that a function's ids go through (`causes.map_of`)."""
    return map_of(facts.name_of(root_of(facts, function).path), property)


def called(facts: Facts, function: Function) -> str:
    """What messages call a function: its name with its SBDF, or the SBDF alone."""
    name = facts.pages.get(function.page)
    return function.sbdf if name is None else f"{name} ({function.sbdf})"


def listed(names: Sequence[str]) -> str:
    """`one, two and three`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def function_named(facts: Facts, name: str) -> Function | None:
    """The function that Dom0 sees of the description's device of a name."""
    functions = booted(facts).dom0.functions
    return next((each for each in functions if facts.pages.get(each.page) == name), None)


def owner_of(facts: Facts, name: str) -> tuple[HostBridge, Device] | None:
    """The description's device of a name with its host bridge; of a VF its PF."""
    described = facts.described
    if described is None:
        return None
    return next((pair for pair in described.walk() if pair[1].name == device_of(name)), None)


def wishes(facts: Facts) -> Iterator[tuple[Guest, GuestView]]:
    """The guests of the description, each with what its wish meets."""
    described = facts.described
    views = {view.name: view for view in booted(facts).guests}
    for guest in () if described is None else described.xen.guests:
        if guest.name in views:
            yield guest, views[guest.name]


def wish_place(facts: Facts, guest: Guest, function: Function) -> Place:
    """Where a guest's wish names a function, else the guest."""
    name = facts.pages.get(function.page)
    if name in guest.devices:
        return guest.at(f"devices.{guest.devices.index(name)}")
    return guest.at("devices")


def chain(reasons: tuple[Reason, ...]) -> list[str]:
    """The reasons of a group as notes, each once."""
    return list(dict.fromkeys(sentence(reason) for reason in reasons))


def reason_places(facts: Facts, reasons: tuple[Reason, ...]) -> list[tuple[Place, str]]:
    """Where the functions that reasons speak of are described, each once; the reasons are notes."""
    found: dict[Place, str] = {}
    for reason in reasons:
        if reason.kind == "isolated":
            continue
        field = "acs" if reason.kind.startswith("acs") or reason.kind in ("functions", "switch") else ""
        found.setdefault(device_place(facts, reason.function, field), f"this is {reason.function.sbdf}")
    return list(found.items())
