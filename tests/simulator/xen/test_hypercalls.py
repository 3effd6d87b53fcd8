"""The hypercalls' checks and results (xen.md §2): existence, privilege, device records, leftovers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulator.xen.xen_machines import (
    ARM,
    ECAM,
    FakeMachine,
    Page,
    add,
    arm,
    do,
    domctl,
    tree_of,
    virt_pages,
)

from rootplex.formats.errno import name_of
from rootplex.formats.hypercalls import widths
from rootplex.simulator.xen.amd import AmdIommu, Ivrs
from rootplex.simulator.xen.boot import Firmware
from rootplex.simulator.xen.core import Options, PhantomOption
from rootplex.simulator.xen.hypercalls import BY_NAME, OPERATIONS
from rootplex.simulator.xen.iommu import ArmIommu
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.records import DOMID_INVALID, DOMID_IO, DOMID_XEN, Kind

X86 = replace(ARM, arch="x86_64", firmware="acpi")
VIRT = """
/dts-v1/; / { #address-cells = <2>; #size-cells = <2>;
    smmu: iommu@9050000 { compatible = "arm,smmu-v3"; reg = <0 0x9050000 0 0x20000>; #iommu-cells = <1>; };
    pcie@4010000000 {
        compatible = "pci-host-ecam-generic"; device_type = "pci"; #address-cells = <3>; #size-cells = <2>;
        reg = <0x40 0x10000000 0 0x10000000>; bus-range = <0 0xff>; linux,pci-domain = <0>; ranges;
        iommu-map = <0 &smmu 0 0x10000>; };
};"""
SMMU_V2 = VIRT.replace("arm,smmu-v3", "arm,mmu-500")


def x86(pages: dict[int, Page] | None = None, options: Options | None = None, **settings: Any) -> Xen:
    """An x86 Xen without MCFG; segment 0 is reached through the ports."""
    machine = FakeMachine(virt_pages() if pages is None else pages)
    return Xen(replace(X86, **settings), machine, options=options)


def test_numbers_and_layouts() -> None:
    """§2.1."""
    numbers = {operation.name: operation.number for operation in OPERATIONS}
    assert numbers == {
        "manage_pci_add": 15,
        "manage_pci_remove": 16,
        "restore_msi": 19,
        "restore_msi_ext": 27,
        "manage_pci_add_ext": 20,
        "pci_mmcfg_reserved": 24,
        "pci_device_add": 25,
        "pci_device_remove": 26,
        "prepare_msix": 30,
        "release_msix": 31,
        "pci_device_reset": 32,
        "assign_device": 37,
        "test_assign_device": 45,
        "deassign_device": 47,
        "get_device_group": 50,
    }
    assert sum(widths(BY_NAME["pci_mmcfg_reserved"].structure).values()) == 8 * 16
    assert {BY_NAME[name].hypercall for name in ("pci_device_add", "assign_device")} == {33, 36}


@pytest.mark.parametrize("op", ["15", "16", "19", "20", "24", "27", "30", "31"])
def test_what_arm_does_not_have(op: str) -> None:
    name = next(one.name for one in OPERATIONS if str(one.number) == op)
    assert arm(VIRT).call(name, {}).result == -38
    assert x86().call(name, {}).result != -38


def test_a_32_bit_xen_and_riscv_have_no_pci() -> None:
    for arch in ("arm", "riscv64"):
        assert arm(VIRT, arch=arch).call("pci_device_add", {}).result == -38


def test_order_of_the_first_checks() -> None:
    """§2.2: existence, privilege, the switch, the pointer."""
    xen = arm(VIRT)
    assert xen.call("pci_device_add", None, caller=1).result == -1
    assert xen.call("pci_device_add", None).result == -14
    assert xen.call("pci_mmcfg_reserved", None, caller=1).result == -38
    off = arm(VIRT, pci_passthrough=False, iommu=False)
    for op in ("pci_device_add", "pci_device_remove", "pci_device_reset"):
        assert off.call(op, None).result == -95
    assert add(arm(VIRT, pci_passthrough=False), 0, 0, 0) == 0
    assert add(arm(VIRT, iommu=False), 0, 0, 0) == 0


def test_values_are_cut_to_their_fields() -> None:
    xen = arm(VIRT)
    assert add(xen, 0x10000, 0x100, 0x108) == 0
    assert xen.core.records.find(0, 0, 8) is not None


# Device add, remove, reset (§2.3, §2.5, §2.6)


def test_adding_again_and_an_empty_slot() -> None:
    """t1: 0 both times; an empty slot is of unknown type."""
    xen = arm(VIRT)
    assert [add(xen, 0, 5, 0), add(xen, 0, 5, 0)] == [0, 0]
    record = xen.core.records.find(0, 5, 0)
    assert record is not None
    assert record.kind is Kind.UNKNOWN
    assert "unknown-type" in {notice.kind for notice in xen.notices}


def test_a_vf_needs_its_pf() -> None:
    """t2: -ENODEV, and no record is left; with its PF it takes over the PF's extended function flag."""
    xen = arm(VIRT)
    assert add(xen, 0, 0, 0x10, flags=2, physfn=0x08) == -19
    assert xen.core.records.find(0, 0, 0x10) is None
    assert add(xen, 0, 0, 8) == 0
    assert add(xen, 0, 0, 0x10, flags=3, physfn=0x08) == 0
    virtual = xen.core.records.find(0, 0, 0x10)
    assert virtual is not None
    assert (virtual.virtfn, virtual.extfn) == (True, False)


def test_removing_under_smmu_v3_is_the_end_and_under_smmu_v2_is_not() -> None:
    xen = arm(VIRT)
    assert do(xen, "pci_device_remove", 0, 0, 8) == -19
    assert add(xen, 0, 0, 8) == 0
    assert do(xen, "pci_device_remove", 0, 0, 8) == "jump to address 0"
    assert xen.call("pci_device_add", {}).crash is xen.crash
    other = arm(SMMU_V2)
    assert add(other, 0, 0, 8) == 0
    assert [do(other, "pci_device_remove", 0, 0, 8), do(other, "pci_device_remove", 0, 0, 8)] == [0, -19]


def test_removing_a_pf_with_vfs() -> None:
    xen = arm(SMMU_V2)
    add(xen, 0, 0, 8)
    add(xen, 0, 0, 0x10, flags=2, physfn=8)
    assert do(xen, "pci_device_remove", 0, 0, 8) == -16
    assert all(record.broken for record in xen.core.records)
    assert [do(xen, "pci_device_remove", 0, 0, 0x10), do(xen, "pci_device_remove", 0, 0, 8)] == [0, 0]


def test_reset() -> None:
    """t2; n2: an ownerless record is a data abort."""
    xen = arm(VIRT)
    add(xen, 0, 0, 8)
    assert do(xen, "pci_device_reset", 0, 0, 8, flags=4) == -22
    assert do(xen, "pci_device_reset", 0, 0, 0x10, flags=0) == -19
    assert [do(xen, "pci_device_reset", 0, 0, 8, flags=flags) for flags in range(4)] == [0, 0, 0, 0]
    assert add(xen, 3, 0, 0) == -19
    assert do(xen, "pci_device_reset", 3, 0, 0, flags=0) == "data abort"


def test_the_log() -> None:
    xen = arm(VIRT)
    add(xen, 0, 0, 8)
    args = {"seg": 0, "bus": 0, "devfn": 8, "flags": 0, "physfn_bus": 0, "physfn_devfn": 0}
    assert xen.calls[0].json() == {"op": "pci_device_add", "args": args, "result": 0}
    assert name_of(-19) == "-ENODEV"
    assert name_of(0) == "0"


# What a record is made of (§2.4)

KINDS = [
    (0x0604, None, Kind.LEGACY_BRIDGE),
    (0x0604, 4, Kind.PCIE_BRIDGE),
    (0x0604, 7, Kind.PCIE_TO_PCI),
    (0x0604, 8, Kind.PCI_TO_PCIE),
    (0x0600, None, Kind.HOST_BRIDGE),
    (0xFFFF, None, Kind.UNKNOWN),
    (0x0200, 0, Kind.PCIE_ENDPOINT),
    (0x0200, None, Kind.PCI),
]


@pytest.mark.parametrize(("class_", "port", "kind"), KINDS)
def test_device_types(class_: int, port: int | None, kind: Kind) -> None:
    page = Page(class_=class_)
    if port is not None:
        page.pcie(port)
    xen = arm(VIRT, machine=FakeMachine({8: page}))
    assert add(xen, 0, 0, 8) == 0
    record = xen.core.records.find(0, 0, 8)
    assert record is not None
    assert record.kind is kind
    assert record.extended == (port is not None or kind is Kind.HOST_BRIDGE)


def test_the_bus_table_holds_conventional_bridges_as_they_stood() -> None:
    """A legacy bridge of buses 2-3; a root port of bus 4 leaves nothing."""
    legacy = Page(class_=0x0604, header=1).put(0x19, 1, 2).put(0x1A, 1, 3)
    port = Page(class_=0x0604, header=1).pcie(4).put(0x19, 1, 4).put(0x1A, 1, 4)
    xen = arm(VIRT, machine=FakeMachine({8: legacy, 16: port}))
    add(xen, 0, 0, 8)
    add(xen, 0, 0, 16)
    assert xen.core.records.segments[0].upstream == {2: (0, 8), 3: (0, 8)}


def test_phantom_functions() -> None:
    """From Device Capabilities (field 1: stride 4), not for a function at or above the stride; from
    the boot option the stride doubles while a phantom is a real device."""
    capable = Page().pcie(0, capabilities=1 << 3)
    xen = arm(VIRT, machine=FakeMachine({8: capable, 9 + 4: capable}))
    assert [add(xen, 0, 0, 8), add(xen, 0, 0, 13)] == [0, 0]
    assert [record.phantom_stride for record in xen.core.records] == [4, 0]
    assert xen.core.access.read(0, 0, 8, 0, 4) == 0x10001AF4
    options = Options(phantom=(PhantomOption(0, 0, 1, 1),))
    plain, other = Page().pcie(0), Page().pcie(0)
    stride = arm(VIRT, machine=FakeMachine({8: plain, 9: other}), options=options)
    add(stride, 0, 0, 8)
    assert next(iter(stride.core.records)).phantom_stride == 2


def test_a_space_that_repeats_is_not_extended() -> None:
    page = Page().pcie(0)
    for offset in range(0x100, 0x1000, 0x100):
        page.put(offset, 4, page.read(0, 4))
    xen = arm(VIRT, machine=FakeMachine({8: page}))
    add(xen, 0, 0, 8)
    assert not next(iter(xen.core.records)).extended
    xen = arm(VIRT, machine=FakeMachine({8: page}), options=Options(quirks=False))
    add(xen, 0, 0, 8)
    assert next(iter(xen.core.records)).extended


def test_acs_is_switched_on_where_the_iommu_is() -> None:
    """§4.2: SV, RR, CR and UF of what is offered; bits that are on stay on."""
    for iommu, control in ((True, 0x40 | 0x1D), (False, 0x40)):
        page = Page(class_=0x0604).pcie(4).extended(0x100, 0x0D).put(0x104, 2, 0x5F)
        page.put(0x106, 2, 0x40, writable=0x7F)
        add(arm(VIRT, machine=FakeMachine({8: page}), iommu=iommu), 0, 0, 8)
        assert page.read(0x106, 2) == control


def test_vf_bars_are_sized() -> None:
    """A 64-bit BAR of 16 KiB, an I/O BAR (skipped) and a 64-bit one in the last slot (size 0)."""

    def pf(enabled: int) -> Page:
        page = Page().pcie(0).extended(0x100, 0x10).put(0x108, 2, enabled)
        page.put(0x124, 4, 0x4, writable=0xFFFFC000).put(0x128, 4, 0, writable=0xFFFFFFFF)
        return page.put(0x12C, 4, 1).put(0x138, 4, 0x4, writable=0xFFFFF000)

    xen = arm(VIRT, machine=FakeMachine({8: pf(0), 16: pf(1)}))
    add(xen, 0, 0, 8)
    add(xen, 0, 0, 16)
    assert [record.vf_sizes for record in xen.core.records] == [[0x4000, 0, 0, 0, 0, 0], [0] * 6]
    slugs = [notice.kind for notice in xen.notices]
    assert [slug in slugs for slug in ("vf-io-bar", "vf-bar-last-slot", "vfs-already-enabled")] == [True] * 3


# Domctls (§2.8)


def test_assign_test_deassign_and_quarantine() -> None:
    """t2, t3: any device of Dom0's goes to a guest, host bridges too; back it goes to quarantine,
    and from there to Dom0."""
    xen = arm(VIRT)
    guest, other = xen.create_domain("one"), xen.create_domain("two")
    assert domctl(xen, "test_assign_device", guest, 0x10) == -22
    assert domctl(xen, "assign_device", guest, 0x10) == -19
    add(xen, 0, 0, 0)
    assert domctl(xen, "test_assign_device", DOMID_INVALID, 0) == 0
    assert domctl(xen, "assign_device", guest, 0) == 0
    assert domctl(xen, "test_assign_device", guest, 0) == -22
    assert domctl(xen, "assign_device", other, 0) == -16
    assert domctl(xen, "deassign_device", other, 0) == -19
    assert domctl(xen, "deassign_device", guest, 0) == 0
    record = xen.core.records.find(0, 0, 0)
    assert record is not None
    assert record.owner == DOMID_IO
    assert domctl(xen, "test_assign_device", other, 0) == 0
    assert domctl(xen, "deassign_device", DOMID_IO, 0) == 0
    assert record.owner == 0


def test_order_of_the_domctls_checks() -> None:
    xen = arm(VIRT)
    guest = xen.create_domain("one")
    for op in ("assign_device", "test_assign_device", "deassign_device"):
        assert xen.call(op, {"domain": guest}, caller=guest).result == -1
        assert domctl(xen, op, 77, 0) == -3
        assert domctl(xen, op, DOMID_XEN, 0) == -3
        assert domctl(xen, op, 0, 0) == -22
        assert domctl(xen, op, guest, 0, dev=1) == -19
        assert domctl(xen, op, guest, 0, flags=2) == -22
        assert domctl(arm(VIRT, iommu=False), op, 0, 0) == -95  # t4
    assert domctl(xen, "assign_device", DOMID_INVALID, 0) == -3
    add(xen, 0, 0, 8)
    assert domctl(xen, "assign_device", guest, 8, flags=1) == 0
    assert domctl(xen, "deassign_device", guest, 8, flags=1) == -22
    xen.core.domains[guest].dying = True
    assert domctl(xen, "assign_device", guest, 8) == -22
    outside = xen.create_domain("no-iommu", iommu=False)
    assert domctl(xen, "assign_device", outside, 8) == -95


def test_devices_that_do_not_go_to_a_guest() -> None:
    xen = x86(options=Options(hidden=frozenset({(0, 0)})))
    guest, refusing = xen.create_domain("one"), xen.create_domain("two")
    assert domctl(xen, "assign_device", guest, 0) == -16  # hidden
    xen.core.refusing.add(refusing)
    assert domctl(xen, "assign_device", refusing, 8) == -18
    record = xen.core.records.find(0, 0, 8)
    assert record is not None
    record.broken = True
    assert domctl(xen, "assign_device", guest, 8) == -9
    record.broken = False
    masked = Page().put(0x06, 2, 0x10).put(0x34, 1, 0x40).put(0x40, 2, 0x11).put(0x42, 2, 0, writable=0x4000)
    xen = x86({8: masked})
    masked.put(0x42, 2, 0x4000)
    assert domctl(xen, "assign_device", xen.create_domain("one"), 8) == -16


def test_no_quarantine() -> None:
    xen = arm(VIRT, options=Options(quarantine=False))
    guest = xen.create_domain("one")
    add(xen, 0, 0, 8)
    domctl(xen, "assign_device", guest, 8)
    assert domctl(xen, "deassign_device", guest, 8) == 0
    assert next(iter(xen.core.records)).owner == 0


# Groups (§2.9)


def group(xen: Xen, sbdf: int, max_: int = 8) -> tuple[int | None, tuple[int, ...]]:
    call = xen.call("get_device_group", {"domain": 0, "machine_sbdf": sbdf, "max": max_})
    return call.result, call.devices


def below_bridges(*, loop: bool = False) -> dict[int, Page]:
    """A PCIe-to-PCI bridge at 00:01.0 (buses 1-2), a PCI bridge 01:00.0 (bus 2), functions on both."""
    upper = Page(class_=0x0604, header=1).pcie(7).put(0x19, 1, 1).put(0x1A, 1, 2)
    lower = Page(class_=0x0604, header=1).put(0x19, 1, 1 if loop else 2).put(0x1A, 1, 2)
    return {0x008: upper, 0x010: Page().pcie(0), 0x100: lower, 0x108: Page(), 0x200: Page()}


def test_arm_has_no_groups() -> None:
    xen = arm(VIRT, machine=FakeMachine(below_bridges()))
    for rid in below_bridges():
        add(xen, 0, rid >> 8, rid & 0xFF)
    assert group(xen, 0x100) == (0, ())
    assert [len(one) for one in xen.groups()] == [1] * 5


def test_vtd_climbs_to_the_topmost_conventional_bridge() -> None:
    """The output has bus << 16 | devfn << 8, another layout than the input's."""
    xen = x86(below_bridges())
    assert group(xen, 0x010) == (0, ())
    assert group(xen, 0x108) == (0, (0x020000, 0x010000, 0x000800))
    assert group(xen, 0x108, max_=1) == (0, (0x020000,))
    assert sorted(len(one) for one in xen.groups()) == [1, 4]
    assert {record.rid for one in xen.groups() if len(one) == 4 for record in one} == {8, 0x100, 0x108, 0x200}


def test_a_loop_in_the_bus_table_has_no_group() -> None:
    xen = x86(below_bridges(loop=True))
    assert group(xen, 0x108) == (-19, ())


def test_amd_groups_by_requestor() -> None:
    """What is behind a PCIe-to-PCI bridge comes with the id of function 0 on its secondary bus."""
    xen = x86(below_bridges(), Options(x86_iommu="amd"))
    assert group(xen, 0x108) == (0, (0x020000, 0x010000))


def test_group_errors() -> None:
    xen = x86()
    assert xen.call("get_device_group", {"domain": 77}).result == -3
    assert x86(iommu=False).call("get_device_group", {"domain": 0}).result == -95


# x86 (§2.7, §3.3)


def test_x86_knows_its_devices_before_dom0() -> None:
    """Function 0 absent: the slot is passed over; not multi-function: only function 0."""
    pages = {0x00: Page(header=0x80), 0x03: Page(), 0x08: Page(), 0x09: Page(), 0x11: Page(), 0x18: Page()}
    pages[0x18].put(0, 4, 0xFFFF)
    assert [record.rid for record in x86(pages).core.records] == [0x00, 0x03, 0x08]
    assert list(x86(pages, iommu=False).core.records) == []


def test_the_older_calls_know_segment_0_only() -> None:
    xen = x86(iommu=False)
    assert do(xen, "manage_pci_add", 7, 0, 8) == 0
    assert do(xen, "manage_pci_add_ext", 0, 0, 0x10, is_extfn=2) == -22
    assert do(xen, "manage_pci_add_ext", 0, 0, 0x10, is_virtfn=1, physfn_devfn=8) == 0
    assert [record.sbdf for record in xen.core.records] == ["0000:00:01.0", "0000:00:02.0"]
    assert do(xen, "manage_pci_remove", 0, 0, 0x10) == 0
    assert do(xen, "manage_pci_remove", 0, 0, 0x18) == -19


def test_msix_preparation() -> None:
    page = Page().put(0x04, 2, 2).put(0x06, 2, 0x10).put(0x10, 4, 0xFE00_0000).put(0x34, 1, 0x40)
    page.put(0x40, 2, 0x11).put(0x42, 2, 0xC000, writable=0xC000)
    xen = x86({8: page, 16: Page()})
    assert page.read(0x42, 2) == 0
    assert do(xen, "prepare_msix", 0, 1, 0) == -19
    steps = [do(xen, op, 0, 0, 8) for op in ("release_msix", "prepare_msix", "prepare_msix", "release_msix")]
    assert steps == [-16, 0, -16, 0]
    assert do(x86(options=Options(msi=False)), "prepare_msix", 0, 1, 0) == 0
    assert do(xen, "prepare_msix", 0, 0, 16) == "page fault"


def test_restore_msi() -> None:
    xen = x86()
    assert [do(xen, "restore_msi", 0, 0, 8), do(xen, "restore_msi_ext", 0, 0, 8)] == [0, 0]
    assert [do(xen, "restore_msi", 0, 9, 8), do(xen, "restore_msi_ext", 1, 0, 8)] == [-19, -19]


def test_y3_a_bus_that_the_window_cuts_is_xens_end() -> None:
    cut = VIRT.replace("0x10000000>; bus-range", "0x180000>; bus-range")
    xen = Xen(ARM, FakeMachine(virt_pages(), ((ECAM, 0x180000),)), Firmware(tree=tree_of(cut)))
    assert [add(xen, 0, 1, 0), add(xen, 0, 1, 0x80)] == [0, "data abort"]
    assert all(before is not after for before, after in pairwise(xen.calls))


def test_amd_and_the_smmu_refuse() -> None:
    """§3.5: no IOMMU for the device, invalid in IVRS; §2.8: a stream goes back to Dom0 only."""
    xen = x86()
    ivrs = Ivrs()
    ivrs.say((0, 0x10), 0x18)
    xen.core.iommu = AmdIommu(xen.core, ivrs, frozenset({(0, 0x10)}))
    guest = xen.create_domain("one")
    assert domctl(xen, "assign_device", guest, 8) == -19
    smmu = arm(VIRT)
    add(smmu, 0, 0, 8)
    assert isinstance(smmu.core.iommu, ArmIommu)
    record = next(iter(smmu.core.records))
    assert [smmu.core.iommu.reassign(record, domain, record.devfn) for domain in (0, DOMID_IO, 1)] == [
        0,
        0,
        -1,
    ]


def test_smmu_v2_gives_a_device_away_through_the_quarantine_alone() -> None:
    """`arm_smmu_assign_dev`: an attached device is refused, and is in the guest's list all the same."""
    xen = arm(SMMU_V2, iommu=True)
    guest = xen.create_domain("one")
    assert [add(xen, 0, 0, devfn) for devfn in (8, 0x10)] == [0, 0]
    assert domctl(xen, "assign_device", guest, 8) == -17
    record = xen.core.records.find(0, 0, 8)
    assert record is not None
    assert record.owner == guest
    assert domctl(xen, "deassign_device", guest, 8) == -3
    assert [domctl(xen, "assign_device", owner, 0x10) for owner in (DOMID_IO, guest)] == [0, 0]
    assert domctl(xen, "deassign_device", guest, 0x10) == 0
