"""Properties of every grouping over random trees, and the time a full segment takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulator.groups.pci_trees import FULL, PciTree, is_coarser, pages

from rootplex.simulator.function import (
    DOWNSTREAM,
    EVENT_COLLECTOR,
    INTEGRATED,
    PCI_TO_PCIE,
    PCIE_TO_PCI,
    ROOT_PORT,
    UPSTREAM,
    Bus,
    Function,
)
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.safe import safe_groups
from rootplex.simulator.groups.timing import bind_order
from rootplex.simulator.groups.top_down import top_down_groups

ALGORITHMS: list[Callable[[Sequence[Function]], Grouping]] = [
    linux_groups,
    top_down_groups,
    safe_groups,
]
BITS = (0x01, 0x04, 0x08, 0x10)
BRIDGES = (ROOT_PORT, UPSTREAM, DOWNSTREAM, PCIE_TO_PCI, PCI_TO_PCIE, None)
LEAVES = (0, 1, INTEGRATED, EVENT_COLLECTOR, None)


@st.composite
def acs_bits(draw: st.DrawFn) -> tuple[int, int] | None:
    if draw(st.booleans()):
        return draw(st.sampled_from((None, FULL)))
    capability = sum(draw(st.sets(st.sampled_from(BITS))))
    return capability, capability & sum(draw(st.sets(st.sampled_from(BITS))))


@st.composite
def trees(draw: st.DrawFn) -> PciTree:
    """A tree in discovery order: a bus in full, then what is below its bridges."""
    tree = PciTree()
    ahead: list[tuple[Bus, int]] = [(tree.root, 0)]
    while ahead and len(tree.functions) < 40:
        bus, depth = ahead.pop()
        below = []
        for dev in draw(st.sets(st.integers(0, 4), min_size=1, max_size=3)):
            count = draw(st.sampled_from((1, 1, 2, 3)))
            for fn in range(count):
                facts = {"acs": draw(acs_bits()), "mf": count > 1}
                name = f"{bus.number}-{dev}-{fn}"
                if depth < 4 and draw(st.booleans()):
                    kind = draw(st.sampled_from(BRIDGES))
                    below.append((tree.bridge(name, bus, dev, fn, type=kind, **facts), depth + 1))  # type: ignore[arg-type]
                else:
                    leaf = tree.add(name, bus, dev, fn, type=draw(st.sampled_from(LEAVES)), **facts)  # type: ignore[arg-type]
                    if draw(st.integers(0, 9)) == 0:
                        leaf.aliases = (draw(st.integers(0, 39)),)
                    if draw(st.integers(0, 9)) == 0:
                        leaf.acs_quirk = "isolated"
                    if leaf.pcie_type == 0 and draw(st.integers(0, 9)) == 0:
                        tree.virtual(f"{name}-vf", leaf, bus, 0x80 | dev << 3 | fn)
        ahead += below[::-1]
    return tree


@settings(max_examples=40, deadline=None)
@given(trees())
def test_groups_are_a_partition(tree: PciTree) -> None:
    for algorithm in ALGORITHMS:
        grouping = algorithm(tree.functions)
        members = [member for group in grouping.groups for member in group.members]
        assert sorted(f.page for f in members) == sorted(f.page for f in tree.functions)
        assert all(grouping.of(member) is group for group in grouping.groups for member in group.members)
        assert all(group.reasons for group in grouping.groups)


@settings(max_examples=40, deadline=None)
@given(trees(), st.integers(0, 0xFFFF))
def test_groups_do_not_depend_on_names_and_segments(tree: PciTree, segment: int) -> None:
    before = [pages(algorithm(tree.functions)) for algorithm in ALGORITHMS]
    names = {function.page: str(number) for number, function in enumerate(reversed(tree.functions))}
    for function in tree.functions:
        function.page = names[function.page]
        function.bus.segment = segment
        function.vendor, function.device = 0x8086, 0x1533
    after = [pages(algorithm(tree.functions)) for algorithm in ALGORITHMS]
    renamed = [{frozenset(names[name] for name in group) for group in groups} for groups in before]
    assert renamed == after


@settings(max_examples=40, deadline=None)
@given(trees(), st.data())
def test_groups_only_grow_when_an_acs_bit_is_taken_away(tree: PciTree, data: st.DataObject) -> None:
    having = [f for f in tree.functions if f.acs is not None and f.acs[1]]
    if not having:
        return
    before = [algorithm(tree.functions) for algorithm in (linux_groups, safe_groups)]
    function = data.draw(st.sampled_from(having))
    assert function.acs is not None
    capability, control = function.acs
    bit = data.draw(st.sampled_from([None, *(bit for bit in (*BITS, 0x02) if bit & control)]))
    function.acs = None if bit is None else (capability, control & ~bit)
    after = [algorithm(tree.functions) for algorithm in (linux_groups, safe_groups)]
    assert all(is_coarser(coarse, fine) for coarse, fine in zip(after, before, strict=True))


@settings(max_examples=40, deadline=None)
@given(trees())
def test_the_safe_partition_is_never_finer_than_linux(tree: PciTree) -> None:
    assert is_coarser(safe_groups(tree.functions), linux_groups(tree.functions))


@settings(max_examples=40, deadline=None)
@given(trees())
def test_drivers_are_offered_each_function_once(tree: PciTree) -> None:
    order = bind_order(tree.functions)
    assert sorted(map(id, order)) == sorted(map(id, tree.functions))


def full_segment(buses: int, port: tuple[int, int] | None) -> list[Function]:
    """Root ports on bus 0, the last 31 functions of which stay leaves; each other bus is full."""
    tree = PciTree()
    below = [
        tree.bridge(f"rp{slot}", tree.root, slot >> 3, slot & 7, acs=port, mf=True) for slot in range(buses)
    ]
    for bus in below:
        for devfn in range(256):
            tree.add(f"{bus.number}-{devfn}", bus, devfn >> 3, devfn & 7, mf=True)
    return tree.functions


@pytest.mark.parametrize("port", [None, FULL], ids=["open", "isolating"])
def test_a_full_segment(port: tuple[int, int] | None, capsys: pytest.CaptureFixture[str]) -> None:
    functions = full_segment(255, port)
    for algorithm in ALGORITHMS:
        start = time.perf_counter()
        grouping = algorithm(functions)
        seconds = time.perf_counter() - start
        with capsys.disabled():
            print(f"\n{grouping.algorithm}: {len(functions)} functions in {seconds:.2f} s", end="")
        assert len(functions) == sum(len(group.members) for group in grouping.groups)
