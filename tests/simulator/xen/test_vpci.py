"""vPCI on a running Xen (xen.md §5.2-§5.4, §1.8): headers, capability lists, virtual SBDFs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.simulator.xen.test_hypercalls import VIRT, x86
from tests.simulator.xen.xen_machines import ARM, ECAM, FakeMachine, Page, add, arm, domctl, leftover

from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.vpci.device import Vpci

WINDOW = "ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x10000000>;"
TREE = VIRT.replace("ranges;", WINDOW)
AT = ECAM + 0x8000
BAR = 0x1000_4000
MEMORY = 2


def nic(*, bar: int = BAR, command: int = MEMORY, size: int = 0x4000) -> Page:
    """A 16 KiB memory BAR, an I/O BAR, MSI at 0x40, power management at 0x50, MSI-X at 0x60."""
    page = Page().put(0x04, 2, command, writable=0xFFFF).put(0x06, 2, 0x10).put(0x34, 1, 0x40, writable=0xFF)
    page.put(0x10, 4, bar, writable=0xFFFFFFFF & -size).put(0x14, 4, 0xE001, writable=0xFFE0)
    page.put(0x40, 2, 0x5005).put(0x50, 2, 0x6001).put(0x60, 2, 0x0011)
    return page


def booted(page: Page) -> tuple[Xen, Vpci]:
    xen = arm(TREE, machine=FakeMachine({8: page, 9: nic(), 0x100: nic()}), vpci=True)
    assert xen.vpci is not None
    return xen, xen.vpci


def given_away(page: Page) -> tuple[Xen, Vpci, int]:
    """The device assigned to a guest."""
    xen, vpci = booted(page)
    guest = xen.create_domain("guest")
    assert add(xen, 0, 0, 8) == 0
    assert domctl(xen, "assign_device", guest, 8) == 0
    return xen, vpci, guest


# Dom0


def test_dom0_sizes_a_bar_natively_and_cannot_move_a_mapped_one() -> None:
    page = nic()
    xen, _ = booted(page)
    add(xen, 0, 0, 8)
    assert page.read(4, 2) == MEMORY
    xen.write(AT + 0x10, 4, 0xFFFFFFFF)
    assert page.read(0x10, 4) == BAR
    assert "mapped-bar-write" in {notice.kind for notice in xen.notices}
    xen.write(AT + 4, 2, 0)
    xen.write(AT + 0x10, 4, 0xFFFFFFFF)
    assert xen.read(AT + 0x10, 4) == 0xFFFFC000
    xen.write(AT + 0x14, 4, 0xFFFFFFFF)
    assert xen.read(AT + 0x14, 4) == 0xFFE1
    xen.write(AT + 0x10, 4, BAR)
    xen.write(AT + 4, 2, MEMORY)
    assert page.read(0x10, 4) == BAR


def test_a_bar_outside_every_window_is_not_mapped() -> None:
    """§1.8."""
    for bar, valid in ((BAR, True), (0x5000_0000, False)):
        xen, vpci = booted(nic(bar=bar))
        add(xen, 0, 0, 8)
        assert bool([*next(iter(vpci.devices.values())).header.mapped()]) == valid
        assert ("invalid-bar" in {notice.kind for notice in xen.notices}) != valid


def test_what_was_mapped_is_left_when_the_device_goes() -> None:
    """`vpci_deassign_device` takes no page out of Dom0's memory (a real Xen, with Dom0's load after it)."""
    xen, vpci = booted(nic())
    guest = xen.create_domain("guest")
    add(xen, 0, 0, 8)
    record = next(iter(vpci.devices))
    assert domctl(xen, "assign_device", guest, 8) == 0
    assert vpci.left == [(0, record, (BAR, BAR + 0x4000))]


def test_the_rom_is_mapped_where_its_own_bit_and_memory_decoding_are_on() -> None:
    page = nic().put(0x30, 4, 0, writable=0xFFFF0001)
    xen, vpci = booted(page)
    add(xen, 0, 0, 8)
    header = next(iter(vpci.devices.values())).header
    rom = 0x1010_0000
    xen.write(AT + 0x30, 4, rom | 1)
    assert (rom, rom + 0x10000) in header.mapped()
    xen.write(AT + 0x30, 4, 0x1020_0001)
    assert page.read(0x30, 4) == rom | 1
    xen.write(AT + 4, 2, 0)
    assert [*header.mapped()] == []
    xen.write(AT + 0x30, 4, 0x1020_0000)
    xen.write(AT + 4, 2, MEMORY)
    assert [*header.mapped()] == [(BAR, BAR + 0x4000)]


def test_a_bar_that_was_not_mapped_can_be_moved_while_memory_is_decoded() -> None:
    page = nic(bar=0x5000_0000)
    xen, vpci = booted(page)
    add(xen, 0, 0, 8)
    xen.write(AT + 0x10, 4, BAR)
    assert (page.read(0x10, 4), [*next(iter(vpci.devices.values())).header.mapped()]) == (BAR, [])


def test_a_ring_of_capabilities_is_refused() -> None:
    xen, _ = booted(nic().put(0x61, 1, 0x40))
    assert add(xen, 0, 0, 8) == -17


def test_dom0_sees_the_whole_list_and_its_pointer_writes_reach_hardware() -> None:
    page = nic().pcie(0)
    page.put(0x34, 1, 0x40, writable=0xFF).put(0x40, 2, 0x5010).extended(0x100, 0x0D, 0x148).extended(
        0x148, 0x10
    )
    page.put(0x100, 4, page.read(0x100, 4), writable=0xFFFFFFFF)
    xen, vpci = booted(page)
    add(xen, 0, 0, 8)
    assert [xen.read(AT + at, 1) for at in (0x34, 0x41, 0x51, 0x61)] == [0x40, 0x50, 0x60, 0]
    xen.write(AT + 0x34, 1, 0x50)
    assert (xen.read(AT + 0x34, 1), page.read(0x34, 1)) == (0x40, 0x50)
    xen.write(AT + 0x100, 4, 0)
    assert page.read(0x100, 4) == 0x1481000D
    device = next(iter(vpci.devices.values()))
    device.capabilities.hide(0x50)
    assert xen.read(AT + 0x41, 1) == 0x60


def test_a_header_that_is_none_is_refused() -> None:
    xen, _ = booted(nic().put(0x0E, 1, 2))
    assert add(xen, 0, 0, 8) == -95
    assert leftover(xen, 0, 8) == "ownerless record"


# Guests


def test_virtual_sbdfs() -> None:
    """§5.4: the lowest free slot; function 0 only; 32 of them. What vPCI alone refuses is the guest's
    all the same (`assign_device` does not go back on it)."""
    pages = {bus << 8 | dev << 3: nic() for bus in range(3) for dev in range(16)}
    xen = arm(TREE, machine=FakeMachine(pages | {1: nic()}), vpci=True, iommu=True)
    guest = xen.create_domain("guest")
    for rid in (*pages, 1):
        assert add(xen, 0, rid >> 8, rid & 0xFF) == 0
    assert domctl(xen, "assign_device", guest, 1) == -95
    results = [domctl(xen, "assign_device", guest, rid) for rid in pages]
    assert results == [0] * 32 + [-28] * 16
    record = xen.core.records.find(0, 2, 0)
    assert record is not None
    assert record.owner == guest
    assert [domctl(xen, "deassign_device", guest, rid) for rid in (8, 0x200)] == [0, 0]
    assert domctl(xen, "assign_device", guest, 0x200) == 0
    assert xen.vpci is not None
    assert xen.vpci.slots[guest].taken[1] is record


def test_a_guest_sees_msi_only() -> None:
    """Ids pass, other links are skipped, the extended space is denied."""
    _, vpci, guest = given_away(nic())

    def read(register: int, size: int) -> int:
        return vpci.guest_read(guest, 0, register, size)

    assert [read(0x34, 1), read(0x40, 2), read(0x60, 2), read(0x50, 2)] == [0x40, 0x6005, 0x0011, 0xFFFF]
    assert [read(0x06, 2) & 0x10, read(0x100, 4), read(0x104, 4)] == [0x10, 0xFFFFFFFF, 0xFFFFFFFF]
    assert vpci.guest_read(guest, 8, 0x34, 1) == 0xFF
    assert vpci.guest_read(guest + 1, 0, 0x34, 1) == 0xFF


def test_a_guest_has_no_extended_capabilities() -> None:
    _, vpci, guest = given_away(nic().pcie(0).extended(0x100, 0x0D))
    assert [vpci.guest_read(guest, 0, at, 4) for at in (0x100, 0x104)] == [0, 0xFFFFFFFF]


def test_a_guest_without_capabilities_has_no_list() -> None:
    page = nic().put(0x40, 2, 0x0001)
    _, vpci, guest = given_away(page)
    assert vpci.guest_read(guest, 0, 0x06, 2) & 0x10 == 0
    assert vpci.guest_read(guest, 0, 0x34, 1) == 0


def test_a_guest_has_bars_and_a_command_register_of_its_own() -> None:
    page = nic()
    _, vpci, guest = given_away(page)

    def at(register: int, size: int, value: int | None = None) -> int:
        if value is not None:
            vpci.guest_write(guest, 0, register, size, value)
        return vpci.guest_read(guest, 0, register, size)

    assert (at(4, 2), page.read(4, 2)) == (0, 0)
    assert [at(0x10, 4), at(0x10, 4, 0xFFFFFFFF), at(0x10, 4, 0x2300_0000)] == [BAR, 0xFFFFC000, 0x2300_0000]
    assert [at(0x14, 4, 0xFFFFFFFF), at(0x18, 4, 0xFFFFFFFF), at(0x30, 4, 0xFFFFFFFF)] == [0, 0, 0]
    assert at(4, 2, 0xFFFF) == 0xFFFF & ~(0xF800 | 1 | 0x40 | 0x80 | 0x100 | 0x200)
    assert page.read(0x10, 4) == BAR
    assert at(4, 2, 0) == 0


@pytest.mark.parametrize(("guest_bar", "mapped"), [(0x2300_0800, True), (0x2300_0000, False)])
def test_a_guest_bar_must_lie_in_its_page_as_the_hosts_does(guest_bar: int, mapped: bool) -> None:
    """`modify_bars` refuses, and `cmd_write` leaves all as it is: the guest runs on."""
    page = nic(bar=BAR + 0x800, size=0x800)
    xen, vpci, guest = given_away(page)
    vpci.guest_write(guest, 0, 0x10, 4, guest_bar)
    vpci.guest_write(guest, 0, 4, 2, MEMORY)
    assert bool([*next(iter(vpci.devices.values())).header.mapped()]) is mapped
    assert page.read(4, 2) == (MEMORY if mapped else 0)
    assert ("bar-offset" in {notice.kind for notice in xen.notices}) is not mapped
    assert not xen.core.domains[guest].crashed


# MSI, MSI-X, resizable BARs (§5.3)


def pvh(page: Page) -> tuple[Xen, Callable[..., int]]:
    """A PVH Dom0 that owns the device at 00:01.0, reached through the ports."""
    xen = Xen(replace(ARM, arch="x86_64", firmware="acpi", iommu=False, vpci=True), FakeMachine({8: page}))
    assert add(xen, 0, 0, 8) == 0

    def at(register: int, size: int, value: int | None = None) -> int:
        xen.port_write(0xCF8, 4, 1 << 31 | 8 << 8 | register & 0xFC)
        if value is not None:
            xen.port_write(0xCFC + register % 4, size, value)
        return xen.port_read(0xCFC + register % 4, size)

    return xen, at


def test_msi_registers_are_xens() -> None:
    """64-bit with mask bits: address at 4 and 8, data at 12, mask at 16. No more vectors are wanted than the
    eight that there are; switching it on reaches the hardware's control."""
    page = nic().put(0x40, 2, 0x0005).put(0x42, 2, 0x0180 | 3 << 1, writable=0xFFFF)
    _, at = pvh(page)
    assert at(0x42, 2, 0xFFFF) == 0x01B7
    assert at(0x44, 4, 0xFEE0_1003) == 0xFEE0_1003
    assert [at(0x48, 4, 1), at(0x4C, 2, 0x4021), at(0x50, 4, 5)] == [1, 0x4021, 5]
    assert page.read(0x42, 2) == 0x01B7
    assert page.read(0x44, 4) == 0


MSIX = [(0x0003, 0x0000, 0x1000, False), (0x0003, 0x0006, 0x1000, True), (0x0003, 0x3FE0, 0x1000, True)]
MSIX += [(0x0003, 0x0000, 0x4000, True), (0x0003, 0x0002, 0x1000, True), (0x03FF, 0x0000, 0x3F80, False)]


@pytest.mark.parametrize(("control", "table", "pba", "hidden"), MSIX)
def test_an_msix_that_does_not_fit_is_hidden(control: int, table: int, pba: int, hidden: bool) -> None:
    """BAR 0 has 16 KiB; BIR 6 is none, BIR 2 is an empty BAR. The link before leads past it."""
    page = nic().put(0x62, 2, control).put(0x64, 4, table).put(0x68, 4, pba)
    xen, at = pvh(page)
    assert (at(0x51, 1) == 0) is hidden
    assert ("msix-hidden" in {notice.kind for notice in xen.notices}) is hidden
    assert at(0x62, 2, 0xC000) == (control if hidden else control | 0xC000)


def test_a_guests_intx_is_off_while_msi_is_on() -> None:
    _, vpci, guest = given_away(nic())

    class On:
        enabled = True

    next(iter(vpci.devices.values())).header.interrupts.append(On())
    vpci.guest_write(guest, 0, 4, 2, 0)
    assert vpci.guest_read(guest, 0, 4, 2) == 0x400


def test_resizable_bars() -> None:
    """BAR 0 offers 1 and 2 MiB: refused while mapped, an unoffered size written with a warning."""
    page = nic(bar=0x1000_0000, size=1 << 20).pcie(0)
    page.extended(0x100, 0x15).put(0x104, 4, 0x30).put(0x108, 4, 1 << 5, writable=0x3F00)
    xen, vpci = booted(page)
    add(xen, 0, 0, 8)
    bar = next(iter(vpci.devices.values())).header.bars[0]
    slugs: list[str] = []
    for command, code in ((MEMORY, 1), (0, 1), (0, 3)):
        xen.write(AT + 4, 2, command)
        if not command:
            page.put(0x10, 4, 0x1000_0000, writable=0xFFFFFFFF & -(1 << 20 + code))
        xen.write(AT + 0x108, 4, code << 8 | 1 << 5)
        slugs = [notice.kind for notice in xen.notices if notice.kind.startswith("rebar")]
        assert bar.size == (1 << 20 if command else 1 << 20 + code)
    assert slugs == ["rebar-mapped", "rebar-size"]
    assert page.read(0x108, 4) == 3 << 8 | 1 << 5


def test_a_refused_assignment_leaves_dom0_without_the_emulation() -> None:
    """Xen takes Dom0's emulation down before its driver refuses: no host bridge goes to a guest. The device
    stays Dom0's, which reaches it unfiltered from then on."""
    bridge = nic().put(0x0A, 2, 0x0600)
    xen = x86({0: bridge, 8: nic()}, vpci=True)
    assert xen.vpci is not None
    guest = xen.create_domain("guest")
    assert {record.rid for record in xen.vpci.devices} == {0, 8}
    assert domctl(xen, "assign_device", guest, 0) == -1
    assert {record.rid for record in xen.vpci.devices} == {8}
    assert "emulation-lost" in {notice.kind for notice in xen.notices}
    xen.vpci.write(0, 0, 0, 0x10, 4, 0xFFFFFFFF)
    assert bridge.read(0x10, 4) == 0xFFFFC000
