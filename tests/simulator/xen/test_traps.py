"""The access decision table (xen.md §6), the trap's decode (§1.7) and Xen's own accesses (§1.5)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.simulator.xen.test_hypercalls import VIRT, x86
from tests.simulator.xen.test_mcfg import LOW, booted, mcfg
from tests.simulator.xen.xen_machines import ECAM, FakeMachine, add, arm, case_text, leftover, virt_pages

from rootplex.formats.hypercalls import PciMmcfgReserved
from rootplex.simulator.hardware import BusError
from rootplex.simulator.xen.bridges import ConfigWindow, Routes, XenHostBridge
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.outcome import Stopped
from rootplex.simulator.xen.traps import Handler, Target

IDS = 0x10001AF4


def vpci(text: str = VIRT, *windows: tuple[int, int]) -> Xen:
    """L-vpci: vPCI active for Dom0."""
    machine = FakeMachine(virt_pages(), windows or ((ECAM, 0x1000_0000),))
    return arm(text, machine=machine, vpci=True)


def test_vpci_off_goes_to_the_hardware() -> None:
    xen = arm(VIRT)
    assert xen.read(ECAM + 0x8000, 4) == IDS
    assert xen.read(ECAM + (200 << 20), 4) == 0xFFFFFFFF  # v2b
    with pytest.raises(BusError):
        xen.read(ECAM - 4, 4)  # v3b
    assert xen.trapped == 0


SIZES = [(0, 1, True), (0, 2, True), (0, 4, True), (0, 8, True), (1, 2, False), (2, 4, False)]
SIZES += [(4, 8, False), (0, 3, False), (0, 16, False), (0xFFC, 8, False), (0xFF8, 8, True)]


@pytest.mark.parametrize(("register", "size", "allowed"), SIZES)
def test_arm_sizes_and_alignment(register: int, size: int, allowed: bool) -> None:
    """v1: what is not allowed is a data abort in Dom0, not all ones."""
    xen = vpci()
    if allowed:
        assert 0 <= xen.read(ECAM + 0x8000 + register, size) < 1 << 8 * size
        xen.write(ECAM + 0x8000 + register, size, 0)
        return
    with pytest.raises(BusError):
        xen.read(ECAM + 0x8000 + register, size)
    with pytest.raises(BusError):
        xen.write(ECAM + 0x8000 + register, size, 0)


def test_eight_bytes_are_two_halves() -> None:
    xen = vpci()
    assert xen.read(ECAM + 0x8000, 8) == IDS | xen.read(ECAM + 0x8004, 4) << 32
    xen.write(ECAM + 0x8000, 8, 0x0000_0004_0000_0000)
    assert xen.read(ECAM + 0x8004, 2) == 4


def test_buses_outside_the_range_read_zero() -> None:
    """v2 (d8): trapped, routed to no bridge; an add there is refused for its header's sake."""
    xen = vpci(case_text("d8"))
    assert xen.read(ECAM + (0x10 << 20), 4) == 0
    assert xen.read(ECAM + (0xF << 20), 4) == 0xFFFFFFFF
    assert add(xen, 0, 0xF, 0) == -95
    assert leftover(xen, 0, 0xF00) == "ownerless record"


def test_an_unaligned_window_decodes_wrong_registers() -> None:
    """v8 (d16): the register is the address's low 12 bits, so register 0 is asked as 0x100."""
    xen = vpci(case_text("d16"), (ECAM, 0x1000_0000))
    assert xen.read(ECAM + 0x100 + 0x8000, 4) != IDS


def test_a_reversed_range_matches_nothing() -> None:
    """v7 (d6)."""
    assert vpci(case_text("d6")).read(ECAM + 0x8000, 4) == 0


def test_decode() -> None:
    handler = Handler(ECAM, 1 << 28, 7, 0x80)
    assert handler.decode(ECAM + 0x0123_4567) == Target(7, 0x92, 0x34, 0x567)
    assert handler.decode(ECAM + (0x81 << 20)) == Target(7, 0x01, 0, 0)


def test_an_access_that_misses_xens_window_is_xens_end() -> None:
    """v3: the trap is as large as the window, the route leads to an earlier, smaller one. Behind that
    one's mapping is a page of nothing, and then the other bridge's."""
    two = VIRT.replace(
        "iommu-map",
        "iommu-map-mask = <0xffff>; iommu-map",
        1,
    ).replace("0 0x10000000>; bus-range", "0 0x1000000>; bus-range")
    second = two[two.index("    pcie@") : two.rindex("};")].replace("pcie@4010000000", "pcie@5000000000")
    second = second.replace("reg = <0x40 0x10000000 0 0x1000000>", "reg = <0x50 0 0 0x10000000>")
    xen = vpci(two[: two.rindex("};")] + second + "};", (ECAM, 0x1000_0000), (0x50_0000_0000, 0x1000_0000))
    assert len(xen.core.routes.bridges) == 2
    assert xen.read(0x50_0000_0000 + (0x20 << 20), 4) == 0xFFFFFFFF
    with pytest.raises(Stopped):
        xen.read(0x50_0000_0000 + (0x10 << 20), 4)
    assert xen.outcome.startswith("panic: data abort: configuration space of 0000:10")
    with pytest.raises(Stopped):
        xen.read(ECAM, 4)


def test_the_earlier_bridge_has_a_shared_bus() -> None:
    first = XenHostBridge("/a", 0, ConfigWindow(0x1000, 0x1000, 0, 0x7F))
    second = XenHostBridge("/b", 0, ConfigWindow(0x2000, 0x1000, 0x40, 0xFF))
    reversed_ = XenHostBridge("/c", 1, ConfigWindow(0x3000, 0x1000, 9, 3))
    routes = Routes([first, second, reversed_])
    assert [routes.find(0, bus) for bus in (0, 0x40, 0x80)] == [first, first, second]
    assert [routes.find(1, bus) for bus in (3, 6, 9)] == [None] * 3


def test_a_designware_child_refuses_unaligned_accesses() -> None:
    access = arm(case_text("e4")).core.access
    assert access.read(0, 1, 0, 1, 2) == 0
    assert access.read(0, 1, 0, 0, 2) == 0xFFFF


# x86 (§6)


def test_pvh_ecam() -> None:
    xen = booted(mcfg((LOW, 0, 0, 0xFF)), vpci=True)
    assert xen.trapped == 0
    assert (xen.read(LOW, 4), xen.trapped) == (IDS, 1)
    area = PciMmcfgReserved(address=LOW, segment=0, start_bus=0, end_bus=0xFF, flags=1)
    assert xen.hypercall("pci_mmcfg_reserved", area) == 0
    assert [xen.read(LOW, 4), xen.read(LOW + 1, 2), xen.read(LOW + (9 << 20), 1)] == [IDS, 0xFFFF, 0xFF]
    xen.write(LOW + 1, 2, 0)
    assert xen.trapped == 5


@pytest.mark.parametrize("mode", [False, True])
def test_ports(mode: bool) -> None:
    """Segment 0; PV goes to the hardware, PVH is trapped: the same words but for what is unaligned."""
    xen = x86(vpci=mode, iommu=False)
    xen.port_write(0xCF8, 4, 1 << 31 | 8 << 8)
    assert [xen.port_read(0xCFC, 4), xen.port_read(0xCFE, 2), xen.port_read(0xCFD, 1)] == [IDS, 0x1000, 0x1A]
    if mode:
        assert xen.port_read(0xCFD, 2) == 0xFFFF
        assert xen.port_read(0xCF8, 4) == 1 << 31 | 8 << 8
    xen.port_write(0xCF8, 4, 1 << 31 | 9 << 16)
    assert xen.port_read(0xCFC, 4) == 0xFFFFFFFF
    assert replace(xen.settings, vpci=mode) == xen.settings
