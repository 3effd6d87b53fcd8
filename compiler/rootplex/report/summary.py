"""Many results at a glance: a line each, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.jobs.result import Glance

_ORDER = {"inconsistent": 1, "unknown": 2, "consistent": 3}
_HEAD = ("", "verdict", "errors", "warnings", "notes")


def by_worst(seen: Glance) -> tuple[object, ...]:
    """Unreadable ones, then inconsistent ones by their errors, then the rest; equals by name."""
    counts = (-seen.errors, -seen.warnings, -seen.notes)
    return (not seen.unreadable, _ORDER[seen.verdict], *counts, seen.file)


def worst(seen: Iterable[Glance], count: int) -> list[Glance]:
    """So many of them, the worst first, of any number. Those that cannot be read are at most half of them
    where there are others: trees without PCI do not hide what is wrong with one that has it."""
    rows = sorted(seen, key=by_worst)
    unread = [each for each in rows if each.unreadable]
    others = [each for each in rows if not each.unreadable]
    shown = unread[: max(count // 2, count - len(others))]
    return [*shown, *others[: count - len(shown)]]


def table(rows_of: Sequence[Glance]) -> list[str]:
    """Lines of a table with a heading; numbers to the right, a dash for none."""
    rows = [_HEAD, *map(_row, rows_of)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.rjust(width) if column > 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(seen: Glance) -> tuple[str, ...]:
    verdict = "unreadable" if seen.unreadable else seen.verdict
    counts = (seen.errors, seen.warnings, seen.notes)
    return (seen.file, verdict, *(str(count) if count else "-" for count in counts))
