"""What a check is: its rule, the page that `explain` prints, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import TypeAlias

from msgspec import Struct

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Needs, Platforms, Rule
from rootplex.source import finding

Run: TypeAlias = Callable[[Facts], Iterator[finding.Finding]]


class Page(Struct, frozen=True):
    """A kind of finding, and what `explain` prints of it below its name."""

    rule: finding.Rule
    text: str

    @property
    def page(self) -> str:
        """The whole page."""
        return f"{self.rule.name}\n\n{self.text}"


class Check(Page, frozen=True):
    """One check, and the function that finds."""

    rule: Rule
    run: Run


def check(
    code: str,
    level: finding.Level,
    *,
    needs: Needs = "artifacts",
    only: Platforms | None = None,
    requires: tuple[str, ...] = (),
    covers: tuple[str, ...] = (),
) -> Callable[[Run], Check]:
    """Makes a check of a function: its name is the finding's, its docstring the page."""

    def made(run: Run) -> Check:
        rule = Rule(
            code=code,
            name=run.__name__.replace("_", "-"),
            level=level,
            needs=needs,
            only=only,
            requires=requires,
            covers=covers,
        )
        return Check(rule, getdoc(run) or "", run)

    return made
