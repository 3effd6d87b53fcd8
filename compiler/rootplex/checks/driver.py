"""Runs the checks whose needs are met, in order, places what they find, and puts what follows from another
finding under it.

A check names artifact places: a cell of the device tree, bytes of a table. Here they become places of the
description, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from rootplex.checks.causes import by_cause
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import is_among
from rootplex.checks.registry import checks
from rootplex.checks.rule import Needs, Rule
from rootplex.source.finding import Finding
from rootplex.source.place import Span


def run_checks(facts: Facts, needs: Needs, found: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """What was found before, `found`, and the findings of all checks that need `needs`; what follows from
    another one stands under it. Each check sees in `Facts.found` what those before it have said."""
    earlier = tuple(found)
    said = tuple(each for finding in earlier for each in finding.every)
    facts = replace(facts, found=said)
    new: list[tuple[Finding, Rule]] = []
    for check in checks():
        rule = check.rule
        if rule.needs != needs or not is_among(facts, rule.only):
            continue
        findings = tuple(_placed(check.run(facts), facts))
        if findings:
            new += ((finding, rule) for finding in findings)
            said += findings
            facts = replace(facts, found=said)
    return by_cause(earlier, new, _bridge_of(facts))


def _bridge_of(facts: Facts) -> Callable[[str], str | None]:
    """The name of the bridge that a device is below, by the description and by what Dom0 sees."""
    owners: dict[str, str] = {}
    if facts.described is not None:
        owners = {device.name: bridge.name for bridge, device in facts.described.walk() if device.name}
    if facts.outcome is not None:
        roots = facts.outcome.dom0.root_bridges
        for function in facts.outcome.dom0.functions:
            owners[facts.device_name(function)] = facts.name_of(roots[function.root].path)
    return owners.get


def _placed(findings: Iterable[Finding], facts: Facts) -> Iterator[Finding]:
    """The findings of one check at places of the description. Its device tree and its tables have one
    fault from one line: that is told once, by the artifact that comes first."""
    told: dict[tuple[str | None, str, int], type] = {}
    for finding in findings:
        placed = finding.moved(facts.source)
        if isinstance(placed.at, Span):
            artifact = type(finding.at)
            line = (finding.subject, placed.at.file, placed.at.line)
            if told.setdefault(line, artifact) is not artifact:
                continue
        yield placed
