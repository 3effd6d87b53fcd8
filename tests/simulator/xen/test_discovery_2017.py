"""The 2017 protocol as the design fixes it: registration, refusals, traps, forwards, late comers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulator.xen.test_hypercalls import VIRT
from tests.simulator.xen.xen_machines import ARM, ECAM, FakeMachine, Page, tree_of, virt_pages

from rootplex.formats.hypercalls import PciDeviceAdd
from rootplex.simulator.hardware import BusError
from rootplex.simulator.linux.hypervisor import HostBridgeAdd
from rootplex.simulator.xen.boot import Firmware
from rootplex.simulator.xen.machine import Xen

MIB = 1 << 20
ARM_2017 = replace(ARM, discovery="dom0", memory=((0x4000_0000, 1 << 30),))


class Windowed:
    """What Dom0's driver of a bridge that is not ECAM makes of an access."""

    def __init__(self) -> None:
        self.pages = virt_pages()

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        page = self.pages.get(bus << 8 | devfn)
        return (1 << 8 * size) - 1 if page is None else page.read(register, size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        if (page := self.pages.get(bus << 8 | devfn)) is not None:
            page.write(register, size, value)


def booted(**settings: Any) -> Xen:
    windows = ((ECAM, 0x1000_0000), (0x50_0000_0000, 0x1000_0000))
    machine = FakeMachine(virt_pages() | {0x4000: Page()}, windows)
    return Xen(replace(ARM_2017, iommu=False, **settings), machine, Firmware(tree=tree_of(VIRT)))


def bridge(
    segment: int = 0,
    start: int = 0,
    end: int = 0x3F,
    *,
    kind: str = "ecam",
    base: int = ECAM,
    size: int | None = None,
) -> HostBridgeAdd:
    span = (end - start + 1) * MIB if size is None else size
    return HostBridgeAdd(segment=segment, start_bus=start, end_bus=end, kind=kind, base=base, size=span)


REFUSED = [
    (bridge(1, 5, 4, base=ECAM + (1 << 29), size=MIB), -22),
    (bridge(1, 0, 0x100, base=0x60_0000_0000), -22),
    (bridge(0x10000, 0, 1, base=0x60_0000_0000), -22),
    (bridge(1, 0, 1, base=0x60_0000_0000, size=MIB), -22),
    (bridge(1, 0, 1, base=0x60_0000_0000, kind="flat"), -22),
    (bridge(0, 0x3F, 0x40, base=0x60_0000_0000), -17),
    (bridge(1, 0, 1, base=ECAM + 0x3F * MIB), -16),
    (bridge(1, 0, 1, base=0x4000_0000, kind="windowed", size=0x1000), -16),
    (bridge(0, 0x40, 0x7F, base=ECAM + 0x40 * MIB), 0),
    (bridge(1, 0, 1, base=0x60_0000_0000, kind="cam", size=2 << 16), 0),
]


@pytest.mark.parametrize(("call", "result"), REFUSED)
def test_registration(call: HostBridgeAdd, result: int) -> None:
    """After a bridge of segment 0, buses 0-3f."""
    xen = booted()
    assert xen.pci_host_bridge_add(bridge(), Windowed()) == 0
    # RAM is the artifacts': this device tree has no memory node, so the settings' counts.
    assert xen.pci_host_bridge_add(call, Windowed()) == result
    assert xen.calls[-1].json()["result"] == result


def test_the_log_has_the_protocols_fields() -> None:
    xen = booted()
    xen.pci_host_bridge_add(bridge(), Windowed())
    args = {"segment": 0, "start_bus": 0, "end_bus": 63, "kind": "ecam", "base": ECAM, "size": 64 * MIB}
    assert xen.calls[0].json() == {"op": "pci_host_bridge_add", "args": args, "result": 0}


def test_a_device_before_its_bridge_is_refused_and_reported() -> None:
    xen = booted()
    device = PciDeviceAdd(seg=0, bus=0, devfn=8)
    assert xen.hypercall("pci_device_add", device) == -19
    assert list(xen.core.records) == []
    xen.pci_host_bridge_add(bridge(), Windowed())
    assert xen.hypercall("pci_device_add", device) == 0
    assert xen.hypercall("pci_device_add", PciDeviceAdd(seg=0, bus=0x40, devfn=8)) == -19
    assert xen.discovery is not None
    assert [(one.what, one.why, one.bus) for one in xen.discovery.refusals] == [
        ("device", "unowned-bus", 0),
        ("device", "unowned-bus", 0x40),
    ]


def test_a_bus_that_two_bridges_claim_is_nobodys() -> None:
    xen = booted()
    assert xen.pci_host_bridge_add(bridge(), Windowed()) == 0
    assert xen.pci_host_bridge_add(bridge(0, 0x20, 0x5F, base=0x50_0000_0000), Windowed()) == -17
    results = [
        xen.hypercall("pci_device_add", PciDeviceAdd(seg=0, bus=bus, devfn=8)) for bus in (0, 0x20, 0x50)
    ]
    assert results == [0, -19, -19]
    assert xen.discovery is not None
    assert [one.why for one in xen.discovery.refusals] == ["shared-bus"] * 3


def test_accesses_are_trapped_once_a_window_is_registered() -> None:
    xen = booted()
    assert [xen.read(ECAM + 0x8000, 4) for _ in range(3)] == [0x10001AF4] * 3
    xen.write(ECAM + 0x8004, 2, 6)
    xen.read(ECAM + 0x40 * MIB, 4)
    xen.pci_host_bridge_add(bridge(), Windowed())
    assert xen.read(ECAM + 0x8004, 2) == 6
    assert xen.discovery is not None
    made = xen.discovery.registrations[0]
    assert (made.untrapped, made.trapped, made.forwarded, made.is_late) == (4, 1, 0, True)
    assert made.bridge.path == "/pcie@4010000000"
    with pytest.raises(BusError):
        xen.read(ECAM + 0x8001, 2)


def test_what_is_not_ecam_is_forwarded_to_dom0() -> None:
    """Every access that Xen makes for a device add goes through Dom0's driver, and is counted."""
    xen = booted()
    config = Windowed()
    call = bridge(3, 0, 0xFF, kind="windowed", base=0x60_0000_0000, size=0x1000)
    assert xen.pci_host_bridge_add(call, config) == 0
    assert xen.hypercall("pci_device_add", PciDeviceAdd(seg=3, bus=0, devfn=8)) == 0
    assert xen.discovery is not None
    made = xen.discovery.registrations[0]
    assert (made.trapped, made.is_late) == (0, False)
    assert made.forwarded > 0
    assert made.switches == 2 * made.forwarded
    assert [record.kind.value for record in xen.core.records] == ["PCI device"]


def test_streams_of_registered_bridges() -> None:
    """The bridge's node is found by its window; the same stream twice is the end here too."""
    machine = FakeMachine(virt_pages(), ((ECAM, 0x1000_0000),))
    text = VIRT.replace("iommu-map =", "iommu-map-mask = <0xf8>; iommu-map =")
    xen = Xen(ARM_2017, machine, Firmware(tree=tree_of(text)))
    xen.pci_host_bridge_add(bridge(0, 0, 0xFF), Windowed())
    assert xen.hypercall("pci_device_add", PciDeviceAdd(seg=0, bus=0, devfn=8)) == 0
    call = xen.call("pci_device_add", {"seg": 0, "bus": 1, "devfn": 8})
    assert call.crash is not None
    assert call.crash.kind == "BUG"


def test_today_s_xen_does_not_speak_it() -> None:
    xen = Xen(ARM, FakeMachine(virt_pages()), Firmware(tree=tree_of(VIRT)))
    assert xen.pci_host_bridge_add(bridge(), Windowed()) == -38


def test_every_architecture_speaks_it() -> None:
    for arch in ("arm", "arm64", "riscv64", "x86_64"):
        xen = booted(arch=arch)
        assert xen.pci_host_bridge_add(bridge(), Windowed()) == 0
        assert xen.hypercall("pci_device_add", PciDeviceAdd(seg=0, bus=0, devfn=8)) == 0
        assert xen.read(ECAM + 0x8000, 4) == 0x10001AF4


def test_the_trace_has_traps_forwards_and_hypercalls_in_order() -> None:
    xen = booted()
    events: list[tuple[str, int, int, int]] = []
    xen.tracer = lambda *event: events.append(event)
    xen.pci_host_bridge_add(bridge(), Windowed())
    xen.read(ECAM + 0x8000, 4)
    xen.pci_host_bridge_add(bridge(3, kind="cam", base=0x60_0000_0000, size=1 << 22), Windowed())
    xen.hypercall("pci_device_add", PciDeviceAdd(seg=3, bus=0, devfn=8))
    assert events[0] == ("hypercall", 0, 0, 0)
    assert events[1] == ("trap-read", ECAM + 0x8000, 4, 0x10001AF4)
    assert events[2][:2] == ("hypercall", 1)
    assert {event[0] for event in events[3:-1]} == {"forward-read"}
    assert events[3][1] >> 12 == 3 << 16 | 8
    assert events[-1][:2] == ("hypercall", 2)


def test_which_segment_a_bridge_has() -> None:
    xen = booted()
    xen.pci_host_bridge_add(bridge(7), Windowed())
    assert [xen.segment_of("/pcie@4010000000"), xen.segment_of("/x")] == [7, None]
