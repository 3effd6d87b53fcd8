"""Which of many ranges holds a number first, against a search from the front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rootplex.readers.first import First

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=12)


def overlap(a: range, b: range) -> bool:
    return bool(a) and bool(b) and a.start < b.stop and b.start < a.stop


@given(RANGES, st.integers(-2, 60))
def test_the_first_that_holds_a_number(ranges: list[tuple[int, int]], number: int) -> None:
    wanted = next((at for at, (start, size) in enumerate(ranges) if start <= number < start + size), None)
    assert First(ranges).of(number) == wanted


@given(RANGES, st.integers(-2, 60), st.integers(0, 20))
def test_the_first_that_has_a_number_of_a_stretch(ranges: list[tuple[int, int]], low: int, size: int) -> None:
    stretch = range(low, low + size + 1)
    overlaps = (overlap(range(start, start + length), stretch) for start, length in ranges)
    wanted = next((at for at, found in enumerate(overlaps) if found), None)
    assert First(ranges).within(low, low + size) == wanted
