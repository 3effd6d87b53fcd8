"""Enumeration against linux.md §4 and its vectors §11.3, §11.4, §11.8."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dom0_boots import ECAM, Node, Willing, dt_boot
from tests.hardware_images import (
    ACS_FULL,
    DOWNSTREAM,
    PCIE_TO_PCI,
    UPSTREAM,
    Image,
    Page,
    Tree,
    endpoint,
    ids,
    root_port,
    switch_port,
)

from rootplex.simulator.function import Function
from rootplex.simulator.hardware import Hardware, read_image
from rootplex.simulator.inputs import Blob
from rootplex.simulator.linux.state import Dom0State


def scan(
    tree: Tree, *, node: Node | None = None, bridge: dict[str, Any] | None = None, **settings: Any
) -> Dom0State:
    hardware = Image().bridge(base=ECAM, **(bridge or {})).tree(tree).hardware()
    return dt_boot([node or Node()], hardware, **settings)


def addresses(state: Dom0State) -> dict[str, str]:
    return {function.page: function.sbdf.removeprefix("0000:") for function in state.functions}


def buses(state: Dom0State) -> dict[str, tuple[int | None, int | None]]:
    return {f.page: (f.secondary, f.subordinate) for f in state.functions if f.is_bridge}


def by_page(state: Dom0State, page: str) -> Function:
    return next(function for function in state.functions if function.page == page)


D0: Tree = [("A", 0, endpoint())]
DOWN: Tree = [("D0", 0, switch_port(DOWNSTREAM), D0), ("D1", 8, switch_port(DOWNSTREAM))]
SWITCH: Tree = [
    ("RP0", 0, root_port(), [("USP", 0, switch_port(UPSTREAM), DOWN)]),
    ("RP1", 8, root_port(), [("B", 0, endpoint())]),
]


def test_bus_numbers_of_a_switch() -> None:
    """§11.3, first vector."""
    assert buses(scan(SWITCH)) == {"RP0": (1, 4), "USP": (2, 4), "D0": (3, 3), "D1": (4, 4), "RP1": (5, 5)}


def test_bus_numbers_with_room_for_vfs() -> None:
    """§11.3, second vector: a PF that needs two more buses."""
    pf = endpoint().sriov(total=257, offset=0x100, stride=1)
    state = scan([("RP0", 0, root_port(), [("PF", 0, pf)]), ("RP1", 8, root_port())])
    assert buses(state) == {"RP0": (1, 3), "RP1": (4, 4)}


def test_vf_buses_are_reserved_on_a_root_bus_too() -> None:
    """§11.8: no VF enabled, and what is numbered after it still moves."""
    pf = Page().pcie(9).sriov(total=8, offset=0x100, stride=1)
    assert buses(scan([("PF", 0, pf), ("RP", 8, root_port())])) == {"RP": (2, 2)}


def test_vfs_of_an_enabled_pf() -> None:
    """§11.4, with firmware leaving 128 VFs on; VF64 is on a bus of its own."""
    pf = endpoint().sriov(total=128, offset=0x80, stride=2, enabled=128)
    image = Image().bridge(base=ECAM).tree([("rp", 0, root_port(), [("pf", 0, pf.ari())])])
    for index in range(128):
        image.function(f"vf{index}", endpoint().virtual().ari(), vf_of="pf", vf_index=index)
    state = dt_boot([Node()], image.hardware())
    found = addresses(state)
    assert found["pf"] == "01:00.0"
    expected = {"vf0": "01:10.0", "vf1": "01:10.2", "vf63": "01:1f.6", "vf64": "02:00.0", "vf127": "02:0f.6"}
    assert {name: found[name] for name in expected} == expected
    virtual = by_page(state, "vf64")
    assert (virtual.vendor, virtual.device) == (0x1234, 0x0101)
    assert virtual.bus.virtual
    assert virtual.bus.bridge is None
    assert virtual.physfn is by_page(state, "pf")
    assert virtual.parent is by_page(state, "rp")
    assert len(state.functions) == 130


def test_vfs_beyond_the_bus_range_are_not_enabled() -> None:
    pf = endpoint().sriov(total=128, offset=0x80, stride=2, enabled=128)
    node = Node(buses=(0, 1))
    state = scan([("rp", 0, root_port(), [("pf", 0, pf)])], node=node, bridge={"last_bus": 1})
    assert list(addresses(state)) == ["rp", "pf"]


@pytest.mark.parametrize(("offset", "stride"), [(0, 1), (1, 0)])
def test_vfs_without_offset_or_stride_are_given_up(offset: int, stride: int) -> None:
    state = scan([("pf", 0, Page().pcie(9).sriov(total=4, offset=offset, stride=stride))])
    assert by_page(state, "pf").sriov is None


def test_too_few_buses() -> None:
    """§11.8: ports get numbers beyond the range, and what is behind them vanishes."""
    tree: Tree = [(f"rp{n}", n << 3, root_port(), [(f"ep{n}", 0, endpoint())]) for n in range(4)]
    state = scan(tree, node=Node(buses=(0, 2)), bridge={"last_bus": 2})
    assert buses(state) == {"rp0": (1, 1), "rp1": (2, 2), "rp2": (3, 3), "rp3": (4, 4)}
    assert sorted(addresses(state)) == ["ep0", "ep1", "rp0", "rp1", "rp2", "rp3"]


def test_classes_that_contradict_the_header() -> None:
    """§11.8: a type 0 header of class 0604 reads class 0; 0, 0600 and 0607 stay."""
    classes = {"bridge": 0x060400, "none": 0, "host": 0x060000, "cardbus": 0x060700}
    tree: Tree = [(name, n << 3, Page(class_code=code)) for n, (name, code) in enumerate(classes.items())]
    state = scan(tree)
    assert {f.page: f.class_code for f in state.functions} == {**classes, "bridge": 0}


def test_unknown_header_is_ignored() -> None:
    page = Page()
    page.put(0x0E, 1, 3)
    state = scan([("odd", 0, page), ("good", 8, Page())])
    assert list(addresses(state)) == ["good"]


@pytest.mark.parametrize("id", [0xFFFFFFFF, 0, 0x0000FFFF, 0xFFFF0000, 0x01000001])
def test_ids_that_mean_nobody_is_there(id: int) -> None:
    page = Page()
    page.put(0, 4, id)
    assert scan([("x", 0, page)]).functions == []


def test_functions_of_a_slot() -> None:
    """Holes are allowed, function 0 must be there, header bit 7 decides."""
    many = Page().multifunction()
    tree: Tree = [
        ("0.0", 0, many), ("0.3", 3, Page()), ("0.7", 7, Page()),
        ("1.1", 9, many),
        ("2.0", 16, Page()), ("2.1", 17, Page()),
    ]  # fmt: skip
    state = scan(tree)
    assert list(addresses(state)) == ["0.0", "0.3", "0.7", "2.0"]
    assert by_page(state, "0.7").multifunction


def test_below_ports_only_device_0_is_asked() -> None:
    tree: Tree = [
        ("rp", 0, root_port(), [("rp.0", 0, endpoint()), ("rp.1", 8, endpoint())]),
        ("br", 8, Page().bridge().pcie(PCIE_TO_PCI), [("br.0", 0, Page()), ("br.1", 8, Page())]),
    ]
    assert sorted(addresses(scan(tree))) == ["br", "br.0", "br.1", "rp", "rp.0"]


def test_ari() -> None:
    """Next function comes from the capability; 255 can be reached; it needs the port's support."""
    functions: Tree = [
        ("f0", 0, endpoint().ari(next_function=5)),
        ("f5", 5, endpoint().ari(next_function=255)),
        ("f6", 6, endpoint().ari()),
        ("f255", 255, endpoint().ari()),
    ]
    state = scan([("rp", 0, root_port(ari=True), functions)])
    assert list(addresses(state)) == ["rp", "f0", "f5", "f255"]
    assert by_page(state, "f255").sbdf == "0000:01:1f.7"
    assert by_page(state, "rp").ari_forwarding
    state = scan([("rp", 0, root_port(ari=False), functions)])
    assert list(addresses(state)) == ["rp", "f0"]
    assert not by_page(state, "rp").ari_forwarding


def test_port_types_that_contradict_their_place() -> None:
    """§4.3."""
    tree: Tree = [
        ("rp", 0, root_port(), [("a", 0, switch_port(DOWNSTREAM), [("b", 0, switch_port(UPSTREAM))])]),
    ]
    state = scan(tree)
    assert by_page(state, "a").pcie_type == UPSTREAM
    assert by_page(state, "b").pcie_type == DOWNSTREAM


def test_capabilities() -> None:
    page = endpoint().msi(3).msix(33).ats().ari().pin(2, disintx=True)
    page.put(0x2C, 4, 0x1100_1AF4)
    function = by_page(scan([("rp", 0, root_port(), [("f", 0, page)])]), "f")
    assert (function.msi, function.msix, function.ats, function.ari) == (8, 33, True, True)
    assert (function.pin, function.disintx, function.subsystem) == (2, True, (0x1AF4, 0x1100))
    plain = by_page(scan([("f", 0, Page().pin(1))]), "f")
    assert (plain.pin, plain.disintx, plain.pcie_type, plain.config_size) == (1, False, None, 256)


def test_capability_list_in_a_ring_ends() -> None:
    page = endpoint()
    page.put(0x41, 1, 0x40)
    page.put(0x100, 4, 0x100 << 20 | 0x7)
    assert list(addresses(scan([("f", 0, page)]))) == ["f"]


def test_extended_space_ends_at_a_conventional_bridge() -> None:
    """§1.7: below a PCI bridge only 256 bytes pass."""
    tree: Tree = [("br", 0, Page().bridge().pcie(PCIE_TO_PCI), [("f", 0, endpoint().acs(ACS_FULL))])]
    function = by_page(scan(tree), "f")
    assert (function.config_size, function.acs) == (256, None)


def test_extended_space_that_repeats_the_header_is_none() -> None:
    page = endpoint()
    for offset in range(0x100, 0x1000, 0x100):
        page.put(offset, 4, page.get(0, 4))
    assert by_page(scan([("f", 0, page)]), "f").config_size == 256


def test_cam_has_256_bytes() -> None:
    node = Node(compatible="pci-host-cam-generic", size=16 << 20)
    bridge = {"kind": "cam", "size": 16 << 20}
    state = scan([("rp", 0, root_port(acs=ACS_FULL), [("f", 0, endpoint())])], node=node, bridge=bridge)
    assert list(addresses(state)) == ["rp", "f"]
    assert {f.config_size for f in state.functions} == {256}
    assert by_page(state, "rp").acs is None


Numbers = list[tuple[str, int, tuple[int, int, int]]]
FIRMWARE_NUMBERS: Numbers = [("a", 0, (0, 3, 5)), ("b", 8, (0, 0, 0)), ("c", 16, (0, 7, 8))]


def _numbered(values: Numbers) -> Tree:
    tree: Tree = []
    for name, devfn, (primary, secondary, subordinate) in values:
        page = root_port()
        page.put(0x18, 4, primary | secondary << 8 | subordinate << 16, 0xFFFFFF)
        tree.append((name, devfn, page, [(f"{name}.ep", 0, endpoint())]))
    return tree


def test_firmware_numbers_are_replaced_on_device_tree() -> None:
    assert buses(scan(_numbered(FIRMWARE_NUMBERS))) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}


def test_firmware_numbers_are_kept_with_probe_only() -> None:
    """§4.5: configured bridges first, the rest after the highest."""
    state = scan(_numbered(FIRMWARE_NUMBERS), chosen="linux,pci-probe-only = <1>;")
    assert buses(state) == {"a": (3, 5), "b": (9, 9), "c": (7, 8)}
    assert addresses(state)["b.ep"] == "09:00.0"


def test_firmware_numbers_are_kept_on_device_tree_by_6_12() -> None:
    """6.11 took the reassigning out (commit 7246a4520b4b), later kernels have it again; booted as a random
    topology (seed 2026, number 39) on 6.12.95, which kept its numbers, and on 7.2, which did not."""
    expected = {"linux-6.1": (2, 2), "linux-6.12.95": (9, 9), "linux-6.12": (2, 2), "linux-7.2": (2, 2)}
    found = {kernel: buses(scan(_numbered(FIRMWARE_NUMBERS), kernel=kernel))["b"] for kernel in expected}
    assert found == expected


@pytest.mark.parametrize("numbers", [(1, 3, 5), (0, 5, 3), (0, 0, 3)])
def test_broken_firmware_numbers_are_replaced(numbers: tuple[int, int, int]) -> None:
    state = scan(_numbered([("a", 0, numbers)]), chosen="linux,pci-probe-only = <1>;")
    assert buses(state) == {"a": (1, 1)}


def test_probe_only_in_the_node_keeps_no_bus_numbers() -> None:
    """§1.8: BARs are kept, buses still renumbered (LNX-59)."""
    node = Node(extra="linux,pci-probe-only = <1>;")
    state = scan(_numbered(FIRMWARE_NUMBERS), node=node)
    assert buses(state) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}
    assert state.root_bridges[0].preserve


def test_kept_bridges_share_their_spare_buses_with_hotplug_ports() -> None:
    """§4.5: a kept bridge with room, below it two hot-plug ports that firmware left unnumbered."""
    upper = switch_port(UPSTREAM)
    upper.put(0x18, 4, 0x00_09_02_01, 0xFFFFFF)
    port = root_port()
    port.put(0x18, 4, 0x00_09_01_00, 0xFFFFFF)
    hot = Page().bridge(hotplug=True).pcie(DOWNSTREAM)
    tree: Tree = [("rp", 0, port, [("up", 0, upper, [("h0", 0, hot), ("h1", 8, hot)])])]
    state = scan(tree, chosen="linux,pci-probe-only = <1>;")
    # available 7, shared by two: 3 each, less the bus itself: 2 behind each.
    assert buses(state) == {"rp": (1, 9), "up": (2, 9), "h0": (3, 5), "h1": (6, 8)}


def test_enhanced_allocation_fixes_bus_numbers() -> None:
    port = root_port()
    offset = port.capability(0x14, 8)
    port.put(offset + 4, 2, 0x07 | 0x09 << 8)
    state = scan([("rp", 0, port, [("ep", 0, endpoint())]), ("next", 8, root_port())])
    assert buses(state) == {"rp": (7, 9), "next": (10, 10)}
    assert addresses(state)["ep"] == "07:00.0"


def test_order_of_events() -> None:
    """§4.6: a bus is probed whole before any bridge on it is descended."""
    hardware = Image().bridge(base=ECAM).tree(SWITCH).hardware()
    state = dt_boot([Node()], hardware, hypervisor=Willing(hardware))
    added = [event.function.page for event in state.events if event.kind == "device-added" and event.function]
    assert added == ["RP0", "RP1", "USP", "D0", "D1", "A", "B"]
    kinds = [event.kind for event in state.events]
    assert kinds[:3] == ["bridge-up", "bridge-registered", "bus-added"]


@pytest.mark.parametrize(
    ("kernel", "first", "second"),
    [("linux-7.2", 0x1D, 0x1D), ("linux-6.12", 0, 0x1D), ("linux-6.1", 0, 0x1D)],
)
def test_when_acs_is_switched_on(kernel: str, first: int, second: int) -> None:
    """§10: before 7.0 on device tree, only from the second host bridge on."""
    image = Image()
    nodes = []
    for number in range(2):
        base, window = ECAM + (number << 28), 0x1000_0000 * (number + 1)
        image.bridge(f"h{number}", base=base)
        image.function(f"rp{number}", root_port(acs=ACS_FULL), bridge=f"h{number}")
        ranges = ((0x02000000, window, window, 0x1000_0000),)
        nodes.append(Node(name=f"n{number}", base=base, domain=number, ranges=ranges))
    state = dt_boot(nodes, image.hardware(), kernel=kernel)
    assert [f.acs for f in state.functions] == [(ACS_FULL, first), (ACS_FULL, second)]


def test_acs_needs_a_driver_on_the_first_bridge() -> None:
    """§10: where nothing behind the first bridge has a driver, the second has no ACS either."""
    image = Image().bridge("h0", base=ECAM).bridge("h1", base=ECAM + (1 << 28))
    image.function("ep", endpoint(), bridge="h0").function("rp", root_port(acs=ACS_FULL), bridge="h1")
    nodes = [
        Node(name="x", domain=0),
        Node(
            name="y",
            domain=1,
            base=ECAM + (1 << 28),
            ranges=((0x02000000, 0x40000000, 0x40000000, 0x10000000),),
        ),
    ]
    assert by_page(dt_boot(nodes, image.hardware(), kernel="linux-6.12"), "rp").acs == (ACS_FULL, 0)


def test_acs_from_the_command_line() -> None:
    """`__pci_config_acs`: forced bits, the right-most character is bit 0; the others are firmware's, 0 here.
    6.1 does not know config_acs (booted: h074)."""
    tree: Tree = [("rp", 8, root_port(acs=ACS_FULL))]
    chosen = 'bootargs = "quiet pci=nomsi,config_acs=xxxxx1x@0000:00:01.0";'
    assert by_page(scan(tree, chosen=chosen), "rp").acs == (ACS_FULL, 0x02)
    assert by_page(scan(tree, chosen=chosen, kernel="linux-6.1"), "rp").acs == (ACS_FULL, 0)


@pytest.mark.parametrize(
    ("device", "named"),
    [
        ("pci:1234:0104", True),
        ("pci:0:0104", True),
        ("pci:1234:0105", False),
        ("pci:1234:0104:1:0", False),
        ("0:00:01.0", True),
        ("00:02.0;00:01.0", True),
        ("nonsense;00:01.0", False),
        ("00:01.0/00.0", False),
    ],
)
def test_what_disable_acs_redir_names(device: str, named: bool) -> None:
    """`pci_dev_str_match`. Since 6.11 the rest is firmware's; before, it is what the kernel switched on."""
    tree: Tree = [("rp", 8, root_port(acs=ACS_FULL))]
    chosen = f'bootargs = "pci=disable_acs_redir={device}";'
    assert by_page(scan(tree, chosen=chosen), "rp").acs == (ACS_FULL, 0 if named else 0x1D)


def test_a_device_is_named_by_the_way_to_it() -> None:
    function = Page().pcie(0).multifunction().acs(0x5F)
    tree: Tree = [("rp", 8, root_port(), [("ep", 0, function)])]
    chosen = 'bootargs = "pci=config_acs=1@00:01.0/0.0";'
    assert by_page(scan(tree, chosen=chosen), "ep").acs == (0x5F, 0x01)


def test_external_facing_port_blocks_translated_requests() -> None:
    """The port alone: what is behind it is untrusted on x86 only (`arch_pci_dev_is_removable`)."""
    node = Node(children="pcie@8,0 { reg = <0x800 0 0 0 0>; external-facing; };")
    tree: Tree = [("rp", 8, root_port(acs=ACS_FULL), [("dev", 0, Page().pcie(0).multifunction().acs(0x5F))])]
    state = scan(tree, node=node)
    assert by_page(state, "rp").acs == (ACS_FULL, 0x1F)
    assert by_page(state, "dev").acs == (0x5F, 0x1D)


def test_a_downstream_port_may_face_outward() -> None:
    """By the way to its node, not by a bus number."""
    inner = "pcie@0,0 { reg = <0 0 0 0 0>; pcie@1,0 { reg = <0x800 0 0 0 0>; external-facing; }; };"
    node = Node(children=f"pcie@8,0 {{ reg = <0x800 0 0 0 0>; {inner} }};")
    ports: Tree = [(f"d{n}", n << 3, switch_port(DOWNSTREAM, ACS_FULL)) for n in range(2)]
    tree: Tree = [("rp", 8, root_port(acs=ACS_FULL), [("up", 0, switch_port(UPSTREAM), ports)])]
    state = scan(tree, node=node)
    assert [by_page(state, page).acs for page in ("rp", "d0", "d1")] == [
        (ACS_FULL, 0x1D),
        (ACS_FULL, 0x1D),
        (ACS_FULL, 0x1F),
    ]


def test_older_kernels_know_too_late_that_a_port_faces_outward() -> None:
    """Booted with 6.1 and 6.12, on the second of two host bridges: 0x1d."""
    image = Image().bridge("h0", base=ECAM).bridge("h1", base=ECAM + (1 << 28))
    image.function("a", root_port(), bridge="h0").function("rp", root_port(acs=ACS_FULL), bridge="h1")
    ranges = ((0x02000000, 0x40000000, 0x40000000, 0x10000000),)
    outward = "pcie@0,0 { reg = <0 0 0 0 0>; external-facing; };"
    nodes = [
        Node(name="x", domain=0),
        Node(name="y", domain=1, base=ECAM + (1 << 28), ranges=ranges, children=outward),
    ]
    found = {
        kernel: by_page(dt_boot(nodes, image.hardware(), kernel=kernel), "rp").acs
        for kernel in ("linux-7.2", "linux-6.12", "linux-6.1")
    }
    assert found == {
        "linux-7.2": (ACS_FULL, 0x1F),
        "linux-6.12": (ACS_FULL, 0x1D),
        "linux-6.1": (ACS_FULL, 0x1D),
    }


def test_without_ats_translated_requests_are_blocked_everywhere() -> None:
    state = scan([("rp", 8, root_port(acs=ACS_FULL))], chosen='bootargs = "pci=noats";')
    assert by_page(state, "rp").acs == (ACS_FULL, 0x1F)


def test_bus_0x100_is_bus_0_again() -> None:
    """Booted with 7.2 (h060, h063, h078): the kernel's stack overflows."""
    numbered = root_port()
    numbered.put(0x18, 4, 0x00FF0100, writable=0xFFFFFF)
    tree: Tree = [("rp", 8, numbered), ("more", 16, root_port())]
    state = scan(tree, chosen="linux,pci-probe-only = <1>;")
    assert state.died is not None
    assert (state.died.kind, state.died.number) == ("endless-scan", 0x100)
    assert state.died.bridge is by_page(state, "more")


def test_buses_go_around_where_no_bus_0_is() -> None:
    """A host bridge of buses 0xf0-0xff: bus 0x100 is new, and nothing answers there."""
    numbered = root_port()
    numbered.put(0x18, 4, 0x00FFF1F0, writable=0xFFFFFF)
    tree: Tree = [("rp", 8, numbered), ("more", 16, root_port(), [("ep", 0, endpoint())])]
    node = Node(buses=(0xF0, 0xFF))
    bridge = {"first_bus": 0xF0, "last_bus": 0xFF}
    state = scan(tree, node=node, bridge=bridge, chosen="linux,pci-probe-only = <1>;")
    assert state.died is None
    assert buses(state) == {"rp": (0xF1, 0xFF), "more": (0, 0)}
    assert [bus.start for bus in state.buses] == [0xF0, 0xF1, 0x100]


@pytest.mark.parametrize(
    ("total", "offset", "last"), [(255, 0x100, 0xFF), (1, 0xFF00, 1), (288, 0x100, 0xFF)]
)
def test_the_last_bus_of_vfs_is_kept_in_8_bits(total: int, offset: int, last: int) -> None:
    """`max_VF_buses` is a u8, and goes down from all VFs to one: bus 0x100 counts as 0 (h078)."""
    pf = endpoint().sriov(total=total, offset=offset, stride=0x100)
    assert buses(scan([("rp", 8, root_port(), [("pf", 0, pf)])])) == {"rp": (1, last)}


def test_a_bus_that_two_bridges_lead_to_is_scanned_again() -> None:
    """Booted with 7.2 (h070): what the second shows there belongs to the bus as it was made first."""
    numbered = root_port()
    numbered.put(0x18, 4, 0x00020100, writable=0xFFFFFF)
    up, down = switch_port(UPSTREAM), switch_port(DOWNSTREAM)
    tree: Tree = [
        ("rp1", 8, numbered, [("up", 0, up, [("down", 0, down, [("ep1", 0, endpoint())])])]),
        ("rp2", 16, root_port(), [("ep2", 0, endpoint())]),
    ]
    state = scan(tree, chosen="linux,pci-probe-only = <1>;")
    assert buses(state) == {"rp1": (1, 2), "up": (2, 3), "down": (3, 3), "rp2": (3, 3)}
    found = by_page(state, "ep2")
    assert (found.sbdf, found.parent) == ("0000:03:00.0", by_page(state, "down"))
    assert "ep1" not in addresses(state)


def test_a_hot_plug_port_is_given_the_buses_that_the_command_line_says() -> None:
    """`pci=hpbussize=` (h071); what is no number is 0, too large is the default."""
    tree: Tree = [("rp", 8, root_port(hotplug=True)), ("more", 16, root_port())]
    expected = {"3": (1, 3), "0x10": (1, 0x10), "010": (1, 8), "0x100": (1, 1), "1": (1, 1)}
    chosen = 'bootargs = "pci=hpbussize={}";'
    found = {text: buses(scan(tree, chosen=chosen.format(text)))["rp"] for text in expected}
    assert found == expected


def test_all_devices_below_a_port_are_looked_for_where_the_command_line_says_so() -> None:
    """`pci=pcie_scan_all` (h072)."""
    tree: Tree = [("rp", 8, root_port(), [("ep", 0, endpoint()), ("odd", 3 << 3, endpoint())])]
    assert "odd" not in addresses(scan(tree))
    assert addresses(scan(tree, chosen='bootargs = "pci=pcie_scan_all";'))["odd"] == "01:03.0"


def test_ari_is_left_alone_where_the_command_line_says_so() -> None:
    """`pci=noari` (h073)."""
    tree: Tree = [
        (
            "rp",
            8,
            root_port(ari=True),
            [("ep", 0, endpoint().ari(next_function=9)), ("ep9", 9, endpoint().ari())],
        )
    ]
    assert "ep9" in addresses(scan(tree))
    assert "ep9" not in addresses(scan(tree, chosen='bootargs = "pci=noari";'))


def trees(depth: int = 3) -> st.SearchStrategy[list[Any]]:
    """Random trees: each entry is (port?, [below])."""
    leaf = st.just(("ep",))
    if depth == 0:
        return st.lists(leaf, max_size=3)
    node = st.one_of(leaf, st.tuples(st.sampled_from(["rp", "pci"]), st.deferred(lambda: trees(depth - 1))))
    return st.lists(node, max_size=3)


def build(shape: list[Any], path: str = "") -> Tree:
    tree: Tree = []
    for index, entry in enumerate(shape):
        name = f"{path}/{index}"
        if entry[0] == "ep":
            tree.append((name, index << 3, endpoint().bar(0, 4096)))
        else:
            page = root_port() if entry[0] == "rp" else Page().bridge().pcie(PCIE_TO_PCI)
            below = entry[1][:1] if entry[0] == "rp" else entry[1]
            tree.append((name, index << 3, page, build(below, name)))
    return tree


def preorder(tree: Tree, number: list[int]) -> dict[str, tuple[int, int]]:
    """What depth-first numbering in (device, function) order gives."""
    found: dict[str, tuple[int, int]] = {}
    for id, _, _, *below in tree:
        if below:
            number[0] += 1
            secondary = number[0]
            found |= preorder(below[0], number)
            found[id] = (secondary, number[0])
    return found


@settings(max_examples=60, deadline=None)
@given(trees())
def test_every_function_once_in_preorder(shape: list[Any]) -> None:
    tree = build(shape)
    state = scan(tree)
    assert sorted(function.page for function in state.functions) == sorted(ids(tree))
    assert buses(state) == preorder(tree, [0])
    rids = [function.rid for function in state.functions]
    assert len(set(rids)) == len(rids)
    assert state.died is None


@settings(max_examples=40, deadline=None)
@given(trees(2), st.integers(0, 255), st.integers(0, 255), st.sampled_from([1, 2, 4]))
def test_all_ones_where_nothing_is(shape: list[Any], bus: int, devfn: int, size: int) -> None:
    hardware = Image().bridge(base=ECAM).tree(build(shape)).hardware()
    state = dt_boot([Node()], hardware)
    there = {function.rid for function in state.functions}
    value = hardware.read(ECAM + (bus << 20 | devfn << 12), size)
    assert (value == (1 << 8 * size) - 1) == (bus << 8 | devfn not in there)


def test_bridges_that_firmware_gave_one_number_are_scanned_once() -> None:
    """Many bridges a bus, all with the same secondary bus, many levels deep: no blow-up."""
    tree: Tree = [("leaf", 0, Page())]
    for level in reversed(range(12)):
        page = Page().bridge().multifunction()
        page.put(0x18, 4, level | (level + 1) << 8 | 0xFF << 16, 0xFFFFFF)
        tree = [(f"{level}.{fn}", fn, page, tree if fn == 0 else []) for fn in range(8)]
    state = scan(tree, chosen="linux,pci-probe-only = <1>;")
    assert len(state.functions) == 12 * 8 + 1
    assert len(state.buses) == 13


def test_enhanced_allocation_that_leads_back_ends() -> None:
    port = root_port()
    offset = port.capability(0x14, 8)
    port.put(offset + 4, 2, 0x01 | 0x09 << 8)
    inner = switch_port(UPSTREAM)
    offset = inner.capability(0x14, 8)
    inner.put(offset + 4, 2, 0x01 | 0x09 << 8)
    assert list(addresses(scan([("rp", 0, port, [("up", 0, inner)])]))) == ["rp", "up"]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(["", "linux,pci-probe-only = <1>;"]))
def test_any_registers_come_to_an_end(data: st.DataObject, chosen: str) -> None:
    """Whatever the hardware says, Dom0 boots: no exception, every address once, in bounded time."""
    config, pages = Image().bridge(base=ECAM).tree(SWITCH).blobs()
    raw = bytearray(pages.data)
    interesting = [
        0x06,
        0x09,
        0x0A,
        0x0B,
        0x0E,
        0x18,
        0x19,
        0x1A,
        0x34,
        *range(0x40, 0x80),
        *range(0x100, 0x110),
    ]
    for _ in range(data.draw(st.integers(1, 12))):
        page = data.draw(st.integers(0, len(raw) // 8192 - 1))
        offset = data.draw(st.sampled_from(interesting)) + data.draw(st.sampled_from([0, 4096]))
        raw[page * 8192 + offset] = data.draw(st.integers(0, 255))
    hardware = Hardware(read_image(config, Blob("config.bin", bytes(raw))))
    state = dt_boot([Node()], hardware, chosen=chosen)
    assert state.died is None
    rids = [function.rid for function in state.functions]
    assert len(set(rids)) == len(rids)
    assert hardware.bridges["h0"].counters.reads < 20_000


def test_the_deepest_chain() -> None:
    """255 bridges one below the other: every bus of a segment."""
    tree: Tree = [("leaf", 0, endpoint().bar(0, 4096))]
    for level in range(255):
        tree = [(f"b{level}", 0, Page().bridge(), tree)]
    state = scan(tree)
    assert len(state.functions) == 256
    assert state.functions[-1].sbdf == "0000:ff:00.0"
    assert not state.unplaced
