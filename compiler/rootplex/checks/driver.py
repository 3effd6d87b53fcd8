"""Runs the checks whose needs are met, in order, each after its prerequisites."""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.checks.facts import Facts
from rootplex.checks.registry import MODULES, module_of, rule_of
from rootplex.checks.rule import Needs
from rootplex.source.finding import Finding
from rootplex.source.record import replace

OF_DESCRIPTION = frozenset(
    {
        "language.unknown_name",
        "language.duplicate_name",
        "language.impossible_tree",
        "language.duplicate_function",
        "language.function_number",
        "language.register_sizes",
        "language.bus_numbers",
        "language.impossible_key",
        "language.sriov_numbers",
        "boot.function_zero_missing",
        "boot.device_behind_port",
    }
)
"""The checks that need the description only: all that `compile` has to load. A test holds the list."""


def run_checks(facts: Facts, needs: Needs, found: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """The findings of all checks that need `needs`; `found` is what was found before.

    A check is left out where a code that it requires to be silent has spoken; each sees in `Facts.found`
    what those before it have said.
    """
    earlier = tuple(found)
    spoken = {finding.code for finding in earlier}
    findings: list[Finding] = []
    names = (name for name in MODULES if name in OF_DESCRIPTION) if needs == "description" else MODULES
    for module in map(module_of, names):
        rule = rule_of(module)
        if rule.needs != needs or spoken.intersection(rule.requires):
            continue
        new = tuple(module.check(replace(facts, found=(*earlier, *findings))))
        spoken.update(finding.code for finding in new)
        findings.extend(new)
    return tuple(findings)
