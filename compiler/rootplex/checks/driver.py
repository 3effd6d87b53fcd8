"""Runs the checks whose needs are met, in order, each after its prerequisites."""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.checks.facts import Facts
from rootplex.checks.registry import modules, rule_of
from rootplex.checks.rule import Needs
from rootplex.source.finding import Finding


def run_checks(facts: Facts, needs: Needs, found: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """The findings of all checks that need `needs`; `found` is what was found before.

    A check is left out where a code that it requires to be silent has spoken.
    """
    spoken = {finding.code for finding in found}
    findings: list[Finding] = []
    for module in modules():
        rule = rule_of(module)
        if rule.needs != needs or spoken.intersection(rule.requires):
            continue
        new = tuple(module.check(facts))
        spoken.update(finding.code for finding in new)
        findings.extend(new)
    return tuple(findings)
