"""The numbers of PCI: configuration space by layout, device and port types, capabilities, ACS.

Sources: PCIe 6.0 §7.2.2 (ECAM), §7.5.3.2 (types), §7.7.11 (ACS), §7.9 and §9.3 (extended capabilities); PCI
Code and ID Assignment 1.16 (capability ids).
"""

from __future__ import annotations

from enum import IntEnum

BUS_SIZE = {"ecam": 1 << 20, "quirk": 1 << 20, "cam": 1 << 16}
"""Bytes of configuration space a bus takes, by kind of host bridge (linux.md §1.6)."""

ECAM_BUS, CAM_BUS = BUS_SIZE["ecam"], BUS_SIZE["cam"]


class PcieType(IntEnum):
    """Device/Port Types of the PCI Express capability."""

    ENDPOINT = 0
    LEGACY_ENDPOINT = 1
    ROOT_PORT = 4
    UPSTREAM_PORT = 5
    DOWNSTREAM_PORT = 6
    PCIE_TO_PCI_BRIDGE = 7
    PCI_TO_PCIE_BRIDGE = 8
    INTEGRATED_ENDPOINT = 9
    EVENT_COLLECTOR = 10

    @property
    def word(self) -> str:
        """The type in the language: `root-port`."""
        return self.name.lower().replace("_", "-")


class Capability(IntEnum):
    """Ids of the capabilities in the first 256 bytes."""

    POWER_MANAGEMENT = 0x01
    MSI = 0x05
    PCIX = 0x07
    SUBSYSTEM = 0x0D
    EXPRESS = 0x10
    MSIX = 0x11
    ADVANCED_FEATURES = 0x13
    ENHANCED_ALLOCATION = 0x14


class ExtendedCapability(IntEnum):
    """Ids of the capabilities from 0x100 on."""

    AER = 0x01
    ACS = 0x0D
    ARI = 0x0E
    ATS = 0x0F
    SRIOV = 0x10


ACS_BITS = {"sv": 0x01, "tb": 0x02, "rr": 0x04, "cr": 0x08, "uf": 0x10, "ec": 0x20, "dt": 0x40}
"""ACS capability and control bits by their words in the language: source validation, translation
blocking, request and completion redirect, upstream forwarding, egress control, direct translated."""


class SriovRegister(IntEnum):
    """Registers of the SR-IOV capability, by their offset in it (PCIe 6.0 §9.3.3)."""

    CAPABILITIES = 0x04
    CONTROL = 0x08
    STATUS = 0x0A
    INITIAL_VFS = 0x0C
    TOTAL_VFS = 0x0E
    NUM_VFS = 0x10
    FUNCTION_LINK = 0x12
    FIRST_VF_OFFSET = 0x14
    VF_STRIDE = 0x16
    VF_DEVICE = 0x1A
    PAGE_SIZES = 0x1C
    SYSTEM_PAGE_SIZE = 0x20
    VF_BARS = 0x24


VF_ENABLE, VF_MEMORY, ARI_HIERARCHY = 0x01, 0x08, 0x10
"""Bits of SR-IOV's control register."""


def devfn_text(devfn: int) -> str:
    """`dd.f`, as Linux and lspci write a device and function number."""
    return f"{devfn >> 3:02x}.{devfn & 7}"


def sbdf_text(segment: int, bus: int, devfn: int) -> str:
    """`ssss:bb:dd.f`."""
    return f"{segment:04x}:{bus:02x}:{devfn_text(devfn)}"
