"""What the author asserts, against the outcome."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.absence import absence
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.rule import ANY
from rootplex.checks.simulated import (
    booted,
    called,
    chain,
    device_place,
    function_named,
    listed,
    lives,
    reason_places,
)
from rootplex.model.platform import Expect
from rootplex.report import causes
from rootplex.report.reasons import sentence
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group
from rootplex.source.finding import Finding, Level, Rewrite
from rootplex.source.place import Place


@check("RPX0042", Level.ERROR, needs="simulation", requires=(ANY,))
def expectation_failed(facts: Facts) -> Iterator[Finding]:
    """What it finds: something that `expect` asserts and the simulated boot does not come to: an address, a
    segment, a group, isolation, the boot device's address.
    Why it matters: `expect` is what the author relies on; a change of the platform or of the kernel has taken
    it away.
    Example: `expect: {addresses: {nic: "0001:02:00.0"}}` where the scan gives nic 0001:01:00.0.
    What to do: follow the notes to what decides it, and correct that, or what is expected.
    Source: the platform language, version 1 (`rootplex schema`), key `expect`.
    """
    # Nothing where Xen or Dom0 went down.
    if facts.described is None or not lives(facts):
        return
    expect = facts.described.expect
    yield from _addresses(facts, expect)
    yield from _segments(facts, expect)
    for i, names in enumerate(expect.groups or ()):
        yield from _together(facts, names, expect.at(f"groups.{i}"), exactly=True)
    for i, name in enumerate(expect.isolated):
        yield from _together(facts, (name,), expect.at(f"isolated.{i}"), exactly=True)
    for i, names in enumerate(expect.shared):
        yield from _together(facts, names, expect.at(f"shared.{i}"), exactly=False)
    if expect.boot is not None and facts.described.boot is not None:
        name = facts.described.boot.device
        yield from _address(facts, name, str(expect.boot), expect.at("boot"))


def _addresses(facts: Facts, expect: Expect) -> Iterator[Finding]:
    for name, sbdf in expect.addresses:
        yield from _address(facts, name, str(sbdf), expect.at(f"addresses.{name}"))


def _address(facts: Facts, name: str, sbdf: str, at: Place) -> Iterator[Finding]:
    function = function_named(facts, name)
    if function is None:
        yield _missing(facts, name, at)
    elif function.sbdf != sbdf:
        yield expectation_failed.rule.finding(
            at,
            f"{name} is expected at {sbdf} and is at {function.sbdf}",
            related=[(device_place(facts, function), "the device is described here")],
            notes=_numbering(function),
            help="correct the address, or what the numbers come from",
            rewrite=Rewrite(at, f'"{function.sbdf}"'),
            subject=name,
        )


def _numbering(function: Function) -> list[str]:
    """Where the bus number of a function comes from."""
    bridge = function.bus.bridge
    if bridge is None:
        return [f"it is on the first bus, {function.bus.number:#04x}"]
    return [f"bus {function.bus.number:#04x} is the one below {bridge.sbdf}"]


def _missing(facts: Facts, name: str, at: Place) -> Finding:
    missing = absence(facts, name)
    return expectation_failed.rule.finding(
        at,
        f"{facts.host} does not see {name}",
        related=missing.places,
        notes=[missing.reason],
        help=f"{missing.help}, or correct what is expected",
        subject=name,
        about=missing.of(name),
    )


def _segments(facts: Facts, expect: Expect) -> Iterator[Finding]:
    roots = {facts.name_of(root.path): root for root in booted(facts).dom0.root_bridges}
    for name, number in expect.segments:
        at = expect.at(f"segments.{name}")
        root = roots.get(name)
        if root is None or not root.is_up or root.segment is None:
            related, note = [], f"{facts.host} does not find it"
            if root is not None and root.fault is not None:
                note = causes.fault(root)
                related = [(root.fault.at, note)]
            yield expectation_failed.rule.finding(
                at,
                f"{name} is expected to have segment {number} and has none: it does not come up",
                related=related,
                notes=[note],
                help="take away what keeps the bridge down, or correct what is expected",
                subject=name,
            )
        elif root.segment != number:
            bridge = facts.described_bridge(name)
            yield expectation_failed.rule.finding(
                at,
                f"{name} is expected to have segment {number} and has {root.segment}",
                related=[] if bridge is None else [(bridge.at("segment"), "it is described here")],
                help="correct the segment, or what is expected",
                rewrite=Rewrite(at, str(root.segment)),
                subject=name,
            )


def _together(facts: Facts, names: tuple[str, ...], at: Place, *, exactly: bool) -> Iterator[Finding]:
    """The devices of one group; `exactly`: nothing else may be in it."""
    members: list[Function] = []
    for name in names:
        function = function_named(facts, name)
        if function is None:
            yield _missing(facts, name, at)
            return
        members.append(function)
    grouping = booted(facts).linux
    for function in members:
        if grouping.of(function) is None:
            why = next((sentence(each) for each in grouping.ungrouped if each.function is function), None)
            yield expectation_failed.rule.finding(
                at,
                f"{facts.device_name(function)} has no group",
                related=[(device_place(facts, function), "the device is described here")],
                notes=[] if why is None else [why],
                help="translate its requester id by an IOMMU, or correct what is expected",
                subject=facts.pages.get(function.page),
            )
            return
    groups = {group.id: group for function in members if (group := grouping.of(function)) is not None}
    found = list(groups.values())
    if len(found) > 1:
        yield _finding(
            facts, at, found, f"{listed(names)} are expected together and are in {len(found)} groups"
        )
        return
    others = [each for group in found for each in group.members if each not in members]
    if exactly and others:
        whom = listed([called(facts, each) for each in others])
        if len(names) == 1:
            text = f"{names[0]} is expected alone in its group, and {whom} {_are(others)} in it"
        else:
            text = f"{listed(names)} are expected to be a group, and {whom} {_are(others)} in it"
        yield _finding(facts, at, found, text)


def _finding(facts: Facts, at: Place, groups: list[Group], text: str) -> Finding:
    reasons = tuple(reason for group in groups for reason in group.reasons)
    return expectation_failed.rule.finding(
        at,
        text,
        related=reason_places(facts, reasons),
        notes=chain(reasons),
        help="change what the reasons name, or correct what is expected",
        subject=facts.pages.get(groups[0].members[0].page),
    )


def _are(others: list[Function]) -> str:
    return "is" if len(others) == 1 else "are"
