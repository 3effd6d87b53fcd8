"""Every check: what is in the folders below this one, and the findings that no check makes (`pages`).

A module whose name has no underscore in front is a family of checks. They are loaded when a check is wanted
for the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from rootplex.checks.check import Check, Page
from rootplex.checks.pages import PAGES
from rootplex.checks.rule import Needs, Rule
from rootplex.source import finding

_WITH_XEN = frozenset({"xen", "x86-xen", "arm-32-xen", "xen-probes"})


@cache
def checks() -> tuple[Check, ...]:
    """The checks, in order of their codes."""
    found = (each for module in _modules() for each in checks_of(module))
    return tuple(sorted(found, key=_code))


@cache
def every_page() -> tuple[Page, ...]:
    """All findings that there are, in order of their codes, also those that no check makes."""
    return tuple(sorted((*PAGES, *checks()), key=_code))


def checks_of(module: ModuleType) -> tuple[Check, ...]:
    """The checks of a family."""
    return tuple(each for each in vars(module).values() if isinstance(each, Check))


def needs_of(code: str) -> Needs | None:
    """What the check with this code needs; None where no finding has it."""
    rule = _rules().get(code)
    return rule.needs if isinstance(rule, Rule) else None if rule is None else "reading"


def is_of_xen(code: str) -> bool:
    """Whether the check with this code holds only where Xen is below Linux."""
    rule = _rules().get(code)
    return isinstance(rule, Rule) and rule.only in _WITH_XEN


@cache
def _rules() -> dict[str, finding.Rule]:
    return {each.rule.code: each.rule for each in every_page()}


def _code(page: Page) -> str:
    return page.rule.code


def _modules() -> Iterator[ModuleType]:
    here = Path(__file__).parent
    for path in here.glob("*/[!_]*.py"):
        yield import_module(f"rootplex.checks.{path.parent.name}.{path.stem}")
