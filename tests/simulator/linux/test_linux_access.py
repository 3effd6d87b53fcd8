"""How Dom0's drivers reach configuration space: linux.md §1.7, §1.13."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dom0_boots import ECAM, Node, Willing, dt_boot
from tests.hardware_images import ACS_FULL, Image, Page, Tree, endpoint, root_port

from rootplex.simulator.hardware import Hardware
from rootplex.simulator.linux.access import MappedAccess, WideAccess
from rootplex.simulator.linux.hypervisor import ConfigAccesses, HostBridgeAdd

TREE: Tree = [("rp", 0, root_port(acs=ACS_FULL), [("ep", 0, endpoint().msix(4))]), ("other", 8, endpoint())]


def pages(node: Node, bridge: dict[str, Any], tree: Tree = TREE) -> list[str]:
    hardware = Image().bridge(base=ECAM, **bridge).tree(tree).hardware()
    state = dt_boot([node], hardware)
    assert state.died is None
    return [function.page for function in state.functions]


def test_generic_driver_on_plain_ecam() -> None:
    assert pages(Node(), {}) == ["rp", "other", "ep"]


def test_generic_driver_finds_nothing_where_small_accesses_are_refused() -> None:
    """Header type is a byte: all ones is no header Linux knows."""
    assert pages(Node(), {"sizes": [4]}) == []


@pytest.mark.parametrize("restricted", [{"sizes": [4]}, {"sizes_root_bus": [4]}])
def test_vendor_driver_widens_its_accesses(restricted: dict[str, Any]) -> None:
    node = Node(compatible="acme,wide")
    assert pages(node, {"kind": "quirk", **restricted}) == ["rp", "other", "ep"]


def test_dw_ecam_sees_device_0_on_its_first_bus() -> None:
    assert pages(Node(compatible="snps,dw-pcie-ecam"), {}) == ["rp", "ep"]


def test_windowed_bridge_through_index_and_data() -> None:
    """The driver is the one whose register block the hardware has."""
    base = 0x3000_0000
    image = Image().bridge(kind="windowed", base=base, size=0x1000, last_bus=0x1F).tree(TREE)
    node = Node(base=base, size=0x1000, buses=(0, 0x1F), compatible="acme,windowed")
    hardware = image.hardware()

    class Recorder(Willing):
        calls: list[HostBridgeAdd]
        config: ConfigAccesses

        def pci_host_bridge_add(self, call: HostBridgeAdd, config: ConfigAccesses) -> int:
            self.calls = [call]
            self.config = config
            return 0

    recorder = Recorder(hardware)
    state = dt_boot([node], hardware, hypervisor=recorder)
    assert [function.page for function in state.functions] == ["rp", "other", "ep"]
    assert state.functions[0].acs == (ACS_FULL, 0x1D)
    expected = HostBridgeAdd(segment=0, start_bus=0, end_bus=0x1F, kind="windowed", base=base, size=0x1000)
    assert recorder.calls == [expected]
    assert recorder.config.read(1, 0, 0, 4) == 0x01001234, "Xen has accesses made through Dom0"
    assert recorder.config.read(0x20, 0, 0, 4) == 0xFFFFFFFF


def test_generic_driver_on_a_windowed_bridge_is_its_end() -> None:
    """LNX-57: register blocks taken for ECAM."""
    base = 0x3000_0000
    image = Image().bridge(kind="windowed", base=base, size=0x1000, last_bus=0x1F).tree(TREE)
    state = dt_boot([Node(base=base, buses=(0, 0x1F))], image.hardware())
    assert state.died is not None


def test_device_elsewhere_is_known_to_its_driver_only() -> None:
    bridge = {
        "kind": "quirk",
        "registers": [{"name": "dbi", "base": 0x9000, "size": 0x8000}],
        "special": [{"bus": 0, "dev": 0, "behaviour": "elsewhere", "register": "dbi"}],
    }
    assert pages(Node(compatible="acme,quirk"), bridge) == ["rp", "other", "ep"]
    assert pages(Node(), bridge) == ["other"]


def test_wide_writes_merge() -> None:
    """§1.7: read-modify-write of the dword; the neighbours' write-1-to-clear bits are lost."""
    page = Page()
    page.put(0x06, 2, 0xF910)
    page.w1c = [[6, 2, 0xF900]]
    hardware = Image().bridge(base=ECAM).function("f", page).hardware()
    access = WideAccess(MappedAccess(hardware, hardware, ECAM, 0, 255, 20), True, True)
    assert access.read(0, 0, 6, 2) == 0xF910
    access.write(0, 0, 4, 2, 6)
    assert access.read(0, 0, 4, 2) == 6
    assert access.read(0, 0, 6, 2) == 0x0010


def test_reads_outside_the_buses_make_no_access() -> None:
    hardware: Hardware = Image().bridge(base=ECAM).function("f", Page()).hardware()
    access = MappedAccess(hardware, hardware, ECAM, 0, 3, 20)
    assert access.read(4, 0, 0, 2) == 0xFFFF
    access.write(4, 0, 4, 2, 6)
    assert hardware.bridges["h0"].counters.reads == 0


def test_driver_that_moves_a_window_is_not_limited_by_its_reg() -> None:
    """fsl,lx2160a-pcie (§1.13, kind B): 8 KiB of `reg`, and buses beyond them are reached."""
    node = Node(size=8 << 10, compatible="fsl,lx2160a-pcie", extra='reg-names = "config_axi_slave";')
    assert pages(node, {}) == ["rp", "other", "ep"]
