"""Requester ids to MSI controllers and device ids: linux.md §1.11, §3.4."""

from __future__ import annotations

import struct

import pytest
from tests.simulator.firmware.routing.routing_firmware import (
    ITS,
    ITS_AT,
    NODE,
    SMMU_AT,
    Scanned,
    acpi,
    device_tree,
    iort,
    madt,
    table,
)
from tests.simulator.groups.pci_trees import PciTree, pci_bridge

from rootplex.report.causes import because
from rootplex.simulator.firmware.facts import Firmware
from rootplex.simulator.firmware.routing.msi import MsiRouter
from rootplex.simulator.firmware.routing.routes import MsiRoute
from rootplex.source.place import DtPlace


def routed(tree: PciTree, name: str, firmware: Firmware, arch: str = "arm64") -> MsiRoute:
    return MsiRouter(Scanned(tree.functions), firmware, arch).route(tree[name])


def by_dt(tree: PciTree, name: str, bridge: str) -> MsiRoute:
    return routed(tree, name, device_tree(bridge))


def one() -> PciTree:
    tree = PciTree()
    tree.add("A", tree.root, 1)
    return tree


def test_msi_map() -> None:
    found = by_dt(one(), "A", "msi-map = <0 &its 0x10000 0x10000>;")
    assert (ITS, "its", 0x10008) == (
        found.controller and found.controller.name,
        found.controller and found.controller.kind,
        found.id,
    )
    assert DtPlace("x.dtb", NODE, "msi-map", 0) == found.place


def test_msi_parent_keeps_the_id() -> None:
    found = by_dt(one(), "A", "msi-parent = <&its 0>;")
    assert (ITS, 0x08) == (found.controller and found.controller.name, found.id)
    assert DtPlace("x.dtb", NODE, "msi-parent", 0) == found.place


@pytest.mark.parametrize(
    ("bridge", "reason"),
    [("", "neither msi-map nor msi-parent"), ("msi-map = <0x100 &its 0 1>;", "no entry covers 0x8")],
)
def test_no_controller_leaves_the_id_as_it_is(bridge: str, reason: str) -> None:
    found = by_dt(one(), "A", bridge)
    assert (None, 0x08) == (found.controller, found.id)
    assert found.cause is not None
    assert reason in because(found.cause)


NAMED, OTHERWISE = "msi-parent = <&pcie>;", "msi-map = <0x100 &its 0 1>;"
# Which driver makes an MSI domain of its bridge's node, when (Linux 7.2, drivers/pci/controller), and who
# finds it there (drivers/pci/of.c, pci_host_bridge_of_msi_domain).
OWN = [
    ("dw_pcie_host_init: neither", "rockchip,rk3568-pcie", "", True),
    ("dw_pcie_host_init: a map", "rockchip,rk3568-pcie", OTHERWISE, False),
    ("dw_pcie_host_init: a parent", "rockchip,rk3568-pcie", "msi-parent = <&its 0>;", False),
    ("brcm_pcie_probe: named", "brcm,bcm2711-pcie", NAMED, True),
    ("brcm_pcie_probe: not named", "brcm,bcm2711-pcie", "", False),
    ("nwl_pcie_init_msi_irq_domain", "xlnx,nwl-pcie-2.11", NAMED, True),
    ("nwl_pcie_init_msi_irq_domain: not named", "xlnx,nwl-pcie-2.11", "", True),
    ("tegra_allocate_domains", "nvidia,tegra210-pcie", "", True),
    ("a map that leaves the id out", "nvidia,tegra210-pcie", OTHERWISE, True),
    ("advk_pcie_init_msi_irq_domain", "marvell,armada-3700-pcie", NAMED, True),
    ("MTK_PCIE_NO_MSI", "mediatek,mt7623-pcie", "", False),
    ("ls_g4_pcie_interrupt_init", "fsl,lx2160a-pcie", "", False),
    ("pci_host_common_init makes none", "pci-host-ecam-generic", NAMED, False),
    ("a driver that is not known", "example,pcie", NAMED, True),
]


@pytest.mark.parametrize(
    ("compatible", "bridge", "itself"), [row[1:] for row in OWN], ids=[row[0] for row in OWN]
)
def test_a_bridge_that_takes_messages_itself(compatible: str, bridge: str, itself: bool) -> None:
    firmware = device_tree(f"msi-controller; {bridge}", label="pcie: ", compatible=compatible)
    found = routed(one(), "A", firmware)
    ends = None if found.controller is None else found.controller.name
    assert ends == (NODE if itself else ITS if "&its 0>" in bridge else None)
    assert (found.id, found.cause is None) == (0x08, ends is not None)


def test_behind_a_pcie_to_pci_bridge_the_alias_counts() -> None:
    tree = PciTree()
    pci_bridge(tree)
    found = by_dt(tree, "P2", "msi-map = <0x200 &its 0x4200 1>;")
    assert (0x200, 0x4200) == (found.rid, found.id)


def test_iort_in_two_steps() -> None:
    """RID to StreamID by the root complex, StreamID to DeviceID by the SMMU."""
    tables = acpi(iort([(0, 0xFF, 0x400, SMMU_AT, 0)], to_its=0x10000), madt(its=[0]))
    found = routed(one(), "A", tables)
    assert [(0x08, 0x408), (0x408, 0x10408)] == [(step.id_in, step.id_out) for step in found.steps]
    assert (0x10408, 0x8080000) == (found.id, found.controller and found.controller.base)


def test_iort_past_the_smmu() -> None:
    tables = acpi(iort([(0, 0xFFFF, 0x500, ITS_AT, 0)]), madt(its=[0]))
    found = routed(one(), "A", tables)
    assert 0x508 == found.id
    assert 1 == len(found.steps)


def test_an_its_that_madt_does_not_have() -> None:
    tables = acpi(iort([(0, 0xFFFF, 0, ITS_AT, 0)]), madt(its=[3]))
    found = routed(one(), "A", tables)
    assert found.controller is None
    assert found.cause is not None
    assert "MADT has no ITS with the id 0" in because(found.cause)


def test_the_local_apic_takes_messages_on_x86() -> None:
    found = routed(one(), "A", acpi(madt(ioapic=True)))
    assert ("lapic", 0xFEE00000) == (
        found.controller and found.controller.kind,
        found.controller and found.controller.base,
    )


@pytest.mark.parametrize(("addresses", "base"), [((0, 0x2800_1000), 0x2800_1000), ((0, 0), None), ((), None)])
def test_on_riscv_the_imsic_of_the_first_processor_that_has_one(
    addresses: tuple[int, ...], base: int | None
) -> None:
    """By RINTC's `imsic_addr` (ACPI 6.6 §5.2.12.24), whatever else MADT has."""
    rintcs = b"".join(
        struct.pack("<BBBBIQIIQI", 24, 36, 1, 0, 1, hart, hart, 0, each, 0x1000)
        for hart, each in enumerate(addresses)
    )
    read = table("APIC", 7, struct.pack("<II", 0, 0) + rintcs)
    found = routed(one(), "A", acpi(read), "riscv64")
    assert (base, 0x08) == (found.controller and found.controller.base, found.id)
