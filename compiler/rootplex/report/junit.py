"""JUnit XML, as continuous integration shows it: a suite a platform, a case a finding."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from rootplex.jobs.result import Result
from rootplex.report.words import notes_of
from rootplex.source.finding import Finding, Level
from rootplex.source.printable import printable


def render(results: tuple[Result, ...]) -> str:
    """Errors are failures; a platform without findings is one passed case."""
    suites = "".join(_suite(result) for result in results)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="rootplex">\n{suites}</testsuites>\n'
    return printable(text)  # XML has no way to write most control characters


def _suite(result: Result) -> str:
    name = quoteattr(result.platform or result.file)
    cases = "".join(_case(finding, name) for finding in result.findings)
    if not result.findings:
        cases = f"  <testcase classname={name} name={quoteattr(result.verdict)}/>\n"
    total = max(1, len(result.findings))
    failures = result.count(Level.ERROR)
    return f' <testsuite name={name} tests="{total}" failures="{failures}">\n{cases} </testsuite>\n'


def _case(finding: Finding, suite: str) -> str:
    name = quoteattr(f"{finding.code} {finding.name} {finding.at}")
    text = escape("\n".join((finding.message, *notes_of(finding), *([finding.help] if finding.help else []))))
    if finding.expected:
        inside = f"<skipped message={quoteattr('expected: ' + finding.message)}/>"
    elif finding.level is Level.ERROR:
        inside = f"<failure message={quoteattr(finding.message)}>{text}</failure>"
    else:
        inside = f"<system-out>{text}</system-out>"
    return f"  <testcase classname={suite} name={name}>{inside}</testcase>\n"
