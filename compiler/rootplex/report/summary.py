"""Many results at a glance: a line each, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from rootplex.jobs.result import Result
from rootplex.source.finding import Level

_ORDER = {"inconsistent": 1, "unknown": 2, "consistent": 3}
_HEAD = ("", "verdict", "errors", "warnings", "notes")


def by_worst(results: Sequence[Result]) -> list[Result]:
    """Unreadable ones, then inconsistent ones by their errors, then the rest; equals by name."""
    return sorted(
        results,
        key=lambda result: (
            not result.unreadable,
            _ORDER[result.verdict],
            *(-result.count(level) for level in Level),
            result.file,
        ),
    )


def table(results: Sequence[Result]) -> list[str]:
    """Lines of a table with a heading; numbers to the right, a dash for none."""
    rows = [_HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.rjust(width) if column > 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(result: Result) -> tuple[str, ...]:
    verdict = "unreadable" if result.unreadable else result.verdict
    counts = (result.count(level) for level in Level)
    return (result.file, verdict, *(str(count) if count else "-" for count in counts))
