"""BARs and windows: linux.md §4.8. Every placed resource is judged by the rules, not by our
algorithm: inside its windows all the way up, aligned, apart from its neighbours."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dom0_boots import ECAM, Node, dt_boot
from tests.hardware_images import Image, Page, Tree, endpoint, root_port

from rootplex.report.causes import unplaced
from rootplex.simulator.function import Bar, Function
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.linux.state import Dom0State

MEM32 = (0x02000000, 0x1000_0000, 0x1000_0000, 0x1000_0000)
MEM64 = (0x43000000, 0x80_0000_0000, 0x80_0000_0000, 0x10_0000_0000)
IO = (0x01000000, 0, 0x3000_0000, 0x1_0000)


def place(tree: Tree, *ranges: tuple[int, int, int, int], **options: Any) -> tuple[Dom0State, Hardware]:
    hardware = Image().bridge(base=ECAM).tree(tree).hardware()
    return dt_boot([Node(ranges=ranges or (MEM32,))], hardware, **options), hardware


def bar(state: Dom0State, page: str, index: int = 0) -> Bar:
    function = next(function for function in state.functions if function.page == page)
    return next(bar for bar in function.bars if bar.index == index)


def window(hardware: Hardware, function: Function, kind: str) -> tuple[int, int]:
    """A bridge's window as its registers stand (PCI-to-PCI Bridge 1.2 §3.2.5)."""
    base = ECAM + (function.bus.number << 20 | function.devfn << 12)
    if kind == "io":
        value = hardware.read(base + 0x1C, 2)
        return (value & 0xF0) << 8, (value & 0xF000) | 0xFFF
    value = hardware.read(base + (0x20 if kind == "mem" else 0x24), 4)
    low, high = (value & 0xFFF0) << 16, value & 0xFFF00000 | 0xFFFFF
    if kind == "pref":
        low |= hardware.read(base + 0x28, 4) << 32
        high |= hardware.read(base + 0x2C, 4) << 32
    return low, high


def test_bars_are_written_to_the_hardware() -> None:
    page = endpoint().bar(0, 1 << 20).bar(2, 1 << 24, kind=0xC).bar(4, 256, kind=1)
    state, hardware = place([("f", 0, page)], MEM32, MEM64, IO)
    assert bar(state, "f", 0).pci == hardware.read(ECAM + 0x10, 4) == 0x1000_0000
    assert hardware.read(ECAM + 0x18, 4) == 0xC
    assert hardware.read(ECAM + 0x1C, 4) == 0x80
    assert bar(state, "f", 2).cpu == 0x80_0000_0000
    assert bar(state, "f", 4).cpu == 0x1000, "a logical port, not below 0x1000"
    assert not state.unplaced


def test_largest_alignment_first() -> None:
    tree: Tree = [("small", 0, endpoint().bar(0, 4096)), ("large", 8, endpoint().bar(0, 1 << 20))]
    state, _ = place(tree)
    assert bar(state, "large").pci == 0x1000_0000
    assert bar(state, "small").pci == 0x1010_0000


def test_plain_memory_never_goes_into_a_prefetchable_window() -> None:
    state, _ = place([("f", 0, endpoint().bar(0, 4096, kind=4))], MEM64)
    assert [(unplaced.function.page, unplaced.bar.index) for unplaced in state.unplaced] == [("f", 0)]
    assert bar(state, "f").pci is None


def test_32_bit_bars_stay_below_4_gib() -> None:
    high = (0x02000000, 0x1_0000_0000, 0x1_0000_0000, 1 << 30)
    state, _ = place([("f", 0, endpoint().bar(0, 4096).bar(2, 4096, kind=4))], high)
    assert [unplaced.bar.index for unplaced in state.unplaced] == [0]
    assert bar(state, "f", 2).pci == 0x1_0000_0000


def test_64_bit_bars_prefer_high_addresses() -> None:
    high = (0x02000000, 0x1_0000_0000, 0x1_0000_0000, 1 << 30)
    state, _ = place([("f", 0, endpoint().bar(0, 4096, kind=4))], MEM32, high)
    assert bar(state, "f").pci == 0x1_0000_0000


def test_bus_and_cpu_addresses_differ_by_the_windows_offset() -> None:
    state, _ = place([("f", 0, endpoint().bar(0, 4096))], (0x02000000, 0x1000_0000, 0x50_0000_0000, 1 << 20))
    assert (bar(state, "f").pci, bar(state, "f").cpu) == (0x1000_0000, 0x50_0000_0000)


def test_windows_that_are_too_small_are_reported_by_bar() -> None:
    tree: Tree = [
        ("rp", 0, root_port(), [("big", 0, endpoint().bar(0, 1 << 28))]),
        ("rp2", 8, root_port(), [("ok", 0, endpoint().bar(0, 4096))]),
    ]
    state, _ = place(tree, (0x02000000, 0x1000_0000, 0x1000_0000, 0x20_0000))
    assert [each.function.page for each in state.unplaced] == ["big"]
    assert "0x10000000 bytes of memory below 4 GiB" in unplaced(state.unplaced[0])
    assert bar(state, "ok").pci is not None


def test_optional_parts_give_way() -> None:
    """ROMs and VF BARs are dropped before a BAR is."""
    tree: Tree = [
        ("a", 0, endpoint().bar(0, 1 << 20).rom(1 << 20)),
        ("b", 8, endpoint().bar(0, 1 << 20)),
    ]
    state, _ = place(tree, (0x02000000, 0x1000_0000, 0x1000_0000, 2 << 20))
    assert [(unplaced.function.page, unplaced.bar.index) for unplaced in state.unplaced] == [("a", 6)]


def test_host_bridge_functions_and_classless_ones_are_left_alone() -> None:
    tree: Tree = [
        ("host", 0, Page(class_code=0x060000).bar(0, 4096)),
        ("none", 8, Page(class_code=0).bar(0, 4096)),
    ]
    state, _ = place(tree)
    assert [bar(state, name).pci for name in ("host", "none")] == [None, None]
    assert not state.unplaced


def test_probe_only_keeps_what_firmware_placed() -> None:
    """§1.8: kept; the rest is assigned, but not by 6.1."""
    kept = endpoint().bar(0, 1 << 20)
    kept.put(0x10, 4, 0x1080_0000, 0xFFF0_0000)
    tree: Tree = [("kept", 0, kept), ("new", 8, endpoint().bar(0, 1 << 20))]
    chosen = "linux,pci-probe-only = <1>;"
    state, _ = place(tree, chosen=chosen)
    assert (bar(state, "kept").cpu, bar(state, "new").cpu) == (0x1080_0000, 0x1000_0000)
    state, _ = place(tree, chosen=chosen, kernel="linux-6.1")
    assert (bar(state, "kept").cpu, bar(state, "new").cpu) == (0x1080_0000, None)
    state, _ = place(tree)
    assert (bar(state, "kept").cpu, bar(state, "new").cpu) == (0x1000_0000, 0x1010_0000)


def test_vf_bars_are_sized_for_all_vfs() -> None:
    """linux.md §4.7: the PF reserves size x TotalVFs; each VF has its slice."""
    pf = endpoint().sriov(total=4, offset=1, stride=1, enabled=2)
    pf.put(pf.sriov_at + 0x24, 4, 0, 0xFFFF_C000)
    image = Image().bridge(base=ECAM).function("pf", pf)
    for index in range(4):
        image.function(f"vf{index}", endpoint().virtual(), vf_of="pf", vf_index=index)
    image.function("other", endpoint().bar(0, 1 << 16), devfn=8)
    state = dt_boot([Node()], image.hardware())
    assert [function.page for function in state.functions] == ["pf", "other", "vf0", "vf1"]
    base = bar(state, "pf", 7).pci
    assert base is not None
    assert bar(state, "pf", 7).size == 0x4000
    assert [bar(state, f"vf{index}").pci for index in range(2)] == [base, base + 0x4000]
    other = bar(state, "other").pci
    assert other is not None
    assert not base < other + (1 << 16) <= base + 0x1_0000


BARS = st.lists(
    st.tuples(st.sampled_from([0, 4, 8, 0xC, 1]), st.integers(12, 26)).map(
        lambda entry: (entry[0], 1 << (entry[1] % 5 + 4 if entry[0] == 1 else entry[1]))
    ),
    max_size=3,
)


def tree_of(shape: Any, path: str = "f") -> Tree:
    tree: Tree = []
    for index, (bars, below) in enumerate(shape):
        name = f"{path}.{index}"
        page = Page().bridge() if below is not None else endpoint()
        for position, (kind, size) in enumerate(bars[: 1 if below is not None else 3]):
            page.bar(2 * position, size, kind)
        entry: Any = (name, index << 3, page)
        tree.append(entry if below is None else (*entry, tree_of(below, name)))
    return tree


LEAF = st.tuples(BARS, st.none())
SHAPES = st.lists(
    LEAF | st.tuples(BARS, st.lists(LEAF | st.tuples(BARS, st.lists(LEAF, max_size=2)), max_size=3)),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(SHAPES)
def test_whatever_is_placed_keeps_the_rules(shape: Any) -> None:
    state, hardware = place(tree_of(shape), MEM32, MEM64, IO)
    taken: dict[str, list[tuple[int, int]]] = {"io": [], "mem": []}
    for function in state.functions:
        for entry in function.bars:
            if entry.pci is None:
                assert any(entry is unplaced.bar for unplaced in state.unplaced)
                continue
            first, last = entry.pci, entry.pci + entry.size - 1
            assert first % entry.size == 0
            assert entry.space == "mem64" or last < 1 << 32
            space = "io" if entry.space == "io" else "mem"
            assert all(last < low or high < first for low, high in taken[space])
            taken[space].append((first, last))
            above = function.bus.bridge
            while above is not None:
                kinds = ["io"] if space == "io" else ["mem", "pref"] if entry.prefetchable else ["mem"]
                windows = [window(hardware, above, kind) for kind in kinds]
                assert any(low <= first and last <= high for low, high in windows)
                above = above.bus.bridge
