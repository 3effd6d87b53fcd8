"""Findings as a person reads them: the main line, the place with its line and a caret, notes, help.

The form is rustc's. Without a source line (a finding in a blob) the place stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from rootplex.jobs.result import Result, Tally
from rootplex.report import closing, words
from rootplex.report.words import notes_of
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place, Span
from rootplex.source.printable import one_line

_COLOURS = {Level.ERROR: "31", Level.WARNING: "33", Level.NOTE: "36"}
_VERDICTS = {"unreadable": "31", "inconsistent": "31", "unknown": "33", "consistent": "32"}
MAX_LINE = 160


class Style(Struct, frozen=True):
    """Colours on or off; `quiet`: findings alone."""

    colour: bool = False
    quiet: bool = False

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


class Sources:
    """Lines of the files that findings point into, cut once; as they are, not safe for a terminal."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def line(self, file: str, number: int) -> str | None:
        """Line `number` (from 1) of a file, or None where it is not known."""
        if file not in self._texts:
            return None
        if file not in self._lines:
            self._lines[file] = self._texts[file].split("\n")
        lines = self._lines[file]
        return lines[number - 1] if 0 < number <= len(lines) else None


def _printable(line: str) -> str:
    """A line of somebody's file, safe for a terminal: what is not printable becomes a dot."""
    return "".join(char if char.isprintable() or char == "\t" else "·" for char in line)


def render(results: tuple[Result, ...], sources: Sources, style: Style) -> str:
    """All results, each with its findings and a closing line; of several the expected ones are a count."""
    parts: list[str] = []
    for result in results:
        shown = [each for each in result.findings if len(results) == 1 or not each.expected]
        parts.extend("\n".join(lines_of(finding, sources, style)) + "\n" for finding in shown)
        if not style.quiet:
            parts.append(closing_line(result, style))
    return "\n".join(parts)


def closing_line(result: Result, style: Style) -> str:
    """`two-segments: consistent (linux-7.2, dt)`, then counts, what is not known, and what stands below."""
    where = "bare metal" if result.hypervisor is None else None
    how = ", ".join(part for part in (result.dom0, where, result.firmware) if part)
    name = one_line(result.platform or result.file)
    line = f"{name}: {style.paint(result.verdict, _VERDICTS[result.verdict])}"
    line += f" ({how})" if how else ""
    said = "; ".join(_said(result))
    line += f": {said}" if said else ""
    return "\n".join((line, *(f"  {text}" for text in closing.lines(result)))) + "\n"


def _said(result: Result) -> Iterator[str]:
    counts = [words.counted(count, level.value) for level in Level if (count := result.count(level))]
    if result.expected:
        counts.append(f"{result.expected} expected")
    if counts:
        yield ", ".join(counts)
    elif result.not_known:
        yield "no findings"
    if result.matches is not None:
        yield f"{'matches' if result.matches else 'differs from'} the description {result.against}"
    if result.not_known:
        yield f"{' and '.join(result.not_known)} are not known"


def tally(boards: Tally, style: Style) -> str:
    """`14 boards: 0 errors, 32 expected findings`; the boards that are not consistent stand in brackets."""
    verdicts, found = boards.verdicts, boards.findings
    others = [
        style.paint(f"{verdicts[verdict]} {verdict}", colour)
        for verdict, colour in _VERDICTS.items()
        if verdict != "consistent" and verdicts[verdict]
    ]
    counts = [words.counted(found["error"], "error")]
    counts += [
        words.counted(found[what], what) for what in ("warning", "note", "expected finding") if found[what]
    ]
    aside = f" ({', '.join(others)})" if others else ""
    return f"{words.counted(verdicts.total(), 'board')}{aside}: {', '.join(counts)}\n"


def lines_of(finding: Finding, sources: Sources, style: Style) -> Iterator[str]:
    """One finding."""
    expected = " (expected)" if finding.expected else ""
    head = style.paint(f"{finding.level.value}[{finding.code}]{expected}", f"1;{_COLOURS[finding.level]}")
    yield f"{head}: {style.paint(one_line(finding.message), '1')}"
    places: list[tuple[Place, str]] = [(finding.at, "")]
    places += [(related.at, related.message) for related in finding.related]
    margin = max(len(str(at.line)) if isinstance(at, Span) else 1 for at, _ in places)
    for i, (at, message) in enumerate(places):
        yield from _excerpt(at, message, sources, style, margin, first=i == 0)
    pad = " " * margin
    for note in notes_of(finding):
        yield f"{pad} = note: {one_line(note)}"
    if finding.help is not None:
        yield f"{pad} = help: {one_line(finding.help)}"
    yield f"{pad} = more: rootplex explain {finding.code}"


def _excerpt(
    at: Place, message: str, sources: Sources, style: Style, margin: int, *, first: bool
) -> Iterator[str]:
    pad = " " * margin
    yield f"{pad}{style.paint('-->' if first else ':::', '34')} {one_line(str(at))}"
    line = sources.line(at.file, at.line) if isinstance(at, Span) else None
    if line is None or not isinstance(at, Span):
        if message:
            yield f"{pad} = {one_line(message)}"
        return
    shown, column = _cut(line, at.column)
    shown = _printable(shown)
    end = at.end_column if at.end_line == at.line else len(line) + 1
    width = max(1, min(end - at.column, len(shown) - column + 1))
    caret = ("^" if first else "-") * width
    lead = "".join("\t" if char == "\t" else " " for char in shown[: column - 1])
    bar = style.paint("|", "34")
    yield f"{pad} {bar}"
    yield f"{at.line:>{margin}} {bar} {shown}"
    yield f"{pad} {bar} {lead}{caret}{' ' + one_line(message) if message else ''}"


def _cut(line: str, column: int) -> tuple[str, int]:
    """A line short enough to show, `…` where it is cut, and the column in it."""
    if len(line) <= MAX_LINE:
        return line, column
    start = max(0, min(column - MAX_LINE // 2, len(line) - MAX_LINE))
    shown = line[start : start + MAX_LINE]
    shown = f"…{shown[1:]}" if start else shown
    return (f"{shown[:-1]}…" if start + MAX_LINE < len(line) else shown), column - start
