"""Child nodes: who gets one, and that every pin ends at the wire that Linux's walk without nodes finds."""

from __future__ import annotations

import pytest
from tests.backends.devicetree.dtc_text import Properties, checked, rows
from tests.backends.platforms import device, host_bridge, intx, platform

from rootplex.backends.devicetree import device_tree
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.model.numbers import BusRange

HOST = "/pcie@4010000000"


def nodes_of(*devices: Device, bridge: HostBridge | None = None) -> dict[str, Properties]:
    return checked(device_tree(platform(bridge or host_bridge(devices=devices), base="none")))


def test_only_functions_that_need_a_node_and_the_bridges_above_have_one() -> None:
    nodes = nodes_of(
        device(
            1,
            type="root-port",
            devices=(
                device(
                    0,
                    type="upstream-port",
                    devices=(
                        device(2, type="downstream-port", external_facing=True, devices=(device(),)),
                        device(3, type="downstream-port"),
                    ),
                ),
            ),
        ),
        device(2, type="root-port", devices=(device(),)),
        device(3, properties=(("vendor,quirk", True),)),
        device(4, present=False, external_facing=True),
    )
    assert [path.removeprefix(HOST) for path in nodes if path.startswith(f"{HOST}/")] == [
        "/pcie@1",
        "/pcie@1/pcie@0",
        "/pcie@1/pcie@0/pcie@2",
        "/device@3",
    ]
    assert nodes[f"{HOST}/pcie@1/pcie@0/pcie@2"]["external-facing"] == b""
    assert nodes[f"{HOST}/device@3"]["vendor,quirk"] == b""


def test_reg_has_the_devfn_and_the_bus_that_dtc_expects() -> None:
    """Checked by dtc's pci_device_reg and pci_device_bus_num, which say nothing."""
    port = device(2, 3, type="root-port", devices=(device(0, 1, properties=(("a", True),)),))
    nodes = nodes_of(bridge=host_bridge(bus_range=BusRange(0x40, 0x7F), devices=(port,)))
    outer = nodes["/pcie@4014000000/pcie@2,3"]
    assert outer["reg"] == (0x40_1300, 0, 0, 0, 0)
    assert nodes["/pcie@4014000000/pcie@2,3/device@0,1"]["reg"] == (0x100, 0, 0, 0, 0)
    assert (outer["device_type"], outer["#address-cells"], outer["#size-cells"]) == (("pci",), (3,), (2,))
    assert outer["ranges"] == b""


def test_a_conventional_bus_is_pci() -> None:
    below = (device(1, properties=(("a", True),)),)
    nodes = nodes_of(device(1, type="pci-bridge", devices=below))
    assert f"{HOST}/pci@1/device@1" in nodes


WIRES = (10, 20, 30, 40)


def linux_line(*slots: int, pin: int) -> int:
    """The line of a function that is reached by these device numbers from the first bus down, without
    any child node: `pci_common_swizzle`, one `((pin - 1 + slot) % 4) + 1` for each bus left."""
    for slot in reversed(slots[1:]):
        pin = (pin - 1 + slot) % 4 + 1
    return WIRES[(pin - 1 + slots[0]) % 4]


def looked_up(node: Properties, slot: int, pin: int) -> int:
    """The line that the node's own map has for a device number on the bus below it."""
    mask = [int(cell) for cell in node["interrupt-map-mask"]]
    for row in rows(node["interrupt-map"], 10):
        if (slot << 11 ^ row[0]) & mask[0] == 0 and (pin ^ row[3]) & mask[3] == 0:
            return row[8]
    raise AssertionError("no entry")


@pytest.mark.parametrize("root", [0, 1, 2, 3, 6])
@pytest.mark.parametrize("pin", [1, 2, 3, 4])
def test_a_bridges_map_continues_the_swizzle(root: int, pin: int) -> None:
    leaf = device(5, type="pci", properties=(("a", True),))
    conventional = device(0, type="pcie-to-pci-bridge", devices=(leaf,))
    port = device(root, type="root-port", devices=(conventional,))
    nodes = nodes_of(bridge=host_bridge(intx=intx(irqs=WIRES), devices=(port,)))
    outer = nodes[f"{HOST}/pcie@{root:x}"]
    assert outer["interrupt-map-mask"] == (0, 0, 0, 7)  # one device below a link
    assert looked_up(outer, 0, pin) == linux_line(root, 0, pin=pin)
    inner = nodes[f"{HOST}/pcie@{root:x}/pci@0"]
    for slot in range(32):
        assert looked_up(inner, slot, pin) == linux_line(root, 0, slot, pin=pin)


def test_a_functions_own_pin_is_asked_of_the_bus_it_sits_on() -> None:
    """Without `interrupts` Linux rotates a bridge's own pin and looks it up in the bridge's own map."""
    nodes = nodes_of(device(3, type="root-port", pin="B", external_facing=True))
    assert nodes[f"{HOST}/pcie@3"]["interrupts"] == (2,)
    assert looked_up(nodes[HOST], 3, 2) == (3, 4, 5, 6)[(3 + 1) % 4]


def test_without_legacy_interrupts_a_child_has_none() -> None:
    port = device(1, type="root-port", pin="A", external_facing=True)
    nodes = nodes_of(bridge=host_bridge(intx=None, devices=(port,)))
    assert not {"interrupts", "interrupt-map"} & set(nodes[f"{HOST}/pcie@1"])


def test_a_chain_as_deep_as_there_are_buses() -> None:
    chain = device(0, type="pci-bridge", external_facing=True)
    for _ in range(254):
        chain = device(0, type="pci-bridge", devices=(chain,))
    tree = device_tree(platform(host_bridge(devices=(chain,))))
    assert tree.dts().data.count(b'device_type = "pci"') == 256
    assert tree.dtb().data
