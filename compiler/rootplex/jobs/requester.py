"""`explain SBDF`: one requester's way to its StreamID, DeviceID and interrupt, by each firmware there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.jobs.dma import dma_by_bridge
from rootplex.jobs.groups import named
from rootplex.jobs.machine import unit_names
from rootplex.jobs.result import Difference, Named, Requester, Route, Step, Way
from rootplex.report import causes
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.firmware.routing import explain
from rootplex.simulator.firmware.routing.routes import Cause, FirmwareUnit, IntxRoute
from rootplex.simulator.firmware.routing.routes import Step as Entry
from rootplex.source.place import FilePlace


def requester_of(facts: Facts, outcome: Outcome, sbdf: str) -> Requester:
    """The function at an SBDF as a requester. KeyError where there is none."""
    function = next((each for each in outcome.dom0.functions if each.sbdf == sbdf), None)
    if function is None:
        raise KeyError(sbdf)
    explainer = explain.Explainer(outcome.dom0, (facts.dt, facts.acpi), facts.arch)
    explanation = explainer.explain(function)
    group = outcome.linux.of(function)
    units = _Units(facts)
    root = facts.joined(outcome.dom0.root_bridges[function.root].path)
    device = facts.devices.get(function.page)
    return Requester(
        function=named(function, facts),
        segment=function.segment,
        rids=((named(function, facts), function.rid), *_also(explanation, facts)),
        ways=tuple(Way(firmware=way.source, routes=tuple(_routes(way, units))) for way in explanation.ways),
        differences=tuple(
            Difference(what=what, by_dt=by_dt, by_acpi=by_acpi)
            for what, by_dt, by_acpi in map(causes.difference, explanation.differences)
        ),
        grouped=group is not None,
        beside=()
        if group is None
        else tuple(named(each, facts) for each in group.members if each is not function),
        dma=None if root is None else dma_by_bridge(facts).get(root.name),
        dma_bits=64 if device is None else device.dma_bits,
    )


def _also(explanation: explain.Explanation, facts: Facts) -> Iterator[tuple[Named, int]]:
    yield from ((named(owner, facts), rid) for owner, rid in explanation.aliases[1:])


class _Units:
    """What controllers and IOMMUs are called, and where firmware's entries stand in the description."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._names = {} if facts.described is None else unit_names(facts.described, facts)

    def name(self, unit: FirmwareUnit) -> str:
        """The description's name, with what the firmware calls it."""
        own = self._names.get(unit.name if unit.base is None else unit.base)
        return unit.name if own is None else f"{own} ({unit.name})"

    def steps(self, entries: Iterable[Entry]) -> tuple[Step, ...]:
        return tuple(self._step(entry) for entry in entries)

    def _step(self, entry: Entry) -> Step:
        source = self._facts.source(entry.place)
        return Step(text=causes.step(entry), at=None if isinstance(source, FilePlace) else source)


def _words(cause: Cause | None) -> str | None:
    return None if cause is None else causes.because(cause)


def _routes(way: explain.Way, units: _Units) -> Iterator[Route]:
    for stream in way.streams.routes:
        there = stream.unit is not None and stream.id is not None
        yield Route(
            what="stream",
            rid=stream.rid,
            unit=None if stream.unit is None else units.name(stream.unit),
            id=stream.id,
            ends=there,
            steps=units.steps(stream.steps),
            reason=_words(stream.cause),
        )
    controller = way.msi.controller
    # Neither has DeviceIDs.
    plain = controller is not None and controller.kind in ("lapic", "bridge")
    yield Route(
        what="message",
        rid=way.msi.rid,
        unit=None
        if controller is None
        else "the local APIC"
        if controller.kind == "lapic"
        else units.name(controller),
        id=None if plain else way.msi.id,
        ends=controller is not None,
        steps=units.steps(way.msi.steps),
        reason=_words(way.msi.cause),
    )
    yield _pin(way.intx, units)


def _pin(intx: IntxRoute | None, units: _Units) -> Route:
    if intx is None:
        return Route(what="pin", ends=False)
    return Route(
        what="pin",
        pin="ABCD"[(intx.pin - 1) & 3],
        id=intx.irq,
        line=None if intx.line is None else " ".join(map(str, intx.line)),
        ends=intx.is_routed,
        steps=units.steps(intx.steps),
        reason=_words(intx.cause),
    )
