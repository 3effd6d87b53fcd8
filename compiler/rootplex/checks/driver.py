"""Runs the checks whose needs are met, in order, each after its prerequisites."""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.checks.facts import Facts
from rootplex.checks.registry import CHECKS, ONLY, Needs, module_of, rule_of
from rootplex.source.finding import Finding
from rootplex.source.record import replace


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
        new = tuple(module.check(facts))
        if new:
            spoken.update(finding.code for finding in new)
            findings.extend(new)
            facts = replace(facts, found=(*earlier, *findings))
    return tuple(findings)


def _holds(name: str, facts: Facts) -> bool:
    if name not in ONLY:
        return True
    from rootplex.checks.scope import holds

    return holds(ONLY[name], facts)
