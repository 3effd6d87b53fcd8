"""What a check is: its rule, the page that `explain` prints, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import TypeAlias

from msgspec import Struct

from rootplex.checks.facts import Facts
from rootplex.source.finding import Finding, Rule

Run: TypeAlias = Callable[[Facts], Iterator[Finding]]


class Check(Struct, frozen=True):
    """One check. `run` is None where the finding is made elsewhere."""

    rule: Rule
    page: str
    run: Run | None = None


def check(rule: Rule) -> Callable[[Run], Check]:
    """Makes a check of a function of a family's module; its docstring is the page."""

    def made(run: Run) -> Check:
        return Check(rule, getdoc(run) or "", run)

    return made
