"""Host bridge nodes as dtc reads them: each property against the binding's own layout."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends.devicetree.dtc_text import Properties, checked, phandles, rows
from tests.backends.platforms import (
    ECAM,
    GIB,
    MIB,
    config,
    gic,
    host_bridge,
    intx,
    iommu,
    msi,
    platform,
    smmu,
    window,
    xen,
)

from rootplex.backends.devicetree import device_tree
from rootplex.model.bridge import DmaWindow, DtView, IdMapEntry, IntxEntry, Register
from rootplex.model.controllers import DtNode, IoApic
from rootplex.model.numbers import BusRange


def node_of(bridge: Any = None, **overrides: Any) -> tuple[Properties, dict[str, Properties]]:
    """The node of the first bridge of a bare platform, and all nodes."""
    tree = device_tree(platform(bridge or host_bridge(), **({"base": "none"} | overrides)))
    nodes = checked(tree)
    return nodes[next(iter(tree.nodes.values()))], nodes


def dt_node(name: str = "plic", **overrides: Any) -> DtNode:
    values: dict[str, Any] = {
        "name": name,
        "compatible": ("vendor,thing",),
        "base": 0xC00_0000,
        "size": 0x40_0000,
        "cells": 1,
        "address_cells": None,
        "interrupts": (),
        "controller": None,
        "parent": None,
    }
    return DtNode(**(values | overrides))


def test_the_registers_are_those_of_the_first_bus() -> None:
    node, _ = node_of(host_bridge(bus_range=BusRange(0x40, 0x7F)))
    assert node["reg"] == (0x40, 0x1400_0000, 0, 64 * MIB)
    assert node["bus-range"] == (0x40, 0x7F)
    assert "reg-names" not in node


def test_registers_are_named_in_their_order() -> None:
    registers = (
        Register(name="dbi", base=0x8000_0000, size=0x1000),
        Register(name="config", base=0x9000_0000, size=16 * MIB),
    )
    space = config(base=0x9000_0000, buses=16, registers=registers, compatible=("xlnx,nwl-pcie-2.11",))
    tree = device_tree(platform(host_bridge(config=space), base="none"))
    nodes = checked(tree)
    assert tree.nodes == {"main": "/pcie@80000000"}
    node = nodes["/pcie@80000000"]
    assert node["compatible"] == ("xlnx,nwl-pcie-2.11",)
    assert node["reg-names"] == ("dbi", "config")
    assert node["reg"] == (0, 0x8000_0000, 0, 0x1000, 0, 0x9000_0000, 0, 16 * MIB)


def test_the_segment_is_the_domain_and_nothing_where_it_is_not_said() -> None:
    assert node_of(host_bridge(segment=0x1234))[0]["linux,pci-domain"] == (0x1234,)
    assert "linux,pci-domain" not in node_of(host_bridge(segment=None))[0]
    assert "linux,pci-domain" not in node_of(host_bridge(segment=3, dt=DtView(segment="none")))[0]


@pytest.mark.parametrize(
    ("space", "prefetchable", "high"),
    [
        ("io", False, 0x0100_0000),
        ("mem32", False, 0x0200_0000),
        ("mem32", True, 0x4200_0000),
        ("mem64", False, 0x0300_0000),
        ("mem64", True, 0x4300_0000),
    ],
)
def test_a_window_is_seven_cells(space: str, prefetchable: bool, high: int) -> None:
    windows = (window(space, 0x1_2000_0000, 4 * GIB, cpu=0x23_4000_0000, prefetchable=prefetchable),)
    node, _ = node_of(host_bridge(windows=windows))
    assert node["ranges"] == (high, 1, 0x2000_0000, 0x23, 0x4000_0000, 1, 0)


def test_dma_windows_are_dma_ranges() -> None:
    windows = (
        DmaWindow(pci=0x8000_0000, cpu=0x1_0000_0000, size=2 * GIB),
        DmaWindow(pci=0x10_0000_0000, cpu=0, size=4 * GIB),
    )
    node, _ = node_of(host_bridge(dma_windows=windows, dma_coherent=False))
    assert rows(node["dma-ranges"], 7) == [
        (0x0200_0000, 0, 0x8000_0000, 1, 0, 0, 0x8000_0000),
        (0x0300_0000, 0x10, 0, 0, 0, 1, 0),
    ]
    assert "dma-coherent" not in node


def test_the_standard_swizzle_has_sixteen_rows() -> None:
    node, nodes = node_of(host_bridge(intx=intx(irqs=(10, 20, 30, 40))))
    gic_phandle = nodes["/interrupt-controller@8000000"]["phandle"][0]
    assert node["interrupt-map-mask"] == (0x1800, 0, 0, 7)
    # the PCI-to-PCI Bridge Architecture's table: INTA of device 1 is the second line, and so on
    expected = {0: (10, 20, 30, 40), 1: (20, 30, 40, 10), 2: (30, 40, 10, 20), 3: (40, 10, 20, 30)}
    assert rows(node["interrupt-map"], 10) == [
        (dev << 11, 0, 0, pin, gic_phandle, 0, 0, 0, expected[dev][pin - 1], 4)
        for dev in range(4)
        for pin in (1, 2, 3, 4)
    ]


def test_without_swizzle_the_device_makes_no_difference() -> None:
    node, _ = node_of(host_bridge(intx=intx(swizzle=False, trigger="edge-rising")))
    assert node["interrupt-map-mask"] == (0, 0, 0, 7)
    assert [(row[0], row[3], row[8], row[9]) for row in rows(node["interrupt-map"], 10)] == [
        (0, 1, 3, 1),
        (0, 2, 4, 1),
        (0, 3, 5, 1),
        (0, 4, 6, 1),
    ]


def test_an_explicit_map_is_keyed_by_device() -> None:
    wires = (
        IntxEntry(dev=2, pin="A", irq=77),
        IntxEntry(dev=31, pin="C", irq=78),
    )
    node, _ = node_of(host_bridge(intx=intx(irqs=(), map=wires)))
    assert node["interrupt-map-mask"] == (0xF800, 0, 0, 7)
    assert [(row[0], row[3], row[8]) for row in rows(node["interrupt-map"], 10)] == [
        (0x1000, 1, 77),
        (0xF800, 3, 78),
    ]


def test_an_explicit_map_for_every_device_needs_no_device_in_its_key() -> None:
    wires = tuple(IntxEntry(dev=None, pin=pin, irq=90) for pin in ("A", "B"))
    node, _ = node_of(host_bridge(intx=intx(irqs=(), map=wires)))
    assert node["interrupt-map-mask"] == (0, 0, 0, 7)
    assert [row[3] for row in rows(node["interrupt-map"], 10)] == [1, 2]


@pytest.mark.parametrize(
    ("width", "address_cells", "parent"),
    [(1, None, (5,)), (2, None, (5, 4)), (3, 2, (0, 0, 0, 5, 4)), (1, 1, (0, 5))],
)
def test_the_map_follows_the_parents_cells(
    width: int, address_cells: int | None, parent: tuple[int, ...]
) -> None:
    node, nodes = node_of(
        host_bridge(intx=intx("plic", swizzle=False, irqs=(5, 6, 7, 8)), msi=None, iommu=None),
        arch="riscv64",
        interrupt_controllers=(dt_node(cells=width, address_cells=address_cells),),
        msi_controllers=(),
        iommus=(),
    )
    controller = nodes["/interrupt-controller@c000000"]
    assert controller["#interrupt-cells"] == (width,)
    assert controller["#address-cells"] == (address_cells or 0,)
    row = rows(node["interrupt-map"], 5 + len(parent))[0]
    assert row == (0, 0, 0, 1, controller["phandle"][0], *parent)


def test_a_bridges_own_interrupt_controller_is_its_child() -> None:
    child = dt_node("legacy", compatible=("vendor,intx",), parent="main", interrupts=(9,), controller="gic")
    node, nodes = node_of(
        host_bridge(intx=intx("legacy", swizzle=False, irqs=(1, 2, 3, 4))),
        interrupt_controllers=(gic(), child),
    )
    inner = nodes["/pcie@4010000000/interrupt-controller"]
    assert "reg" not in inner
    assert inner["interrupts"] == (0, 9, 4)
    assert phandles(nodes)[int(inner["interrupt-parent"][0])] == "/interrupt-controller@8000000"
    assert [row[4:] for row in rows(node["interrupt-map"], 6)] == [
        (inner["phandle"][0], irq) for irq in (1, 2, 3, 4)
    ]


def test_without_legacy_interrupts_there_is_no_map() -> None:
    node, _ = node_of(host_bridge(intx=None))
    assert not {"interrupt-map", "interrupt-map-mask", "#interrupt-cells"} & set(node)


def test_id_maps_and_their_masks() -> None:
    entries = (
        IdMapEntry(rid=0, id=0x1_0000, count=0x100, target="its"),
        IdMapEntry(rid=0x100, id=0x2_0000, count=0x100, target="its"),
    )
    node, nodes = node_of(host_bridge(msi=msi(entries=entries, mask=0xFFF8), iommu=iommu(ats=True)))
    its_phandle = nodes["/interrupt-controller@8000000/msi-controller@8080000"]["phandle"][0]
    assert rows(node["msi-map"], 4) == [
        (0, its_phandle, 0x1_0000, 0x100),
        (0x100, its_phandle, 0x2_0000, 0x100),
    ]
    assert node["msi-map-mask"] == (0xFFF8,)
    assert "iommu-map-mask" not in node
    assert node["ats-supported"] == b""


@pytest.mark.parametrize(("width", "row_width"), [(1, 4), (2, 5)])
def test_an_id_has_as_many_cells_as_its_iommu_takes(width: int, row_width: int) -> None:
    unit = dt_node("dart", cells=width, base=0x6_8100_0000)
    entries = (IdMapEntry(rid=0x100, id=7, count=1, target="dart"),)
    node, nodes = node_of(host_bridge(iommu=iommu("dart", entries=entries)), iommus=(unit,))
    assert nodes["/iommu@681000000"]["#iommu-cells"] == (width,)
    phandle = nodes["/iommu@681000000"]["phandle"][0]
    assert rows(node["iommu-map"], row_width) == [(0x100, phandle, 7, *(0,) * (width - 1), 1)]


def test_an_msi_parent_has_the_cells_that_an_its_asks_for() -> None:
    """Binding arm,gic-v3.yaml: an ITS has #msi-cells; booted with 6.1, 6.12 and 7.2: `<&its 0>` works."""
    node, nodes = node_of(host_bridge(msi=msi(parent=True)))
    controller = nodes["/interrupt-controller@8000000/msi-controller@8080000"]
    assert controller["#msi-cells"] == (1,)
    assert node["msi-parent"] == (*controller["phandle"], 0)
    assert "msi-map" not in node


def test_for_the_first_6_1_an_msi_parent_stands_alone_and_its_controller_takes_no_cells() -> None:
    """Linux 6.1 drivers/of/irq.c, of_msi_get_domain: with #msi-cells only for platform devices."""
    old = replace(xen(), dom0=replace(xen().dom0, kernel="linux-6.1-vanilla"))
    node, nodes = node_of(host_bridge(msi=msi(parent=True)), xen=old)
    controller = nodes["/interrupt-controller@8000000/msi-controller@8080000"]
    assert node["msi-parent"] == controller["phandle"]
    assert "#msi-cells" not in controller


def test_switched_off_is_said() -> None:
    assert node_of(host_bridge(enabled=False))[0]["status"] == ("disabled",)
    assert "status" not in node_of(host_bridge())[0]
    _, nodes = node_of(iommus=(smmu(enabled=False),))
    assert nodes["/iommu@9050000"]["status"] == ("disabled",)


def test_what_firmware_set_up_is_kept_everywhere_or_by_one_bridge() -> None:
    keeps = host_bridge(preserve_boot_config=True)
    node, nodes = node_of(keeps)
    assert nodes["/chosen"]["linux,pci-probe-only"] == (1,)
    assert "linux,pci-probe-only" not in node
    other = host_bridge(name="other", segment=1, config=config(base=ECAM + 256 * MIB))
    tree = device_tree(platform(keeps, other, base="none"))
    nodes = checked(tree)
    assert nodes[tree.nodes["main"]]["linux,pci-probe-only"] == (1,)
    assert "linux,pci-probe-only" not in nodes[tree.nodes["other"]]
    assert "/chosen" not in nodes


def test_proximity_is_the_numa_node() -> None:
    assert node_of(host_bridge(proximity=3))[0]["numa-node-id"] == (3,)


def test_vendor_properties_and_label() -> None:
    properties = (
        ("num-lanes", 4),
        ("clock-names", ["aux", "core"]),
        ("vendor,table", [1, 2, 0xFFFF_FFFF]),
        ("vendor,mixed", ["a", 1, 2, "b"]),
        ("vendor,quirk", True),
        ("vendor,off", False),
        ("dma-coherent", False),
        ("vendor,text", 'say "hi"\\ é'),
    )
    tree = device_tree(platform(host_bridge(dt=DtView(label="pcie0", properties=properties)), base="none"))
    node = checked(tree)["/pcie@4010000000"]
    assert node["num-lanes"] == (4,)
    assert node["clock-names"] == ("aux", "core")
    assert node["vendor,table"] == (1, 2, 0xFFFF_FFFF)
    assert node["vendor,mixed"] == struct.unpack(">3I", b"a\0" + bytes((0, 0, 0, 1, 0, 0, 0, 2)) + b"b\0")
    assert node["vendor,quirk"] == b""
    assert not {"vendor,off", "dma-coherent"} & set(node)
    assert b"\tpcie0: pcie@4010000000 {" in tree.dts().data


def test_overrides_hold_in_the_device_tree() -> None:
    view = DtView(
        segment=4, bus_range=BusRange(0, 15), config=config(base=0xE000_0000, buses=16), enabled=False
    )
    tree = device_tree(platform(host_bridge(dt=view), base="none"))
    node = checked(tree)["/pcie@e0000000"]
    assert (node["linux,pci-domain"], node["bus-range"], node["status"]) == ((4,), (0, 15), ("disabled",))


def test_a_bridge_that_is_not_in_the_device_tree() -> None:
    child = dt_node("legacy", parent="main")
    other = host_bridge(name="other", segment=1, intx=intx("legacy"), config=config(base=ECAM + 256 * MIB))
    tree = device_tree(
        platform(
            host_bridge(dt=DtView(present=False)), other, base="none", interrupt_controllers=(gic(), child)
        )
    )
    assert tree.nodes == {"other": "/pcie@4020000000"}
    assert "interrupt-map" not in checked(tree)["/pcie@4020000000"]


def test_controllers_of_acpi_alone_are_left_out() -> None:
    apic = IoApic(name="apic", base=0xFEC0_0000, gsi_base=0)
    node, nodes = node_of(host_bridge(intx=intx("apic")), interrupt_controllers=(apic,))
    assert "interrupt-map" not in node
    assert "interrupt-parent" not in nodes["/"]


def test_two_bridges_at_one_address_both_come_out() -> None:
    bridges = [host_bridge(name=name, segment=segment) for segment, name in enumerate("abc")]
    tree = device_tree(platform(*bridges, base="none"))
    nodes = checked(tree)
    assert tree.nodes == {"a": "/pcie@4010000000", "b": "/pcie@4010000000,2", "c": "/pcie@4010000000,3"}
    assert [nodes[tree.nodes[name]]["linux,pci-domain"] for name in "abc"] == [(0,), (1,), (2,)]
