"""Interrupt pins: linux.md §1.12, §6.1, §6.2 and the vectors of §11.5."""

from __future__ import annotations

from tests.acpica import compiled, needs_acpiexec
from tests.simulator.firmware.routing.routing_firmware import (
    NODE,
    SMMU_AT,
    Scanned,
    acpi,
    device_tree,
    interrupt_map,
    iort,
    madt,
)
from tests.simulator.groups.pci_trees import PciTree

from rootplex.readers.acpi.aml import evaluate
from rootplex.report.causes import because, difference
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.firmware.routing.explain import Explainer
from rootplex.simulator.firmware.routing.intx import IntxRouter, shared_lines
from rootplex.simulator.firmware.routing.routes import IntxRoute
from rootplex.simulator.firmware.routing.stream import StreamRouter
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.place import DtPlace

GIC = "/intc@8000000"
A, B, C, D = 1, 2, 3, 4


def router(tree: PciTree, bridge: str, below: str = "") -> IntxRouter:
    return IntxRouter(Scanned(tree.functions), device_tree(bridge, below=below))


def routed(tree: PciTree, name: str, bridge: str | None = None, below: str = "") -> IntxRoute:
    found = router(tree, interrupt_map() if bridge is None else bridge, below).route(tree[name])
    assert found is not None
    return found


def below_ports(devices: list[int], pin: int) -> PciTree:
    """A function with a pin at the end of a chain of bridges; device numbers from the function up
    to its first bus, the bridge on the root bus being device 0."""
    tree = PciTree()
    bus = tree.bridge("RP", tree.root, 0)
    for dev in reversed(devices[1:]):
        bus = tree.bridge(f"B{dev}", bus, dev)
    tree.add("X", bus, devices[0], pin=pin)
    return tree


def test_swizzle_vectors() -> None:
    """§11.5."""
    assert A == routed(below_ports([0], A), "X").root_pin
    assert D == routed(below_ports([0, 3], A), "X").root_pin
    assert C == routed(below_ports([1], B), "X").root_pin


def test_a_root_bus_function_asks_the_map_with_its_own_device() -> None:
    tree = PciTree()
    tree.add("X", tree.root, 2, pin=A)
    found = routed(tree, "X")
    assert (GIC, (0, 5, 4), 5) == (found.controller, found.line, found.irq)
    # Device 2, INTA is the ninth entry of ten cells each.
    assert DtPlace("x.dtb", NODE, "interrupt-map", 80) == found.place


def test_the_line_below_ports_follows_the_closed_form() -> None:
    """§6.1: ((pin - 1 + device numbers below the root bus) mod 4) + 1 at the root bus's device."""
    for devices, pin in (([0], B), ([3, 2], C), ([1, 2, 3], D)):
        found = routed(below_ports(devices, pin), "X")
        assert (pin - 1 + sum(devices)) % 4 + 1 == found.root_pin
        assert 3 + (pin - 1 + sum(devices)) % 4 == found.irq


def test_ari_counts_as_device_zero() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0)
    tree.add("X", below, 3, pin=A)
    assert D == routed(tree, "X").root_pin
    tree["RP"].ari_forwarding = True
    assert A == routed(tree, "X").root_pin


def test_no_pin_no_route_and_a_pin_above_four_is_one() -> None:
    tree = PciTree()
    tree.add("X", tree.root, 1)
    assert router(tree, interrupt_map()).route(tree["X"]) is None
    tree["X"].pin = 9
    assert (9, A) == (routed(tree, "X").pin, routed(tree, "X").root_pin)


def test_a_map_that_does_not_cover_the_device() -> None:
    tree = PciTree()
    tree.add("X", tree.root, 3, pin=A)
    tree.add("Y", tree.root, 7, pin=A)
    found = router(tree, interrupt_map(devices=2))
    for name, key in (("X", "0x1800 0x0 0x0 0x1"), ("Y", "0x3800 0x0 0x0 0x1")):
        route = found.route(tree[name])
        assert route is not None
        assert not route.is_routed
        assert route.cause is not None
        assert f"no entry of interrupt-map matches {key}" == because(route.cause)


def test_a_child_node_with_a_map_of_its_own() -> None:
    """A root port node with its own map: what is below asks it, swizzled up to the port's bus only."""
    port = """pcie@0 { device_type = "pci"; reg = <0 0 0 0 0>; #address-cells = <3>; #size-cells = <2>;
        #interrupt-cells = <1>; ranges; interrupt-map-mask = <0 0 0 7>;
        interrupt-map = <0 0 0 1 &gic 0 0 0 40 4>, <0 0 0 2 &gic 0 0 0 41 4>; };"""
    tree = below_ports([1, 1], A)
    found = routed(tree, "X", below=port)
    assert (B, 41) == (found.root_pin, found.irq)
    tree.add("Y", tree.root, 1, pin=A)
    assert 4 == routed(tree, "Y", below=port).irq


def test_functions_of_one_line() -> None:
    tree = PciTree()
    tree.add("X", tree.root, 1, pin=A)
    tree.add("Y", tree.root, 5, pin=A)
    tree.add("Z", tree.root, 2, pin=A)
    tree.add("W", tree.root, 3)
    found = router(tree, interrupt_map())
    lines = shared_lines(found.route(function) for function in tree.functions)
    assert [["X", "Y"], ["Z"]] == [[function.page for function in line.functions] for line in lines]
    assert [4, 5] == [line.irq for line in lines]


DSDT = """DefinitionBlock ("", "DSDT", 2, "VENDOR", "BOARD   ", 1)
{{
  Device (\\_SB.PCI0)
  {{
    Name (_HID, EisaId ("PNP0A08")) Name (_SEG, 0) Name (_BBN, 0) Name (_UID, 0) {more}
    Name (_PRT, Package ()
    {{
      Package () {{ 0x0000FFFF, 0, 0, 35 }}, Package () {{ 0x0000FFFF, 1, 0, 36 }},
      Package () {{ 0x0000FFFF, 2, 0, 37 }}, Package () {{ 0x0001FFFF, 0, 0, 36 }}
    }})
  }}
}}"""
ROOT = RootBridge(0, "\\_SB.PCI0", {}, segment=0)


def firmware(
    more: str = "Name (_CCA, 1)", map: str = "iommu-map = <0 &smmu 0 0x10000>;"
) -> tuple[DtFirmware, AcpiFirmware]:
    namespace = evaluate([compiled(DSDT.format(more=more), "dsdt.aml")])
    tables = acpi(iort([(0, 0xFFFF, 0x100, SMMU_AT, 0)]), madt(its=[0]), namespace=namespace)
    return device_tree(interrupt_map() + map + "msi-map = <0 &its 0x100 0x10000>;"), tables


@needs_acpiexec
def test_prt() -> None:
    tree = below_ports([0, 2], A)
    tree.add("Y", tree.root, 1, pin=A)
    tree.add("N", tree.root, 3, pin=A)
    found = IntxRouter(Scanned(tree.functions, [ROOT]), firmware()[1])
    x, y, n = (found.route(tree[name]) for name in ("X", "Y", "N"))
    assert x is not None
    assert (C, (37,), 5) == (x.root_pin, x.line, x.irq)
    assert "_PRT" in str(x.place)
    assert y is not None
    assert (None, (36,), 4) == (y.controller, y.line, y.irq)
    assert n is not None
    assert n.cause is not None
    assert "_PRT has no entry for device 0x3, pin A" == because(n.cause)


@needs_acpiexec
def test_without_cca_there_is_no_iommu() -> None:
    """LNX-39: on arm64 Linux sets up no DMA for such a bridge."""
    tree = PciTree()
    tree.add("A", tree.root, 1)
    scan = Scanned(tree.functions, [ROOT])
    assert StreamRouter(scan, firmware()[1]).streams(tree["A"]).unit is not None
    found = StreamRouter(scan, firmware(more="")[1]).streams(tree["A"])
    assert found.unit is None
    assert found.cause is not None
    assert "_CCA" in because(found.cause)


@needs_acpiexec
def test_one_requester_by_both_firmwares() -> None:
    tree = PciTree()
    tree.add("A", tree.root, 1, pin=A)
    scan = Scanned(tree.functions)
    told = Explainer(scan, firmware()).explain(tree["A"])
    assert ["dt", "acpi"] == [way.source for way in told.ways]
    assert [0x08, 0x108] == [way.streams.own.id for way in told.ways]
    assert [0x108, 0x108] == [way.msi.id for way in told.ways]
    assert [difference(each) for each in told.differences] == [
        ("stream of requester id 0x0008", "0x8 at /smmuv3@9050000", "0x108 at SMMUv3 at 0x9050000")
    ]
    same = Explainer(scan, firmware(map="iommu-map = <0 &smmu 0x100 0x10000>;")).explain(tree["A"])
    assert () == same.differences
