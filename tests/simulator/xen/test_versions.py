"""What Xen 4.17 and 4.20 do otherwise than the reference's commit, each from that version's source."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulator.xen.recorded_machine import mcfg_of
from tests.simulator.xen.test_hypercalls import VIRT, X86, group
from tests.simulator.xen.xen_machines import ECAM, FakeMachine, Page, add, arm, do, domctl, virt_pages

from rootplex.known.xen import VERSIONS
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.simulator.xen.boot import Firmware
from rootplex.simulator.xen.core import Options
from rootplex.simulator.xen.machine import Xen

ALL = tuple(VERSIONS)


def pf(*, io: bool = False) -> Page:
    """A PF whose first VF BAR has 16 KiB, or is in I/O space."""
    page = Page().pcie(0).extended(0x100, 0x10)
    if io:
        return page.put(0x124, 4, 1)
    return page.put(0x124, 4, 0x4, writable=0xFFFFC000).put(0x128, 4, 0, writable=0xFFFFFFFF)


def booted(version: str, pages: dict[int, Page] | None = None, **settings: Any) -> Xen:
    """An x86 Xen with an MCFG whose area is reserved."""
    machine = FakeMachine(virt_pages() if pages is None else pages)
    mcfg = read_mcfg(read_table(mcfg_of([[ECAM, 0, 0, 0xFF]]), "mcfg.aml"))
    options = Options(reserved=machine.windows)
    return Xen(replace(X86, xen=version, **settings), machine, Firmware(mcfg=mcfg), options=options)


@pytest.mark.parametrize(("version", "answer"), list(zip(ALL, (-38, 0, 0), strict=True)))
def test_reset_notifications(version: str, answer: int) -> None:
    """`pci_physdev_op` of 4.17 has no such operation."""
    assert do(booted(version), "pci_device_reset", 0, 0, 8, flags=0) == answer


@pytest.mark.parametrize(("version", "answer"), list(zip(ALL, (0, -19, -19), strict=True)))
def test_a_vf_without_its_pf(version: str, answer: int) -> None:
    """`pci_add_device` of 4.17 adds the PF first, whatever comes of it."""
    xen = booted(version, iommu=False)
    assert add(xen, 0, 0, 8, flags=2, physfn=0x10) == answer
    assert (xen.core.records.find(0, 0, 0x10) is not None) == (answer == 0)


@pytest.mark.parametrize(("version", "answer"), list(zip(ALL, (0, -16, -16), strict=True)))
def test_a_pf_with_vfs_is_removed(version: str, answer: int) -> None:
    """`pci_remove_device` of 4.17 does not know which VFs are whose."""
    xen = booted(version, iommu=False)
    assert [add(xen, 0, 0, 0x10), add(xen, 0, 0, 8, flags=2, physfn=0x10)] == [0, 0]
    assert do(xen, "pci_device_remove", 0, 0, 0x10) == answer


@pytest.mark.parametrize(("version", "end"), list(zip(ALL, ("endless loop", 0, 0), strict=True)))
def test_a_vf_bar_in_io_space(version: str, end: str | int) -> None:
    """The loop of `pci_add_device` in 4.17 continues without counting on."""
    assert add(booted(version, {8: pf(io=True)}, iommu=False), 0, 0, 8) == end


@pytest.mark.parametrize(("version", "others"), list(zip(ALL, (0, 1, 1), strict=True)))
def test_a_pci_to_pcie_bridge_groups_what_is_below(version: str, others: int) -> None:
    """`alloc_pdev` of 4.17 leaves it out of the bus table."""
    bridge = Page(class_=0x0604, header=1).pcie(8).put(0x19, 1, 1).put(0x1A, 1, 1)
    xen = booted(version, {8: bridge, 0x100: Page()})
    assert len(group(xen, 0x100)[1]) == others


@pytest.mark.parametrize(("version", "answer"), list(zip(ALL, (-38, -38, 0), strict=True)))
def test_arm_has_pci_since_a_build_can_have_it(version: str, answer: int) -> None:
    """`PCI_PASSTHROUGH` of `arch/arm/Kconfig` is younger than 4.20; without it there is no bridge, no
    operation, and no device to assign."""
    xen = arm(VIRT, xen=version)
    assert add(xen, 0, 0, 8) == answer
    assert bool(xen.core.routes.bridges) == (answer == 0)
    guest = xen.create_domain("one")
    assert domctl(xen, "assign_device", guest, 8) == (0 if answer == 0 else -19)
    asked = xen.call("get_device_group", {"domain": guest, "machine_sbdf": 8})
    assert asked.result == (0 if answer == 0 else -38)


@pytest.mark.parametrize(("version", "sized"), list(zip(ALL, (True, True, False), strict=True)))
def test_extended_space_that_repeats_the_first_256_bytes(version: str, sized: bool) -> None:
    """Only `pci_check_extcfg` notices; before it the capability list is tried all the same."""
    page = pf()
    ids = page.read(0x100, 4)
    page.put(0, 4, ids)
    for offset in range(0x200, 0x1000, 0x100):
        page.put(offset, 4, ids)
    xen = booted(version, {8: page}, iommu=False)
    add(xen, 0, 0, 8)
    record = xen.core.records.find(0, 0, 8)
    assert record is not None
    assert (record.vf_sizes[0] == 0x4000) == sized


@pytest.mark.parametrize(("version", "end"), list(zip(ALL, (0, 0, "assertion"), strict=True)))
def test_a_record_that_was_freed_while_listed(version: str, end: str | int) -> None:
    """A release build checks no list; 4.17 frees nothing there."""
    pages = virt_pages() | {0x10: Page(), 0x18: Page()}
    xen = booted(version, pages, iommu=False)
    for devfn in (8, 0x10, 0x18):
        assert add(xen, 0, 0, devfn) == 0
    add(xen, 0, 0, 0x10, flags=2, physfn=0x4000)
    assert do(xen, "pci_device_remove", 0, 0, 8) == end


def test_vpci_stays_as_it_is_when_a_device_is_assigned_in_4_17() -> None:
    """`assign_device` of 4.17 does not touch vPCI."""
    for version, kept in zip(ALL, (True, False, False), strict=True):
        xen = booted(version, vpci=True)
        guest = xen.create_domain("one")
        assert domctl(xen, "assign_device", guest, 8) == 0
        assert xen.vpci is not None
        record = xen.core.records.find(0, 0, 8)
        assert (record in xen.vpci.devices) == kept


def test_numbers_of_three_cells() -> None:
    """`dt_read_number` took any number of cells up to 4.20."""
    three = VIRT.replace(
        "pcie@4010000000 {",
        "soc { #address-cells = <3>; #size-cells = <2>; "
        "ranges = <0 0x40 0x10000000 0x40 0x10000000 0 0x10000000>; pcie@4010000000 {",
    )
    three = three.replace("reg = <0x40 0x10000000 0 0x10000000>", "reg = <0 0x40 0x10000000 0 0x10000000>")
    text = three.replace("iommu-map = <0 &smmu 0 0x10000>; };", "iommu-map = <0 &smmu 0 0x10000>; }; };")
    ends = [arm(text, machine=FakeMachine(virt_pages()), xen=version).crash for version in ALL]
    assert [end.kind if end else None for end in ends] == [None, None, "assertion"]


@pytest.mark.parametrize(("version", "enabled"), list(zip(ALL, (False, True, True), strict=True)))
def test_an_mcfg_area_in_a_hole_of_the_memory_map(version: str, enabled: bool) -> None:
    """`pci_mmcfg_reject_broken` of 4.17 wants it reserved, whatever the year of the BIOS."""
    mcfg = read_mcfg(read_table(mcfg_of([[ECAM, 0, 0, 0xFF]]), "mcfg.aml"))
    xen = Xen(replace(X86, xen=version), FakeMachine(virt_pages()), Firmware(mcfg=mcfg))
    assert xen.core.windows.state == (enabled,)


@pytest.mark.parametrize(("version", "end"), list(zip(ALL, ("page fault", -22, -22), strict=True)))
def test_removing_a_record_without_owner(version: str, end: str | int) -> None:
    """`vpci_remove_device` of 4.17 reads the owner's flags; a real 4.17.7 goes down so. VT-d gives the
    absent function of segment 1 to nobody."""
    xen = booted(version)
    assert add(xen, 1, 0, 8) == -22
    assert do(xen, "pci_device_remove", 1, 0, 8) == end
