"""What a change of a file has changed in its verdict."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from rootplex.jobs.diff import Diff, diff
from rootplex.jobs.result import Result
from rootplex.report.diff import detail, sentence
from rootplex.report.text import Sources, Style, closing_line, lines_of


def changed(before: Result, after: Result) -> Diff:
    """What is otherwise now. Of a board that was not simulated the machine is not known to be otherwise."""
    return diff(before, carried(before, after))


def carried(before: Result, after: Result) -> Result:
    """The later result, with the earlier machine where it has none of its own."""
    if after.machine.bridges or not before.machine.bridges:
        return after
    return replace(after, machine=before.machine, guests=before.guests, not_known=before.not_known)


def lines(before: Result, after: Result, sources: Sources, style: Style) -> Iterator[str]:
    """The findings that came, whole; everything else that is otherwise in one sentence; the verdict."""
    found = changed(before, after)
    known = {(each.code, each.subject, each.message) for each in before.findings}
    for finding in after.findings:
        if (finding.code, finding.subject, finding.message) not in known:
            yield from lines_of(finding, sources, style)
    for change in found.changes:
        if change.what == "verdict" or (change.what == "finding" and change.after is not None):
            continue
        yield sentence(change)
        yield from (f"  {line}" for line in detail(change))
    same = "" if found.changes else ": nothing is otherwise"
    yield f"{closing_line(after, style).splitlines()[0]}{same}"
