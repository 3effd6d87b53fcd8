"""Id maps, interrupt routing and address translation after linux.md §1 (source text through dtc)."""

from __future__ import annotations

import shutil

import pytest

from rootplex.formats.devicetree import MapCells
from rootplex.readers.address import to_cpu
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.intx import Hop, InterruptMaps, IntxRoute, route_intx, swizzle
from rootplex.readers.ridmap import MapResult, map_rid
from rootplex.readers.tree import Tree

pytestmark = pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")

CONTROLLERS = """
    smmu: smmu@1000 { compatible = "arm,smmu-v3"; reg = <0 0x1000 0 0x1000>; #iommu-cells = <1>; };
    wide: wide@2000 { compatible = "arm,mmu-500"; reg = <0 0x2000 0 0x1000>; #iommu-cells = <2>; };
    off: off@3000 { compatible = "arm,smmu-v3"; status = "disabled"; #iommu-cells = <1>; };
    gic: gic@4000 { compatible = "arm,gic-v3"; reg = <0 0x4000 0 0x1000>; #interrupt-cells = <3>;
        #address-cells = <2>; #size-cells = <2>; interrupt-controller; };
    plain: plain { interrupt-controller; #interrupt-cells = <1>; };
    dead: dead { interrupt-controller; #interrupt-cells = <1>; status = "disabled"; };
    nexus: nexus { #address-cells = <0>; #interrupt-cells = <1>;
        interrupt-map-mask = <0xff>; interrupt-map = <7 &gic 0 0 0 107 4>, <8 &gic 0 0 0 108 4>; };
"""


def tree_with(bridge: str, *, more: str = "") -> Tree:
    text = f"""/dts-v1/;
/ {{ #address-cells = <2>; #size-cells = <2>; {CONTROLLERS}
    pcie@10000000 {{
        compatible = "pci-host-ecam-generic"; device_type = "pci";
        #address-cells = <3>; #size-cells = <2>; reg = <0x40 0x10000000 0 0x10000000>; #interrupt-cells = <1>;
        {bridge}
    }}; {more}
}};"""
    return read_dtb(compile_dts(text, "x.dts"), "x.dtb")


def one(tree: Tree, cells: MapCells = MapCells.ONE) -> DtHostBridge:
    (bridge,) = pci_host_bridges(tree, cells)
    return bridge


def looked_up(map: str, rid: int, cells: MapCells = MapCells.ONE) -> MapResult:
    found = one(tree_with(map), cells).iommu_map
    assert found is not None
    return map_rid(found, rid)


ONE, TARGET = MapCells.ONE, MapCells.TARGET


@pytest.mark.parametrize(
    ("map", "cells", "rid", "expected"),
    [
        ("iommu-map = <0 &smmu 0x100 0x10000>;", ONE, 8, 0x108),
        ("iommu-map = <0x100 &smmu 0 0x100>;", ONE, 8, None),
        ("iommu-map = <0 &smmu 5 1>, <0 &smmu 6 1>;", ONE, 0, 5),
        ("iommu-map-mask = <0xff>; iommu-map = <0 &smmu 0 0x100>;", ONE, 0x308, 8),
        ("iommu-map-mask = <0>; iommu-map = <0 &smmu 9 1>;", ONE, 0x308, 9),
        ("iommu-map = <0 &smmu 0xffffffff 2>;", ONE, 1, 0),
        ("iommu-map = <0 &smmu 0x100 0x10000>;", TARGET, 8, 0x108),
        ("iommu-map = <8 &wide 0x20 0x7 1>;", TARGET, 8, 0x20_0000_0007),
        # Old vendor trees: two cells promised, one given.
        ("iommu-map = <8 &wide 0x20 1>, <9 &wide 0x21 1>;", TARGET, 9, 0x21),
        ("iommu-map = <8 &wide 0x20 1>, <9 &wide 0x21 1>;", ONE, 9, 0x21),
    ],
)
def test_ids_as_linux_maps_them(map: str, cells: MapCells, rid: int, expected: int | None) -> None:
    result = looked_up(map, rid, cells)
    assert (result.id, result.error) == (expected, None)


@pytest.mark.parametrize(
    ("map", "cells", "error"),
    [
        ("iommu-map = <0 &smmu 0>;", ONE, "EINVAL"),
        ("iommu-map;", ONE, "EINVAL"),
        ("iommu-map = [00 00 00];", TARGET, "EINVAL"),
        ("iommu-map-mask = <0xff>; iommu-map = <0x100 &smmu 0 1>, <0 &smmu 0 0x100>;", ONE, "EFAULT"),
        ("iommu-map = <0 0x7777 0 0x10000>;", ONE, "ENODEV"),
        ("iommu-map = <0x100 0x7777 0 1>, <0 &smmu 0 0x100>;", TARGET, "ENODEV"),
        ("iommu-map = <0 &wide 0 0 0x100>;", TARGET, "EINVAL"),
        ("iommu-map = <0x100 &smmu 0 1>, <0x200 &smmu>;", TARGET, "EINVAL"),
    ],
)
def test_maps_that_linux_refuses(map: str, cells: MapCells, error: str) -> None:
    result = looked_up(map, 8, cells)
    assert (result.error, result.id) == (error, None)
    assert result.reason


def test_an_entry_of_an_unknown_target_does_not_stop_older_kernels() -> None:
    assert looked_up("iommu-map = <0x100 0x7777 0 1>, <0 &smmu 3 0x100>;", 0).id == 3


def test_disabled_targets_and_problems_are_told() -> None:
    bridge = one(tree_with("iommu-map = <0 &off 0 1>, <1 0x7777 0 1>; bus-range = <0>;"))
    assert bridge.iommu_map is not None
    assert [entry.target for entry in bridge.iommu_map.entries] == ["/off@3000", None]
    assert not bridge.iommu_map.entries[0].target_enabled
    assert {str(problem) for problem in bridge.problems} == {
        "x.dtb: /pcie@10000000:iommu-map[4]: no node has phandle 0x7777",
        "x.dtb: /pcie@10000000:bus-range: bus-range has 4 bytes, 8 are expected",
    }


MAP = """interrupt-map-mask = <0x1800 0 0 7>; interrupt-map =
    <0x0000 0 0 1 &gic 0 0 0 11 4>, <0x0000 0 0 2 &gic 0 0 0 12 4>, <0x0000 0 0 3 &gic 0 0 0 13 4>,
    <0x0000 0 0 4 &gic 0 0 0 14 4>, <0x0800 0 0 1 &plain 21>, <0x1000 0 0 1 &dead 31>,
    <0x1000 0 0 1 &plain 32>, <0x1800 0 0 1 &nexus 7>;"""


def routed(tree: Tree, hops: list[Hop], pin: int) -> IntxRoute:
    return route_intx(InterruptMaps(tree), one(tree).node, hops, pin)


@pytest.mark.parametrize(
    ("hops", "pin", "controller", "specifier"),
    [
        ([Hop(0, 0x00)], 1, "/gic@4000", (0, 11, 4)),
        ([Hop(0, 0x01)], 2, "/gic@4000", (0, 12, 4)),
        ([Hop(0, 0x20)], 4, "/gic@4000", (0, 14, 4)),
        ([Hop(0, 0x08)], 1, "/plain", (21,)),
        ([Hop(0, 0x08)], 2, None, None),
        # The first entry's parent is disabled: the second holds.
        ([Hop(0, 0x10)], 1, "/plain", (32,)),
        # Through a nexus that is no controller.
        ([Hop(0, 0x18)], 1, "/gic@4000", (0, 107, 4)),
        # Swizzled at each hop: INTA of device 3 behind device 0 is INTD.
        ([Hop(0, 0x00), Hop(1, 0x18)], 1, "/gic@4000", (0, 14, 4)),
        ([Hop(0, 0x00), Hop(1, 0x18, ari=True)], 1, "/gic@4000", (0, 11, 4)),
        ([Hop(0, 0x00), Hop(1, 0x08), Hop(2, 0x08)], 1, "/gic@4000", (0, 13, 4)),
        ([Hop(0, 0x00)], 0, None, None),
        ([Hop(0, 0x00)], 9, "/gic@4000", (0, 11, 4)),
    ],
)
def test_pins_as_linux_routes_them(
    hops: list[Hop], pin: int, controller: str | None, specifier: tuple[int, ...] | None
) -> None:
    route = routed(tree_with(MAP), hops, pin)
    assert (route.controller, route.specifier) == (controller, specifier)
    assert (route.reason is None) == (controller is not None)


@pytest.mark.parametrize(("path", "expected"), [([0, 0], 1), ([0, 3], 4), ([1], 3)])
def test_swizzle_vectors(path: list[int], expected: int) -> None:
    """linux.md §11.5: INTA behind 0 is A; INTA over 0 and 3 is D; INTB at device 1 is C."""
    pin = 2 if path == [1] else 1
    for device in path:
        pin = swizzle(pin, Hop(0, device << 3))
    assert pin == expected


def test_child_nodes_change_the_way() -> None:
    port = """port@0,0 { reg = <0x0000 0 0 0 0>; device_type = "pci"; #address-cells = <3>; #size-cells = <2>;
        #interrupt-cells = <1>; interrupt-map-mask = <0 0 0 7>; interrupt-map = <0 0 0 1 &plain 77>; };
        card@1,0 { reg = <0x0800 0 0 0 0>; interrupts = <3>; };
        quiet@2,0 { reg = <0x1000 0 0 0 0>; };"""
    tree = tree_with(MAP.replace("0x0800 0 0 1 &plain 21", "0x0800 0 0 3 &plain 63") + port)
    # Below a port with a node the search starts at that node, without a swizzle by the port.
    assert routed(tree, [Hop(0, 0), Hop(1, 0)], 1).specifier == (77,)
    assert routed(tree, [Hop(0, 0), Hop(1, 0)], 1).nexus == "/pcie@10000000/port@0,0"
    # A function whose own node has `interrupts` goes by them, whatever its pin.
    assert routed(tree, [Hop(0, 8)], 1).specifier == (63,)
    # A port whose node has no map passes on to the bridge's, the pin unswizzled.
    assert routed(tree, [Hop(0, 0x10), Hop(1, 0)], 2).specifier == (0, 12, 4)
    assert len(pci_host_bridges(tree, ONE)) == 1


def test_a_damaged_interrupt_map_ends_with_a_problem() -> None:
    bridge = one(tree_with("interrupt-map = <0 0 0 1 &plain 5>, <0 0 0 2 &plain>;"))
    assert bridge.interrupt_map is not None
    assert len(bridge.interrupt_map.entries) == 1
    assert "stops in the middle" in bridge.problems[0].text
    lost = one(tree_with("interrupt-map = <0 0 0 1 0x7777 5>;")).interrupt_map
    assert lost is not None
    assert lost.entries == ()
    assert "no node has phandle 0x7777" in lost.problems[0].text


def test_endpoint_mode_and_root_ports_are_no_host_bridges() -> None:
    more = """
    ep@1 { compatible = "rockchip,rk3588-pcie-ep", "snps,dw-pcie-ep"; device_type = "pci"; };
    dwc@2 { compatible = "snps,dw-pcie"; port { device_type = "pci"; }; };
    odd@3 { compatible = "vendor,unknown"; device_type = "pci"; status = "disabled"; };"""
    bridges = pci_host_bridges(tree_with('p@0 { device_type = "pci"; };', more=more), ONE)
    assert [bridge.path for bridge in bridges] == ["/pcie@10000000", "/dwc@2", "/odd@3"]
    assert [bridge.controller and bridge.controller.layout for bridge in bridges] == [
        "ecam",
        "windowed",
        None,
    ]
    assert [bridge.enabled for bridge in bridges] == [True, True, False]


def test_windows_through_nested_ranges() -> None:
    more = """soc { #address-cells = <1>; #size-cells = <1>;
        ranges = <0 0x40 0 0x1000000>, <0x80000000 0x50 0 0x1000>;
        bus { #address-cells = <1>; #size-cells = <1>; ranges;
            pcie@0 { compatible = "pci-host-ecam-generic"; device_type = "pci"; #address-cells = <3>;
                #size-cells = <2>; reg = <0x100000 0x100000>; ranges = <0x43000000 1 0 0x200000 0 0x1000>,
                <0x01000000 0 0 0x7f000000 0 0x1000>; };
        };
        closed { #address-cells = <1>; #size-cells = <1>; in { reg = <0 4>; }; }; };"""
    tree = tree_with("", more=more)
    bridge = pci_host_bridges(tree, ONE)[1]
    assert [(reg.address, reg.cpu) for reg in bridge.regs] == [(0x100000, 0x40_0010_0000)]
    assert [(w.space, w.prefetchable, w.pci, w.cpu, w.translation) for w in bridge.windows] == [
        ("mem64", True, 1 << 32, 0x40_0020_0000, "cpu"),
        ("io", False, 0, None, "none"),
    ]
    assert bridge.windows[1].place.cell == 6
    assert to_cpu(tree.by_path["/soc/closed/in"], 0) is None


def test_mbus_targets_stay_raw_and_are_known_as_such() -> None:
    more = """soc { compatible = "marvell,armadaxp-mbus", "simple-bus";
        #address-cells = <2>; #size-cells = <1>; ranges = <0xf0010000 0 0 0xf1000000 0x100000>;
        pcie { compatible = "marvell,armada-xp-pcie"; device_type = "pci";
            #address-cells = <3>; #size-cells = <2>;
            ranges = <0x82000000 0 0x40000 0xf0010000 0x40000 0 0x2000>,
                <0x82000000 1 0 0x04e80000 0 1 0>; }; };"""
    bridge = pci_host_bridges(tree_with("", more=more), ONE)[1]
    assert [(w.cpu_local, w.cpu, w.translation) for w in bridge.windows] == [
        (0xF001000000040000, 0xF1040000, "cpu"),
        (0x04E8000000000000, None, "mbus"),
    ]
