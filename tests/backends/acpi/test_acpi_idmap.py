"""Id maps cut into runs, against the device tree's rule applied to every RID (linux.md §1.10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootplex.backends.acpi.idmap import Step, TooManyRuns, runs
from rootplex.formats.idruns import common, without
from rootplex.model.bridge import IdMapEntry
from rootplex.model.numbers import BusRange
from rootplex.model.part import Places
from rootplex.source.place import Span

ALL = BusRange(0, 0xFF)


def entry(rid: int, id: int, count: int, target: str = "its", line: int = 1) -> IdMapEntry:
    place = Span("x.yaml", line, 1, line, 2)
    return IdMapEntry(places=Places(place), rid=rid, id=id, count=count, target=target)


def by_rule(entries: list[IdMapEntry], mask: int, rid: int) -> tuple[str, int] | None:
    masked = rid & mask
    for each in entries:
        if each.rid <= masked < each.rid + each.count:
            return each.target, each.id + masked - each.rid
    return None


def as_map(found: tuple[Step, ...]) -> dict[int, tuple[str, int]]:
    ids = {rid: (run.target, run.of(rid)) for run in found for rid in range(run.first, run.end)}
    assert len(ids) == sum(run.count for run in found), "runs overlap"
    assert list(found) == sorted(found, key=lambda run: run.first)
    return ids


@st.composite
def maps(draw: st.DrawFn) -> tuple[list[IdMapEntry], int, BusRange]:
    first = draw(st.integers(0, 250))
    buses = BusRange(first, draw(st.integers(first, min(first + 3, 255))))
    around = st.integers(max((first - 1) << 8, 0), (buses.last + 1) << 8) | st.integers(0, 0x200)
    entries = draw(
        st.lists(
            st.builds(
                entry,
                around,
                st.integers(0, 1 << 20),
                st.integers(1, 0x300) | st.just(0x1_0000),
                st.sampled_from(["a", "b"]),
                st.integers(1, 9),
            ),
            max_size=5,
        )
    )
    mask = draw(
        st.sampled_from([0xFFFF_FFFF, 0xFFFF, 0xFF, 0xFF00, 0xFFF8, 0xF8, 0, 1, 0xFFFD, 0xFF07])
        | st.integers(0, 0xFFFF)
    )
    return entries, mask, buses


@given(maps())
def test_runs_say_what_the_rule_says(case: tuple[list[IdMapEntry], int, BusRange]) -> None:
    entries, mask, buses = case
    rids = range(buses.first << 8, (buses.last + 1) << 8)
    expected = {rid: found for rid in rids if (found := by_rule(entries, mask, rid)) is not None}
    assert as_map(runs(entries, mask, buses)) == expected


@given(maps(), maps())
def test_without_and_common(
    one: tuple[list[IdMapEntry], int, BusRange], two: tuple[list[IdMapEntry], int, BusRange]
) -> None:
    left, right = runs(*one), runs(two[0], two[1], one[2])
    ids, others = as_map(left), as_map(right)
    rest = as_map(tuple(without(left, right)))
    assert rest == {rid: id for rid, id in ids.items() if rid not in others}
    both = tuple(common(left, right))
    assert as_map(tuple(a for a, _ in both)) == {rid: id for rid, id in ids.items() if rid in others}
    assert as_map(tuple(b for _, b in both)) == {rid: id for rid, id in others.items() if rid in ids}


def test_an_identity_is_one_run() -> None:
    (run,) = runs([entry(0, 0, 0x1_0000)], 0xFFFF_FFFF, BusRange(0x40, 0x7F))
    assert (run.first, run.id, run.count, run.constant) == (0x4000, 0x4000, 0x4000, False)


def test_a_mask_of_nothing_is_one_constant_run() -> None:
    """Juno's map: <0 smmu 0 1> with mask 0."""
    (run,) = runs([entry(0, 0, 1)], 0, ALL)
    assert (run.first, run.id, run.count, run.constant) == (0, 0, 0x1_0000, True)


def test_a_mask_without_the_bus_is_a_run_a_bus() -> None:
    found = runs([entry(0, 0x100, 0x100)], 0xFF, BusRange(0, 2))
    assert [(run.first, run.id, run.count) for run in found] == [
        (0, 0x100, 0x100), (0x100, 0x100, 0x100), (0x200, 0x100, 0x100),
    ]  # fmt: skip


def test_neighbours_of_different_entries_stay_apart() -> None:
    found = runs([entry(0, 0, 0x100, line=1), entry(0x100, 0x100, 0x100, line=2)], 0xFFFF, ALL)
    assert [(run.first, run.count) for run in found] == [(0, 0x100), (0x100, 0x100)]


def test_a_scattering_mask_is_refused() -> None:
    with pytest.raises(TooManyRuns):
        runs([entry(0, 0, 0x1_0000)], 0xFFF8, ALL)


def test_many_overlapping_entries_take_no_time() -> None:
    entries = [entry(n, 2 * n, 0x8000) for n in range(4000)]
    assert as_map(runs(entries, 0xFFFF, ALL))[0x8000] == ("its", 0x8000 + 1)
