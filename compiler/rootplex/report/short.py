"""One line a finding, as compilers print them: for editors and `grep`."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.result import Result
from rootplex.source.printable import one_line


def render(results: tuple[Result, ...]) -> str:
    """`place: level[code]: message`, a line each; nothing where there is nothing."""
    return "".join(f"{one_line(each)}\n" for result in results for each in _lines(result))


def _lines(result: Result) -> Iterator[str]:
    for finding in result.findings:
        expected = " (expected)" if finding.expected else ""
        yield f"{finding.at}: {finding.level.value}[{finding.code}]{expected}: {finding.message}"
