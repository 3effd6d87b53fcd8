"""A description read and checked as far as the description alone can tell."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.frontends.description.reading import read_description
from rootplex.jobs.sources import refuse_firmware
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level, Unreadable
from rootplex.source.node import Node


class Checked(Struct, frozen=True):
    """The platform (None where too little was readable) and every finding so far."""

    platform: Platform | None
    names: frozenset[str]
    findings: tuple[Finding, ...]
    document: Node
    is_language: bool = True
    """Whether it is of the language at all: reading it met no error."""

    @property
    def is_sound(self) -> bool:
        """Whether there is a platform, and nothing that is wrong with the description itself."""
        return self.platform is not None and not errors_in(self.findings)


def errors_in(findings: Iterable[Finding]) -> bool:
    """Whether one is of level error."""
    return any(each.level is Level.ERROR for finding in findings for each in finding.every)


def read_checked(data: bytes, file: str) -> Checked:
    """Read, then run the checks that need the model only; `Unreadable` where it is not YAML."""
    try:
        description = read_description(data, file)
    except Unreadable:
        refuse_firmware(data, file)
        raise
    if description.platform is None:
        refuse_firmware(data, file)
    findings = description.findings
    if description.platform is not None:
        facts = Facts(described=description.platform, names=description.names)
        findings = run_checks(facts, "description", findings)
    return Checked(
        description.platform,
        description.names,
        findings,
        description.node,
        is_language=not errors_in(description.findings),
    )
