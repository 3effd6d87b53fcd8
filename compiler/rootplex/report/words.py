"""Words that several reports share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rootplex.jobs.result import Named
from rootplex.source.finding import Finding

FIRMWARE = {"dt": "device tree", "acpi": "ACPI"}


def function_name(function: Named) -> str:
    """`0000:01:00.0 (disk)`."""
    return f"{function.sbdf} ({function.name})" if function.name else function.sbdf


def function_names(functions: Iterable[Named]) -> str:
    """A list of them."""
    return ", ".join(map(function_name, functions))


def counted(count: int, what: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


_UNITS = ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"))


def size(count: int) -> str:
    """Bytes in the largest unit that divides them: `256MiB`; in hexadecimal where none does."""
    for shift, unit in _UNITS:
        if count and not count & ((1 << shift) - 1):
            return f"{count >> shift}{unit}"
    return f"{count:#x}"


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


FOLLOWING_SHOWN = 4


def notes_of(finding: Finding) -> list[str]:
    """The notes of a finding as every format prints them: its own, then the first few of what follows from
    it, each with its code for `explain`."""
    following = list(dict.fromkeys(f"so {each.message} ({each.code})" for each in finding.follows))
    notes = [*finding.notes, *following[:FOLLOWING_SHOWN]]
    more = len(following) - FOLLOWING_SHOWN
    return notes if more <= 0 else [*notes, f"{more} more follow from it"]
