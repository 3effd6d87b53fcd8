"""One line a finding, as compilers print them: for editors and `grep`."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.result import Result


def render(results: tuple[Result, ...]) -> str:
    """`place: level[code]: message`, a line each; nothing where there is nothing."""
    return "".join(f"{line}\n" for result in results for line in _lines(result))


def _lines(result: Result) -> Iterator[str]:
    for finding in result.findings:
        expected = " (expected)" if finding.expected else ""
        yield f"{finding.at}: {finding.level.value}[{finding.code}]{expected}: {finding.message}"
