"""The picture for a terminal: a tree of lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.jobs.result import Machine
from rootplex.report.picture import Row, picture_of


def lines(machine: Machine) -> Iterator[str]:
    """Segments, bridges and functions, each with its group, guest and what lets requests through."""
    for segment in picture_of(machine):
        yield segment.title
        for tree in segment.trees:
            yield f"  {tree.title}"
            yield from _rows(tree.rows, "  ")


def _rows(rows: Sequence[Row], indent: str) -> Iterator[str]:
    for i, row in enumerate(rows):
        last = i + 1 == len(rows)
        yield f"{indent}{'└─' if last else '├─'} {_text(row)}"
        yield from _rows(row.below, indent + ("   " if last else "│  "))


def _text(row: Row) -> str:
    to = () if row.buses is None else (f"to {row.buses}",)
    return ", ".join((row.label, row.type, *to, *(text for _, text in row.facts)))
