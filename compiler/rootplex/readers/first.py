"""Which of many ranges holds a number first: firmware's maps are searched in their own order."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Sequence


class First:
    """Which of a list of ranges (first number, how many) holds a number first, in the list's order."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        edges = sorted({edge for start, length in ranges for edge in (start, start + length)})
        waiting = sorted(range(len(ranges)), key=lambda index: ranges[index][0], reverse=True)
        open_: list[int] = []
        nonempty = [index for index in reversed(waiting) if ranges[index][1]]
        self._starts = [ranges[index][0] for index in nonempty]
        self._rows = [nonempty]  # of row n the least index of each 2^n neighbours
        self.edges = edges
        """Where another range may begin to hold, ascending."""
        self._holders: list[int | None] = []
        for edge in edges:
            while waiting and ranges[waiting[-1]][0] <= edge:
                heapq.heappush(open_, waiting.pop())
            while open_ and sum(ranges[open_[0]]) <= edge:
                heapq.heappop(open_)
            self._holders.append(open_[0] if open_ else None)

    def of(self, number: int) -> int | None:
        """Its index; None where none holds the number."""
        at = bisect_right(self.edges, number) - 1
        return self._holders[at] if at >= 0 else None

    def within(self, first: int, last: int) -> int | None:
        """The index of the first range of the list that has a number of `first` to `last`."""
        held = self.of(first)
        low, high = bisect_left(self._starts, first), bisect_right(self._starts, last)
        begun = self._least(low, high) if low < high else None
        return min((index for index in (held, begun) if index is not None), default=None)

    def _least(self, low: int, high: int) -> int:
        """The least index of the ranges whose starts have these places in order."""
        rows = self._rows
        level = (high - low).bit_length() - 1
        while len(rows) <= level:
            row, half = rows[-1], 1 << len(rows) - 1
            rows.append([min(pair) for pair in zip(row, row[half:], strict=False)])
        return min(rows[level][low], rows[level][high - (1 << level)])
