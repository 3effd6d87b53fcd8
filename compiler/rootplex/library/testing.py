"""An assertion for a firmware project's own tests; it needs no test framework."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.result import Result
from rootplex.jobs.sources import kind_of
from rootplex.library.functions import StrPath, check, validate
from rootplex.readers.files import beginning_of
from rootplex.report import text
from rootplex.source.finding import Level

_HEAD = 65536


def assert_consistent(
    board: Result | StrPath, *paths: StrPath, strict: bool = False, expect: Collection[str] = ()
) -> None:
    """Nothing is wrong with a board: else AssertionError with the report, as the command line prints it.

    `board` is a result of `check` or `validate`, or a path: a description is checked, firmware is validated;
    with further `paths` all are one board (a device tree and its ACPI tables). `strict`: warnings are wrong
    too. `expect`: codes of findings that are known and accepted; one that does not come is wrong as well,
    so that the list does not outlive the faults. What could not be judged is wrong.
    """
    __tracebackhide__ = True  # pytest then shows the test, not this
    result = board if isinstance(board, Result) else _examined(board, *paths)
    absent = sorted(set(expect) - {each.code for each in result.findings})
    findings = tuple(each.as_expected() if each.code in expect else each for each in result.findings)
    # An error that was expected by its author or is accepted here makes no board inconsistent.
    judged = result.verdict != "unknown"
    result = replace(result, findings=findings, verdict=verdict_of(findings, judged=judged))
    wrong = result.verdict != "consistent" or (strict and result.count(Level.WARNING))
    if wrong or absent:
        lines = [f"{code} is expected and was not found" for code in absent]
        raise AssertionError("\n".join((text.render((result,), text.Sources({}), text.Style()), *lines)))


def _examined(path: StrPath, *more: StrPath) -> Result:
    place = Path(path)
    if not more and place.is_file() and kind_of(beginning_of(place, _HEAD), whole=False) is None:
        return check(path)
    return validate(path, *more)
