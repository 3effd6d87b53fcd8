"""Findings as annotations of GitHub's: a line each, that a workflow's log turns into marks in a change.

Source: github.com/actions/toolkit, packages/core/src/command.ts (escapeData, escapeProperty), and
docs.github.com, Workflow commands for GitHub Actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.jobs.result import Result
from rootplex.report.words import notes_of
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Span

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def render(results: Sequence[Result]) -> str:
    """`::error file=…,line=…::message`, a line each; findings that their author expects are none."""
    found = (each for result in results for each in result.findings if not each.expected)
    return "".join(f"{_annotation(each)}\n" for each in found)


def _annotation(finding: Finding) -> str:
    properties = {**_place(finding), "title": f"{finding.code} {finding.name}"}
    written = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    text = _data("\n".join(_lines(finding)))
    return f"::{_COMMANDS[finding.level]} {written}::{text}"


def _place(finding: Finding) -> dict[str, str | int]:
    at = finding.at
    if not isinstance(at, Span):
        return {"file": at.file}
    place: dict[str, str | int] = {"file": at.file, "line": at.line, "endLine": at.end_line}
    if at.end_line == at.line:  # columns count in one line only
        place |= {"col": at.column, "endColumn": at.end_column}
    return place


def _lines(finding: Finding) -> Iterator[str]:
    yield finding.message
    if not isinstance(finding.at, Span):
        yield f"at: {finding.at}"
    yield from (f"{related.at}: {related.message}" for related in finding.related if related.message)
    yield from (f"note: {note}" for note in notes_of(finding))
    if finding.help is not None:
        yield f"help: {finding.help}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
