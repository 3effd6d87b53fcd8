"""Xen on the real fabric: what the hardware tells besides its addresses."""

from __future__ import annotations

from tests.hardware_images import Image, endpoint, root_port
from tests.simulator.xen.test_hypercalls import VIRT
from tests.simulator.xen.xen_machines import ARM, ECAM, add, case_text, tree_of

from rootplex.simulator.xen.boot import Firmware, wiring_of
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.records import Kind


def booted(text: str, image: Image) -> Xen:
    """A root port at 00:01.0, whose bus is 1, and a function below it."""
    image.tree([("port", 8, root_port(acs=0x5F), [("nic", 0, endpoint())])])
    hardware = image.hardware()
    hardware.write(ECAM + 0x8018, 4, 0x010100)
    return Xen(ARM, hardware, Firmware(tree=tree_of(text)), wiring=wiring_of(hardware))


def test_devices_of_the_fabric() -> None:
    xen = booted(VIRT, Image().bridge(base=ECAM))
    assert [add(xen, 0, 0, 8), add(xen, 0, 1, 0)] == [0, 0]
    assert [record.kind for record in xen.core.records] == [Kind.PCIE_BRIDGE, Kind.PCIE_ENDPOINT]
    offset = next(at for at in range(0x100, 0x200, 4) if xen.core.access.read(0, 0, 8, at, 2) == 0x0D)
    assert xen.core.access.read(0, 0, 8, offset + 6, 2) == 0x1D


def test_the_stream_table_is_the_hardwares() -> None:
    """8 bits: bus 0's streams fit, bus 1's do not."""
    xen = booted(VIRT, Image().bridge(base=ECAM, stream_id_bits=8))
    assert [add(xen, 0, 0, 8), add(xen, 0, 1, 0)] == [0, -34]


def test_a_child_window_shows_the_bus_it_was_set_to() -> None:
    """e4: the root bus through `dbi`, the others through the outbound window."""
    config = {"name": "config", "base": ECAM + 0x40_0000, "size": 0x2000}
    xen = booted(case_text("e4"), Image().bridge(base=ECAM, registers=[config]))
    assert xen.core.access.read(0, 1, 0, 0, 4) == 0x01001234
    assert xen.core.access.read(0, 2, 0, 0, 4) == 0xFFFFFFFF
    assert add(xen, 0, 1, 0) == 0
    assert add(xen, 0, 0, 8) == "data abort"  # 00:01.0 lies beyond the 4 KiB that are mapped
