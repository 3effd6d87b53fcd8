"""The fabric behaves as the PCI specifications say, seen through its host bridges."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hardware_images import (
    DOWNSTREAM,
    ENDPOINT,
    UPSTREAM,
    Image,
    Page,
    endpoint,
    root_port,
    switch_port,
)

from rootplex.simulator.hardware import BusError, Hardware, read_image
from rootplex.simulator.inputs import Blob
from rootplex.source.finding import Unreadable

BASE = 0x40_0000_0000


def at(bus: int, devfn: int, register: int, base: int = BASE, first: int = 0) -> int:
    """ECAM address by PCIe 6.0 §7.2.2."""
    return base + ((bus - first) << 20) + (devfn << 12) + register


def number(hardware: Hardware, bus: int, devfn: int, secondary: int, subordinate: int) -> None:
    hardware.write(at(bus, devfn, 0x18), 4, bus | secondary << 8 | subordinate << 16)


def test_reads_by_byte_lanes() -> None:
    page = Page(vendor=0x1B36, device=0x000C)
    hardware = Image().bridge(base=BASE).function("f", page, devfn=0x10).hardware()
    assert hardware.read(at(0, 0x10, 0), 4) == 0x000C1B36
    assert hardware.read(at(0, 0x10, 2), 2) == 0x000C
    assert [hardware.read(at(0, 0x10, n), 1) for n in range(4)] == [0x36, 0x1B, 0x0C, 0x00]


def test_a_view_shows_the_same_functions_to_the_firmware_that_set_it_up() -> None:
    """Index and data registers at BASE; started with ACPI, bus 1 of an ECAM lies over them."""
    ecam = {"firmware": "acpi", "kind": "ecam", "base": BASE - (1 << 20), "size": 2 << 20, "first_bus": 0}
    image = Image().bridge(kind="windowed", base=BASE, size=1 << 20, views=[ecam | {"last_bus": 1}])
    image.function("rp", root_port(), devfn=8).function("nic", endpoint(vendor=0x8086), parent="rp")
    read = read_image(*image.blobs())
    by_dt, by_acpi = Hardware(read, "dt"), Hardware(read, "acpi")
    with pytest.raises(BusError):
        by_dt.read(at(0, 8, 0, BASE - (1 << 20)), 2)
    by_dt.write(BASE, 4, 8 << 12)
    assert by_dt.read(BASE + 4, 2) == 0x1234
    assert by_acpi.read(at(0, 8, 0, BASE - (1 << 20)), 2) == 0x1234
    by_acpi.write(at(0, 8, 0x18, BASE - (1 << 20)), 4, 0x010100)
    assert by_acpi.read(BASE, 2) == 0x8086
    assert by_acpi.page_at("h0", 1, 0) == "nic"
    found = by_acpi.bridge_at(BASE - (1 << 20))
    assert found is not None
    assert (found.image.kind, found.counters.reads) == ("ecam", 2)


def test_nothing_there_reads_all_ones_and_drops_writes() -> None:
    hardware = Image().bridge(base=BASE).function("f", Page()).hardware()
    for size, ones in ((1, 0xFF), (2, 0xFFFF), (4, 0xFFFFFFFF)):
        assert hardware.read(at(0, 8, 0), size) == ones
        assert hardware.read(at(7, 0, 0), size) == ones
    hardware.write(at(7, 0, 4), 2, 6)
    counters = hardware.bridges["h0"].counters
    assert (counters.reads, counters.writes, counters.missed, counters.refused) == (6, 1, 7, 0)


def test_outside_every_bridge_is_a_bus_error() -> None:
    hardware = Image().bridge(base=BASE, last_bus=3).function("f", Page()).hardware()
    with pytest.raises(BusError):
        hardware.read(BASE - 4, 4)
    with pytest.raises(BusError):
        hardware.read(BASE + (4 << 20), 4)
    with pytest.raises(BusError):
        hardware.write(0, 4, 0)
    with pytest.raises(BusError):
        hardware.read(BASE + 2, 4)


def test_eight_bytes_are_two_of_four_the_lower_first() -> None:
    """A processor may load and store 64 bits of ECAM; the fabric knows accesses of up to four bytes."""
    hardware = Image().bridge(base=BASE, last_bus=3).function("f", Page().bar(0, 16 << 10)).hardware()
    assert hardware.read(BASE, 8) == hardware.read(BASE, 4) | hardware.read(BASE + 4, 4) << 32
    seen: list[tuple[str, int, int, int]] = []
    hardware.tracer = lambda *access: seen.append(access)
    hardware.write(BASE + 0x10, 8, 0x1_FFFF_FFFF)
    assert seen == [("write", BASE + 0x10, 4, 0xFFFFFFFF), ("write", BASE + 0x14, 4, 1)]
    assert hardware.read(BASE + 0x10, 8) == 0xFFFFC000
    assert hardware.read(at(3, 0, 0), 8) == 0xFFFFFFFF_FFFFFFFF


@pytest.mark.parametrize(
    ("address", "size"), [(BASE + 4, 8), (BASE + 1, 8), (BASE, 3), (BASE, 16), (BASE, 0)]
)
def test_what_no_bus_carries_is_a_bus_error(address: int, size: int) -> None:
    hardware = Image().bridge(base=BASE, last_bus=3).function("f", Page()).hardware()
    with pytest.raises(BusError):
        hardware.read(address, size)
    with pytest.raises(BusError):
        hardware.write(address, size, 0)
    assert hardware.port_read(0xCFC, 8) == 0xFFFFFFFF_FFFFFFFF


def test_bar_sizing() -> None:
    """PCI Local Bus 3.0 §6.2.5.1: write ones, read back the size mask and the type bits."""
    page = Page().bar(0, 16 << 10).bar(2, 1 << 33, kind=0xC).bar(4, 32, kind=1)
    hardware = Image().bridge(base=BASE).function("f", page).hardware()
    bars = ((0x10, 0xFFFFC000, 0), (0x14, 0, 0), (0x18, 0, 0xC), (0x1C, 0xFFFFFFFE, 0), (0x20, 0xFFFFFFE0, 1))
    for register, mask, kind in bars:
        hardware.write(at(0, 0, register), 4, 0xFFFFFFFF)
        assert hardware.read(at(0, 0, register), 4) == mask | kind
        hardware.write(at(0, 0, register), 4, 0x1000_4000)
        assert hardware.read(at(0, 0, register), 4) == 0x1000_4000 & mask | kind


def test_write_one_to_clear_and_byte_lanes() -> None:
    page = Page()
    page.put(0x06, 2, 0xF910)
    page.w1c = [[6, 2, 0xF900]]
    hardware = Image().bridge(base=BASE).function("f", page).hardware()
    hardware.write(at(0, 0, 4), 2, 0xFFFF)
    assert hardware.read(at(0, 0, 4), 4) == 0xF910_0547
    hardware.write(at(0, 0, 7), 1, 0x80)
    assert hardware.read(at(0, 0, 6), 2) == 0x7910
    hardware.write(at(0, 0, 4), 4, 0xFFFF_0000)
    assert hardware.read(at(0, 0, 4), 4) == 0x0010_0000


def test_routes_by_the_bus_numbers_as_they_stand() -> None:
    tree = [
        (
            "rp",
            8,
            root_port(),
            [
                (
                    "up",
                    0,
                    switch_port(UPSTREAM),
                    [("down", 0, switch_port(DOWNSTREAM), [("ep", 0, endpoint())])],
                )
            ],
        )
    ]
    hardware = Image().bridge(base=BASE).tree(tree).hardware()
    assert hardware.page_at("h0", 1, 0) is None
    number(hardware, 0, 8, 1, 9)
    assert hardware.page_at("h0", 1, 0) == "up"
    assert hardware.page_at("h0", 2, 0) is None
    number(hardware, 1, 0, 2, 9)
    number(hardware, 2, 0, 3, 3)
    assert hardware.page_at("h0", 3, 0) == "ep"
    number(hardware, 0, 8, 1, 2)
    assert hardware.page_at("h0", 3, 0) is None, "the root port no longer forwards bus 3"
    hardware.write(at(0, 8, 0x19), 1, 5)
    hardware.write(at(0, 8, 0x1A), 1, 9)
    assert hardware.page_at("h0", 5, 0) == "up"
    assert hardware.page_at("h0", 1, 0) is None
    assert hardware.page_at_address(at(5, 0, 0)) == "up"


def test_virtual_functions_appear_while_enabled() -> None:
    """linux.md §11.4: PF 01:00.0, offset 0x80, stride 2."""
    image = Image().bridge(base=BASE)
    physical = endpoint().sriov(total=128, offset=0x80, stride=2)
    image.tree([("rp", 0, root_port(), [("pf", 0, physical)])])
    for index in range(128):
        image.function(f"vf{index}", endpoint().virtual(), vf_of="pf", vf_index=index)
    hardware = image.hardware()
    number(hardware, 0, 0, 1, 2)
    control = at(1, 0, physical.sriov_at)
    hardware.write(control + 0x10, 2, 100)
    assert hardware.page_at("h0", 1, 0x80) is None
    hardware.write(control + 8, 2, 1)
    expected = {0: (1, 0x10, 0), 1: (1, 0x10, 2), 63: (1, 0x1F, 6), 64: (2, 0, 0), 127: (2, 0x0F, 6)}
    for index, (bus, dev, fn) in expected.items():
        found = hardware.page_at("h0", bus, dev << 3 | fn)
        assert found == (f"vf{index}" if index < 100 else None)
    assert hardware.read(at(1, 0x80, 0), 4) == 0xFFFFFFFF
    hardware.write(control + 8, 2, 0)
    assert hardware.page_at("h0", 1, 0x80) is None


def test_cam() -> None:
    hardware = Image().bridge(kind="cam", base=BASE, size=16 << 20).function("f", Page(), devfn=3).hardware()
    assert hardware.read(BASE + (3 << 8), 4) == 0x01001234
    assert hardware.read(BASE + (1 << 16), 2) == 0xFFFF


def test_windowed_is_reached_by_index_and_data() -> None:
    image = Image().bridge(kind="windowed", base=0x1000, size=0x1000, first_bus=0x10, last_bus=0x1F)
    hardware = image.function("f", Page(), devfn=8).hardware()
    hardware.write(0x1000, 4, 0x10 << 20 | 8 << 12)
    assert hardware.read(0x1004, 4) == 0x01001234
    assert hardware.read(0x1006, 2) == 0x0100
    assert hardware.read(0x1005, 1) == 0x12
    hardware.write(0x1000, 4, 0x10 << 20 | 8 << 12 | 4)
    hardware.write(0x1004, 2, 6)
    assert hardware.read(0x1004, 2) == 6
    hardware.write(0x1000, 4, 0)
    assert hardware.read(0x1004, 4) == 0xFFFFFFFF
    assert hardware.read(0x1010, 4) == 0


@pytest.mark.parametrize(("root_only", "below"), [(None, [4]), ([4], [1, 2, 4])])
def test_refused_sizes(root_only: list[int] | None, below: list[int]) -> None:
    image = Image().bridge(base=BASE, sizes=below, sizes_root_bus=root_only)
    hardware = image.tree([("rp", 0, root_port(), [("ep", 0, endpoint())])]).hardware()
    assert hardware.read(at(0, 0, 0), 2) == 0xFFFF
    assert hardware.read(at(0, 0, 0), 4) == 0x01041234
    hardware.write(at(0, 0, 0x19), 1, 5)
    number(hardware, 0, 0, 1, 1)
    assert hardware.read(at(1, 0, 0), 2) == (0x1234 if 2 in below else 0xFFFF)
    assert hardware.bridges["h0"].counters.refused == (2 if 2 in below else 3)


def test_special_cases() -> None:
    image = Image().bridge(
        kind="quirk",
        base=BASE,
        registers=[
            {"name": "dbi", "base": 0x9000, "size": 0x1000},
            {"name": "app", "base": 0xA000, "size": 0x100},
        ],
        special=[
            {"bus": 0, "dev": 1, "behaviour": "hidden", "register": None},
            {"bus": 0, "dev": 2, "behaviour": "elsewhere", "register": "dbi"},
            {"bus": 1, "dev": 0, "behaviour": "single-device", "register": None},
        ],
    )
    bridge = Page().bridge()
    below = [("a", 0, Page()), ("b", 8, Page())]
    hardware = image.tree(
        [("hidden", 8, Page()), ("away", 16, Page(device=7)), ("br", 24, bridge, below)]
    ).hardware()
    number(hardware, 0, 24, 1, 1)
    assert hardware.read(at(0, 8, 0), 4) == 0xFFFFFFFF
    assert hardware.read(at(0, 16, 0), 4) == 0xFFFFFFFF
    assert hardware.read(0x9000, 4) == 0x00071234
    assert hardware.page_at_address(0x9000) == "away"
    assert hardware.read(0xA000, 4) == 0
    assert hardware.read(at(1, 0, 0), 2) == 0x1234
    assert hardware.read(at(1, 8, 0), 2) == 0xFFFF


def test_overlapping_bridges_the_first_answers() -> None:
    image = Image().bridge("h0", base=BASE, last_bus=3).bridge("h1", base=BASE + (2 << 20), last_bus=3)
    image.function("a", Page(device=1), bridge="h0").function("b", Page(device=2), bridge="h1")
    hardware = image.hardware()
    assert hardware.read(BASE, 4) >> 16 == 1
    assert hardware.read(BASE + (2 << 20), 4) == 0xFFFFFFFF, "bus 2 of h0, not bus 0 of h1"
    number_of_h1 = BASE + (2 << 20) + (2 << 20)
    assert hardware.read(number_of_h1, 4) == 0xFFFFFFFF
    with pytest.raises(BusError):
        hardware.read(BASE + (6 << 20), 4)


def test_x86_ports() -> None:
    """PCI Local Bus 3.0 §3.2.2.3.2: CONFIG_ADDRESS and CONFIG_DATA."""
    hardware = Image().bridge(base=BASE).function("f", Page(), devfn=8).hardware()
    assert hardware.port_read(0xCFC, 4) == 0xFFFFFFFF
    hardware.port_write(0xCF8, 4, 0x80000000 | 8 << 8)
    assert hardware.port_read(0xCFC, 4) == 0x01001234
    assert hardware.port_read(0xCFE, 2) == 0x0100
    hardware.port_write(0xCF8, 4, 0x80000000 | 8 << 8 | 4)
    hardware.port_write(0xCFC, 2, 6)
    assert hardware.read(at(0, 8, 4), 2) == 6


def test_trace_sees_every_access() -> None:
    hardware = Image().bridge(base=BASE).function("f", Page()).hardware()
    seen: list[tuple[str, int, int, int]] = []
    hardware.tracer = lambda *access: seen.append(access)
    hardware.read(BASE, 2)
    hardware.write(BASE + 4, 2, 6)
    assert seen == [("read", BASE, 2, 0x1234), ("write", BASE + 4, 2, 6)]


def image_blobs() -> tuple[Blob, Blob]:
    return Image().bridge(base=BASE).tree([("rp", 0, root_port(), [("ep", 0, endpoint())])]).blobs()


FAULTS = {
    "version": lambda top: top.update(rootplex_config=2),
    "no bridges": lambda top: top.update(bridges=3),
    "kind": lambda top: top["bridges"][0].update(kind="other"),
    "base": lambda top: top["bridges"][0].update(base=-1),
    "bool base": lambda top: top["bridges"][0].update(base=True),
    "sizes": lambda top: top["bridges"][0].update(sizes=[3]),
    "special": lambda top: top["bridges"][0].update(special=[{"bus": 0, "dev": 0, "behaviour": "elsewhere"}]),
    "page": lambda top: top["functions"][0].update(page=99),
    "devfn": lambda top: top["functions"][0].update(devfn=256),
    "id twice": lambda top: top["functions"][1].update(id="rp"),
    "bridge twice": lambda top: top["bridges"].append(top["bridges"][0]),
    "unknown bridge": lambda top: top["functions"][0].update(bridge="h9"),
    "unknown parent": lambda top: top["functions"][1].update(parent="x"),
    "ring": lambda top: top["functions"][0].update(parent="ep"),
    "place twice": lambda top: top["functions"].append({**top["functions"][1], "id": "other"}),
    "w1c": lambda top: top["functions"][0].update(w1c=[[5, 2, 1]]),
    "vf_of": lambda top: top["functions"][0].update(vf_of="x", vf_index=0),
    "aliases": lambda top: top["functions"][0].update(aliases=[300]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_malformed_image_is_unreadable(fault: str) -> None:
    config, pages = image_blobs()
    top = json.loads(config.data)
    FAULTS[fault](top)
    with pytest.raises(Unreadable):
        read_image(Blob("c", json.dumps(top).encode()), pages)


def test_ragged_pages_are_unreadable() -> None:
    config, pages = image_blobs()
    with pytest.raises(Unreadable):
        read_image(config, Blob("p", pages.data[:-1]))


@given(st.binary(max_size=200))
def test_any_bytes_give_an_image_or_a_clear_error(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_image(Blob("c", data), Blob("p", b""))


@given(st.data())
def test_mutated_json_gives_an_image_or_a_clear_error(data: st.DataObject) -> None:
    config, pages = image_blobs()
    top = json.loads(config.data)
    where = data.draw(st.sampled_from([top, top["bridges"][0], *top["functions"]]))
    key = data.draw(st.sampled_from(sorted(where)))
    where[key] = data.draw(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3),
        )
    )
    try:
        Hardware(read_image(Blob("c", json.dumps(top).encode()), pages))
    except Unreadable:
        return


def test_json_nested_too_deep_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_image(Blob("c", b"[" * 100_000), Blob("p", b""))


def test_ring_of_bus_numbers_ends() -> None:
    """Two ports of one bus that claim the same bus: the lower devfn has it."""
    hardware = (
        Image()
        .bridge(base=BASE)
        .tree([("a", 0, root_port(), [("x", 0, endpoint())]), ("b", 8, root_port(), [("y", 0, endpoint())])])
        .hardware()
    )
    number(hardware, 0, 0, 1, 255)
    number(hardware, 0, 8, 1, 255)
    assert hardware.page_at("h0", 1, 0) == "x"
    assert ENDPOINT == 0
