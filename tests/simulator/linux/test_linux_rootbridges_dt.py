"""Host bridges from a device tree: linux.md §1 with its vectors §11.2, §11.7, and what Linux did
on the device trees of xen.md §12."""

from __future__ import annotations

import pytest
from tests.corpus.board_corpus import Corpus
from tests.dom0_boots import ECAM, MEMORY, Node, dt_boot
from tests.hardware_images import Image, endpoint, root_port
from tests.simulator.xen.xen_machines import case_text, tree_of

from rootplex.formats.devicetree import MapCells
from rootplex.readers.dtb import read_dtb
from rootplex.simulator.firmware.facts import dt_firmware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.boot import boot
from rootplex.simulator.linux.state import Dom0State
from rootplex.source.place import DtPlace


def bridge(name: str, slot: int, domain: int | None = None, **fields: object) -> Node:
    """A bridge with addresses of its own."""
    window = 0x1000_0000 * (slot + 1)
    arguments = {"ranges": ((0x02000000, window, window, 0x100_0000),), **fields}
    return Node(name=name, base=ECAM + (slot << 28), domain=domain, **arguments)  # type: ignore[arg-type]


def outcome(state: Dom0State) -> dict[str, int | None]:
    """Segment by node, or the (negative) errno of one that failed."""
    return {
        root.path.removeprefix("/pcie-"): root.segment if root.fault is None else root.fault.errno
        for root in state.root_bridges
    }


NEW, OLD = "linux-6.1", "linux-6.1-vanilla"
EEXIST, EINVAL, ENOSPC, EBUSY, ENODEV = -17, -22, -28, -16, -19


@pytest.mark.parametrize(
    ("nodes", "new", "old"),
    [
        (
            [bridge("a", 0), bridge("b", 1, 1), bridge("c", 2), bridge("d", 3)],
            {"a": 0, "b": 1, "c": 2, "d": 3},
            {"a": 0, "b": EINVAL, "c": 1, "d": 2},
        ),
        ([bridge("a", 0, 2), bridge("b", 1, 2)], {"a": 2, "b": ENOSPC}, {"a": 2, "b": EEXIST}),
        (
            [bridge("x", 0, 0, status="disabled"), bridge("a", 1), bridge("b", 2)],
            {"a": 1, "b": 2},
            {"a": 0, "b": 1},
        ),
        ([bridge("a", 0, 0x10003)], {"a": 3}, {"a": 3}),
        (
            [bridge("b", 0), bridge("a", 1, 0, device_type=None, ranges=())],
            {"b": 0, "a": EEXIST},
            {"b": 0, "a": EINVAL},
        ),
    ],
)
def test_domain_numbers(nodes: list[Node], new: dict[str, int], old: dict[str, int]) -> None:
    """§11.2, every row."""
    assert outcome(dt_boot(nodes, kernel=NEW)) == new
    assert outcome(dt_boot(nodes, kernel="linux-7.2")) == new
    assert outcome(dt_boot(nodes, kernel=OLD)) == old


def test_domain_fault_points_at_the_property() -> None:
    state = dt_boot([bridge("a", 0, 2), bridge("b", 1, 2)])
    fault = state.root_bridges[1].fault
    assert fault is not None
    assert fault.at == DtPlace("t.dtb", "/pcie-b", "linux,pci-domain", 0)


def test_probe_order_decides_automatic_numbers() -> None:
    nodes = [bridge("a", 0), bridge("b", 1)]
    assert outcome(dt_boot(nodes)) == {"a": 0, "b": 1}
    state = dt_boot(nodes, probe_order=("/pcie-b",))
    assert outcome(state) == {"b": 0, "a": 1}
    assert [root.path for root in state.root_bridges] == ["/pcie-b", "/pcie-a"]


def test_a_failed_bridge_gives_its_number_back() -> None:
    nodes = [bridge("a", 0, 0), bridge("b", 0), bridge("c", 2)]
    assert outcome(dt_boot(nodes)) == {"a": 0, "b": EBUSY, "c": 1}


def test_ecam_smaller_than_the_bus_range() -> None:
    """§11.7: 16 MiB for 0-0x3f: buses from 0x10 on are not reached, the bridge still owns 0-0x3f."""
    root = dt_boot([Node(buses=(0, 0x3F), size=16 << 20)]).root_bridges[0]
    assert (root.is_up, root.last_bus, root.effective_end) == (True, 0x3F, 0x0F)


def test_trimmed_buses_do_not_answer() -> None:
    image = Image().bridge(base=ECAM, last_bus=0x3F)
    for index in range(4):
        below = [(f"ep{index}", 0, endpoint())]
        image.tree([(f"rp{index}", index << 3, root_port(), below)])
    state = dt_boot([Node(buses=(0, 0x3F), size=3 << 20)], image.hardware())
    assert [function.page for function in state.functions] == ["rp0", "rp1", "rp2", "rp3", "ep0", "ep1"]


@pytest.mark.parametrize(
    ("buses", "kernel", "expected"),
    [
        (None, "linux-7.2", (0, 0xFF)),
        ((0, 0x1FF), "linux-7.2", (0, 0xFF)),
        ((0x10, 0x1FF), "linux-7.2", (0x10, 0xFF)),
        ((0x10, 0x1FF), "linux-6.12", (0x10, 0x10F)),
        ((0x10, 0x1FF), "linux-6.1", (0x10, 0x10F)),
    ],
)
def test_bus_range(buses: tuple[int, int] | None, kernel: str, expected: tuple[int, int]) -> None:
    """§1.3."""
    root = dt_boot([Node(buses=buses, size=256 << 20)], kernel=kernel).root_bridges[0]
    assert (root.first_bus, root.last_bus) == expected


@pytest.mark.parametrize(
    ("node", "errno", "slug", "property"),
    [
        (Node(buses=(0x20, 0x10), size=16 << 20), EINVAL, "bus-range-reversed", "bus-range"),
        (Node(reg=""), EINVAL, "config-missing", None),
        (Node(size=0), EBUSY, "config-empty", "reg"),
        (Node(base=MEMORY[0]), EBUSY, "config-clash", "reg"),
        (Node(ranges=((0x02000000, 0, MEMORY[0], 0x1000),)), EBUSY, "window-clash", "ranges"),
        (Node(base=0x1800_0000), EBUSY, "config-clash", "reg"),
        (Node(compatible="acme,unheard-of"), ENODEV, "no-driver", "compatible"),
    ],
)
def test_faults(node: Node, errno: int, slug: str, property: str | None) -> None:
    """§1.1, §1.6: what takes a bridge down, with its error number and place."""
    state = dt_boot([node])
    fault = state.root_bridges[0].fault
    assert fault is not None
    assert (fault.errno, fault.kind) == (errno, slug)
    assert isinstance(fault.at, DtPlace)
    assert (fault.at.node, fault.at.property) == ("/pcie-a", property)
    assert [event.kind for event in state.events] == ["bridge-failed"]


def test_windows_of_two_bridges_clash() -> None:
    nodes = [bridge("a", 0, 0), bridge("b", 1, 1, ranges=((0x02000000, 0, 0x1080_0000, 0x1000),))]
    state = dt_boot(nodes)
    assert outcome(state) == {"a": 0, "b": EBUSY}
    fault = state.root_bridges[1].fault
    assert fault is not None
    assert fault.other == DtPlace("t.dtb", "/pcie-a", "ranges", 0)


def test_disabled_nodes_are_not_probed() -> None:
    assert outcome(dt_boot([bridge("a", 0, status="disabled"), bridge("b", 1)])) == {"b": 0}


def test_contiguous_windows_are_one() -> None:
    """§1.4."""
    ranges = (
        (0x02000000, 0x1000_0000, 0x1000_0000, 0x100_0000),
        (0x02000000, 0x1100_0000, 0x1100_0000, 0x100_0000),
        (0x42000000, 0x1200_0000, 0x1200_0000, 0x100_0000),
        (0x01000000, 0, 0x3000_0000, 0x1_0000),
    )
    root = dt_boot([Node(ranges=ranges)]).root_bridges[0]
    assert [(w.space, w.cpu, w.size, w.prefetchable) for w in root.windows] == [
        ("mem", 0x1000_0000, 0x200_0000, False),
        ("mem", 0x1200_0000, 0x100_0000, True),
        ("io", 0x3000_0000, 0x1_0000, False),
    ]


def test_without_device_type_there_are_no_windows() -> None:
    root = dt_boot([Node(device_type=None)]).root_bridges[0]
    assert root.is_up
    assert root.windows == ()


def test_32_bit_kernel_cannot_reach_ecam_above_4_gib() -> None:
    """§1.6, LNX-13; with LPAE it can."""
    assert outcome(dt_boot([Node()], bits=32, arch="arm")) == {"a": EINVAL}
    assert outcome(dt_boot([Node()], bits=32, arch="arm", lpae=True)) == {"a": 0}
    assert outcome(dt_boot([Node(base=0x3000_0000)], bits=32, arch="arm")) == {"a": 0}


def test_32_bit_kernel_needs_the_bus_map_hook() -> None:
    """LNX-14."""
    node = Node(base=0x3000_0000, compatible="snps,dw-pcie-ecam")
    assert outcome(dt_boot([node], bits=32, arch="arm")) == {"a": EINVAL}
    assert outcome(dt_boot([node])) == {"a": 0}


def test_32_bit_kernel_maps_bus_by_bus() -> None:
    """§1.6: 1 MiB a bus that exists; with 3 MiB the fourth one is not reached."""
    base = 0x3000_0000
    image = Image().bridge(base=base)
    for index in range(4):
        image.tree([(f"rp{index}", index << 3, root_port(), [(f"ep{index}", 0, endpoint())])])
    hardware = image.hardware()
    state = dt_boot([Node(base=base)], hardware, bits=32, arch="arm", vmalloc=3 << 20)
    assert [f.page for f in state.functions] == ["rp0", "rp1", "rp2", "rp3", "ep0", "ep1"]
    state = dt_boot([Node(base=base)], image.hardware(), bits=32, arch="arm", vmalloc=5 << 20)
    assert len(state.functions) == 8


def test_abort_ends_the_boot() -> None:
    """ECAM where the hardware has none: the first access is an external abort."""
    image = Image().bridge(base=ECAM).function("f", endpoint())
    state = dt_boot([Node(base=ECAM + (1 << 30))], image.hardware())
    assert state.died is not None
    assert state.died.kind == "abort"


# What Linux said to the device trees of xen.md §12 (Debian 6.12 as Dom0): the segment of each
# bridge, or its errno.
CASES: dict[str, list[int]] = {
    "a": [0],
    "b": [5],
    "c": [0, ENOSPC],
    "c2": [0, 1],
    "c4": [9, 3],
    "d1": [0, ENOSPC],
    "d2": [0],
    "d5": [0],
    "d6": [EINVAL],
    "d9": [0],
    "d9b": [0, ENOSPC],
    "d10": [0xFFFF],
    "d12": [],
    "d14": [EINVAL],
    "d21": [0],
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_cases_of_a_real_linux(case: str) -> None:
    tree = tree_of(case_text(case))
    settings = Settings(arch="arm64", firmware="dt", kernel="linux-6.12")
    state = boot(dt_firmware(tree, MapCells.ONE), settings, None)
    assert list(outcome(state).values()) == CASES[case]


def test_case_d2_is_reduced_to_16_buses() -> None:
    state = boot(
        dt_firmware(tree_of(case_text("d2")), MapCells.ONE), Settings(arch="arm64", firmware="dt"), None
    )
    assert state.root_bridges[0].effective_end == 0x0F


def test_case_d7_finds_nothing() -> None:
    """Buses 0x100-0x10f: a bus number has 8 bits."""
    tree = tree_of(case_text("d7"))
    hardware = Image().bridge(base=0x40_1000_0000).function("f", endpoint()).hardware()
    settings = Settings(arch="arm64", firmware="dt", kernel="linux-6.12")
    state = boot(dt_firmware(tree, MapCells.ONE), settings, hardware)
    root = state.root_bridges[0]
    assert (root.first_bus, root.last_bus) == (0x100, 0x10F)
    assert state.functions == []
    assert state.died is None


# Faults that are really in these files.
BOARDS = {
    "zynqmp-zcu102-rev1.0": {"up"},
    "cn9132-clearfog": {"up"},
    "ac5x-rd-carrier-cn9131": {"window-clash"},
    "juno-r2": {"up"},
}


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_vendor_boards(board: str, corpus: Corpus) -> None:
    data = corpus(board).read_bytes()
    firmware = dt_firmware(read_dtb(data, f"{board}.dtb"), MapCells.TARGET)
    state = boot(firmware, Settings(arch="arm64", firmware="dt"), None)
    assert {(root.fault.kind if root.fault else "up") for root in state.root_bridges} == BOARDS[board]
    if board == "cn9132-clearfog":
        assert sorted(root.segment or 0 for root in state.root_bridges) == [0, 1, 2, 3, 4, 5, 6]
    if board == "zynqmp-zcu102-rev1.0":
        assert state.root_bridges[0].effective_end == 0x0F
