"""Runs the checks whose needs are met, in order, each after its prerequisites, and places what they find.

A check names artifact places: a cell of the device tree, bytes of a table. Here they become places of the
description, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from rootplex.checks.facts import Facts
from rootplex.checks.registry import CHECKS, ONLY, Needs, module_of, rule_of
from rootplex.checks.scope import holds
from rootplex.source.finding import Finding
from rootplex.source.place import Span


def run_checks(facts: Facts, needs: Needs, found: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """The findings of all checks that need `needs`; `found` is what was found before.

    A check is left out where a code that it requires to be silent has spoken; each sees in `Facts.found`
    what those before it have said.
    """
    earlier = tuple(found)
    spoken = {finding.code for finding in earlier}
    facts = replace(facts, found=earlier)
    findings: list[Finding] = []
    for name, needed in CHECKS.items():
        if needed != needs or not _holds(name, facts):
            continue
        module = module_of(name)
        if spoken.intersection(rule_of(module).requires):
            continue
        new = tuple(_placed(module.check(facts), facts))
        if new:
            spoken.update(finding.code for finding in new)
            findings.extend(new)
            facts = replace(facts, found=(*earlier, *findings))
    return tuple(findings)


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


def _holds(name: str, facts: Facts) -> bool:
    if name not in ONLY:
        return True
    return holds(ONLY[name], facts)
