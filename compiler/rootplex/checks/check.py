"""What a check is: its rule, the page that `explain` prints, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import TypeAlias

from msgspec import Struct

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source import finding

Run: TypeAlias = Callable[[Facts], Iterator[finding.Finding]]


class Page(Struct, frozen=True):
    """A kind of finding, and what `explain` prints of it."""

    rule: finding.Rule
    page: str


class Check(Page, frozen=True):
    """One check, and the function that finds."""

    rule: Rule
    run: Run


def check(rule: Rule) -> Callable[[Run], Check]:
    """Makes a check of a function of a family's module; its docstring is the page."""

    def made(run: Run) -> Check:
        return Check(rule, getdoc(run) or "", run)

    return made
