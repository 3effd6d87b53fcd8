"""The fields of ACPI structures, in order: name and bytes; and the numbers that stand in them.

Sources: ACPI 6.5 §5.2.6 (header), §6.4.3.5 (address spaces); PCI Firmware 3.3 §4.1.2 (MCFG), table 4-7
(`_OSC`); Arm DEN 0049E.e §3 (IORT); Intel VT-d 4.1 §8 (DMAR); AMD I/O
Virtualization 3.08 §5.2 (IVRS).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

Layout: TypeAlias = tuple[tuple[str, int], ...]

HEADER: Layout = (
    ("signature", 4),
    ("length", 4),
    ("revision", 1),
    ("checksum", 1),
    ("oem_id", 6),
    ("oem_table_id", 8),
    ("oem_revision", 4),
    ("creator_id", 4),
    ("creator_revision", 4),
)

ROOT_BRIDGE, EXPRESS_ROOT_BRIDGE = "PNP0A03", "PNP0A08"
"""The `_HID`s of a PCI host bridge, and of one with extended configuration space."""

OSC_UUID = "33db4d5b-1ff7-401c-9657-7441c03dd766"
DSM_UUID = "e5c937d0-3553-4d7a-9117-ea4d19c3434d"
PROPERTY_UUIDS = (
    "daffd814-6eba-4d8c-8a91-bc9bbf4aa301",
    "6211e2c0-58a3-4af3-90e1-927a4e0c55a4",
    "efcc06cc-73ac-4bc3-bff0-76143807c389",
    "c44d002f-69f9-4e7d-a904-a7baabdf43f7",
    "6c501103-c189-4296-ba72-9bf5a26ebe5d",
    "5025030f-842f-4ab4-a561-99a5189762d0",
)
"""Those of `_DSD` that Linux takes properties from (drivers/acpi/property.c `prp_guids`)."""
EXTERNAL_FACING = "ExternalFacingPort"
USB4_HOST = "usb4-host-interface"
"""What a host bridge's `_OSC` and `_DSM` are called with (ACPI 6.5 §6.2.11.3, PCI Firmware 3.3 §4.6)."""

OSC_CONTROLS = {
    "hotplug": 1 << 0,
    "shpc": 1 << 1,
    "pme": 1 << 2,
    "aer": 1 << 3,
    "capability": 1 << 4,
    "ltr": 1 << 5,
    "dpc": 1 << 7,
}
"""The control field of a host bridge's `_OSC`: what an operating system asks for."""

OSC_DEFAULT = ("pme", "aer", "capability", "ltr")

_SPACE_HEAD: Layout = (
    ("tag", 1),
    ("descriptor_length", 2),
    ("type", 1),
    ("general_flags", 1),
    ("type_flags", 1),
)


def _numbers(size: int) -> Layout:
    return tuple((name, size) for name in ("granularity", "minimum", "maximum", "translation", "length"))


ADDRESS_SPACES: dict[str, Layout] = {
    "Word": (*_SPACE_HEAD, *_numbers(2)),
    "DWord": (*_SPACE_HEAD, *_numbers(4)),
    "QWord": (*_SPACE_HEAD, *_numbers(8)),
    "Extended": (*_SPACE_HEAD, ("revision", 1), ("reserved", 1), *_numbers(8)),
}
"""Address space descriptors of `_CRS` and `_DMA`, without what may follow."""

ADDRESS_SPACE_TYPES = {"memory": 0, "io": 1, "bus": 2}

_LARGE_HEAD: Layout = (("tag", 1), ("descriptor_length", 2), ("type_flags", 1))


def _stretch(size: int) -> Layout:
    return tuple((name, size) for name in ("minimum", "maximum", "granularity", "length"))


CONSUMED: dict[str, Layout] = {
    "IO": (("tag", 1), ("type_flags", 1), ("minimum", 2), ("maximum", 2), ("granularity", 1), ("length", 1)),
    "FixedIO": (("tag", 1), ("minimum", 2), ("length", 1)),
    "Memory24": (*_LARGE_HEAD, *_stretch(2)),
    "Memory32": (*_LARGE_HEAD, *_stretch(4)),
    "Memory32Fixed": (*_LARGE_HEAD, ("minimum", 4), ("length", 4)),
}
"""Descriptors of what a device takes itself (ACPI 6.5 §6.4.2.5-6.4.2.6, §6.4.3.1-6.4.3.4)."""

MADT_HEAD: Layout = (("local_apic", 4), ("flags", 4))
MADT_ENTRY: Layout = (("type", 1), ("length", 1))


class MadtType(IntEnum):
    """Types of MADT's entries (ACPI 6.6 §5.2.12)."""

    IO_APIC = 1
    GICD = 12
    GIC_MSI_FRAME = 13
    GICR = 14
    GIC_ITS = 15
    RINTC = 24
    APLIC = 26
    PLIC = 27


MADT_LAYOUTS: dict[int, Layout] = {
    MadtType.IO_APIC: (*MADT_ENTRY, ("id", 1), ("reserved", 1), ("address", 4), ("gsi_base", 4)),
    MadtType.GICD: (*MADT_ENTRY, ("reserved", 2), ("id", 4), ("base", 8), ("reserved_2", 4), ("version", 1)),
    MadtType.GIC_MSI_FRAME: (
        *MADT_ENTRY,
        ("reserved", 2),
        ("id", 4),
        ("base", 8),
        ("flags", 4),
        ("spi_count", 2),
        ("spi_base", 2),
    ),
    MadtType.GICR: (*MADT_ENTRY, ("reserved", 2), ("base", 8), ("size", 4)),
    MadtType.GIC_ITS: (*MADT_ENTRY, ("reserved", 2), ("id", 4), ("base", 8)),
    MadtType.RINTC: (
        *MADT_ENTRY,
        ("version", 1),
        ("reserved", 1),
        ("flags", 4),
        ("hart", 8),
        ("uid", 4),
        ("external", 4),
        ("imsic", 8),
        ("imsic_size", 4),
    ),
    MadtType.APLIC: (
        *MADT_ENTRY,
        ("version", 1),
        ("id", 1),
        ("flags", 4),
        ("hardware_id", 8),
        ("idcs", 2),
        ("sources", 2),
        ("gsi_base", 4),
        ("base", 8),
        ("size", 4),
    ),
    MadtType.PLIC: (
        *MADT_ENTRY,
        ("version", 1),
        ("id", 1),
        ("hardware_id", 8),
        ("sources", 2),
        ("priorities", 2),
        ("flags", 4),
        ("size", 4),
        ("base", 8),
        ("gsi_base", 4),
    ),
}

MCFG_HEAD: Layout = (("reserved", 8),)
MCFG_ENTRY: Layout = (("base", 8), ("segment", 2), ("start_bus", 1), ("end_bus", 1), ("reserved", 4))


class IortType(IntEnum):
    """The types of IORT's nodes."""

    ITS_GROUP = 0
    NAMED_COMPONENT = 1
    ROOT_COMPLEX = 2
    SMMU = 3
    SMMU_V3 = 4
    PMCG = 5
    RMR = 6
    IWB = 7


IORT_HEAD: Layout = (("node_count", 4), ("node_offset", 4), ("reserved", 4))
IORT_NODE: Layout = (
    ("type", 1),
    ("length", 2),
    ("revision", 1),
    ("identifier", 4),
    ("mapping_count", 4),
    ("mapping_offset", 4),
)
_MEMORY: Layout = (
    ("cache_coherency", 4),
    ("allocation_hints", 1),
    ("memory_reserved", 2),
    ("memory_flags", 1),
)
IORT_ITS_GROUP: Layout = (*IORT_NODE, ("count", 4))
IORT_ITS: Layout = (("id", 4),)
IORT_NAMED_COMPONENT: Layout = (*IORT_NODE, ("flags", 4), *_MEMORY, ("address_size_limit", 1))
IORT_ROOT_COMPLEX: Layout = (
    *IORT_NODE,
    *_MEMORY,
    ("ats_attribute", 4),
    ("segment", 4),
    ("address_size_limit", 1),
    ("pasid_capabilities", 2),
    ("reserved", 1),
    ("flags", 4),
)
SMMU_MODELS = {"smmu-v1": 0, "smmu-v2": 1, "mmu-400": 2, "mmu-500": 3, "mmu-401": 4}
"""Models of an SMMUv1/v2 node (Arm DEN0049 E.f §3.1.1.1), by what a device tree has of each behind `arm,`."""

IORT_SMMU: Layout = (
    *IORT_NODE,
    ("base", 8),
    ("span", 8),
    ("model", 4),
    ("flags", 4),
    ("global_interrupt_offset", 4),
    ("context_interrupt_count", 4),
    ("context_interrupt_offset", 4),
    ("pmu_interrupt_count", 4),
    ("pmu_interrupt_offset", 4),
    ("global_gsiv", 4),
    ("global_interrupt_flags", 4),
    ("configuration_gsiv", 4),
    ("configuration_interrupt_flags", 4),
)
IORT_SMMU_CONTEXT: Layout = (("gsiv", 4), ("flags", 4))
IORT_SMMU_V3: Layout = (
    *IORT_NODE,
    ("base", 8),
    ("flags", 4),
    ("reserved", 4),
    ("vatos", 8),
    ("model", 4),
    ("event_gsiv", 4),
    ("pri_gsiv", 4),
    ("gerr_gsiv", 4),
    ("sync_gsiv", 4),
    ("proximity_domain", 4),
    ("device_id_mapping_index", 4),
)
IORT_PMCG: Layout = (
    *IORT_NODE,
    ("base", 8),
    ("overflow_gsiv", 4),
    ("node_reference", 4),
    ("base_page1", 8),
)
IORT_RMR: Layout = (*IORT_NODE, ("flags", 4), ("count", 4), ("descriptors_offset", 4))
IORT_RMR_DESCRIPTOR: Layout = (("base", 8), ("length", 8), ("reserved", 4))
IORT_IWB: Layout = (*IORT_NODE, ("base", 8), ("index", 2))
IORT_MAPPING: Layout = (
    ("input_base", 4),
    ("id_count", 4),
    ("output_base", 4),
    ("output_reference", 4),
    ("flags", 4),
)

IORT_SINGLE_MAPPING = 1 << 0
IORT_CPM, IORT_DACS = 1 << 0, 1 << 1
"""Memory flags: a coherent path to memory, and device attributes that say so."""
IORT_ATS, IORT_PRI = 1 << 0, 1 << 1
IORT_V2_COHERENT_WALK = 1 << 1
IORT_V3_COHERENT, IORT_V3_DEVICE_ID_VALID = 1 << 0, 1 << 4


class DmarType(IntEnum):
    """The types of DMAR's structures."""

    DRHD = 0
    RMRR = 1
    ATSR = 2
    RHSA = 3
    ANDD = 4
    SATC = 5


class ScopeType(IntEnum):
    """What a device scope of DMAR names; a bridge stands for everything below it."""

    ENDPOINT = 1
    BRIDGE = 2
    IO_APIC = 3
    HPET = 4
    NAMESPACE = 5


DMAR_HEAD: Layout = (("host_address_width", 1), ("flags", 1), ("reserved", 10))
DMAR_STRUCTURE: Layout = (("type", 2), ("length", 2))
DMAR_DRHD: Layout = (*DMAR_STRUCTURE, ("flags", 1), ("size", 1), ("segment", 2), ("base", 8))
DMAR_RMRR: Layout = (*DMAR_STRUCTURE, ("reserved", 2), ("segment", 2), ("base", 8), ("limit", 8))
DMAR_ATSR: Layout = (*DMAR_STRUCTURE, ("flags", 1), ("reserved", 1), ("segment", 2))
DMAR_RHSA: Layout = (*DMAR_STRUCTURE, ("reserved", 4), ("base", 8), ("proximity_domain", 4))
DMAR_ANDD: Layout = (*DMAR_STRUCTURE, ("reserved", 3), ("number", 1))
DMAR_SATC: Layout = DMAR_ATSR
DMAR_SCOPE: Layout = (
    ("type", 1),
    ("length", 1),
    ("flags", 1),
    ("reserved", 1),
    ("enumeration_id", 1),
    ("start_bus", 1),
)
DMAR_HOP: Layout = (("device", 1), ("function", 1))
DMAR_LAYOUTS: dict[int, Layout] = {
    DmarType.DRHD: DMAR_DRHD,
    DmarType.RMRR: DMAR_RMRR,
    DmarType.ATSR: DMAR_ATSR,
    DmarType.RHSA: DMAR_RHSA,
    DmarType.ANDD: DMAR_ANDD,
    DmarType.SATC: DMAR_SATC,
}

DMAR_INTERRUPT_REMAPPING = 1 << 0
DRHD_INCLUDE_PCI_ALL = 1 << 0
ATSR_ALL_PORTS = 1 << 0


class IvhdEntry(IntEnum):
    """The device entries of an IVHD: one requester id, a range of them, with or without an alias."""

    PAD = 0
    ALL = 1
    SELECT = 2
    RANGE = 3
    RANGE_END = 4
    WIDE_PAD = 0x40
    ALIAS_SELECT = 0x42
    ALIAS_RANGE = 0x43
    WIDE_SELECT = 0x46
    WIDE_RANGE = 0x47
    SPECIAL = 0x48
    HID = 0xF0


IVRS_HEAD: Layout = (("info", 4), ("reserved", 8))
IVRS_BLOCK: Layout = (("type", 1), ("flags", 1), ("length", 2), ("device_id", 2))
IVHD_10: Layout = (
    *IVRS_BLOCK,
    ("capability", 2),
    ("base", 8),
    ("segment", 2),
    ("info", 2),
    ("features", 4),
)
IVHD_11: Layout = (*IVHD_10, ("extended_features", 8), ("extended_features_2", 8))
IVHD_HEADS: dict[int, Layout] = {0x10: IVHD_10, 0x11: IVHD_11, 0x40: IVHD_11}
"""The heads of a unit's blocks, by type."""
IVMD: Layout = (
    *IVRS_BLOCK,
    ("auxiliary", 2),
    ("segment", 2),
    ("reserved", 6),
    ("base", 8),
    ("size", 8),
)
IVMD_TYPES = (0x20, 0x21, 0x22)
IVHD_ENTRY: Layout = (("type", 1), ("device_id", 2), ("flags", 1))
IVHD_WIDE: Layout = (*IVHD_ENTRY, ("data", 4))
"""Eight bytes; an alias is in bits 23:8 of the last four."""
IVHD_SPECIAL: Layout = (*IVHD_ENTRY, ("handle", 1), ("used_id", 2), ("variety", 1))
IVHD_HID: Layout = (*IVHD_ENTRY, ("hid", 8), ("cid", 8), ("uid_format", 1), ("uid_length", 1))
SPECIAL_IO_APIC, SPECIAL_HPET = 1, 2


def ivhd_entry_size(data: bytes) -> int | None:
    """Bytes of the entry that `data` begins with: bits 7:6 of its type tell, or its own length; None where
    it is cut."""
    type = data[0]
    if type != IvhdEntry.HID:
        return 4 << (type >> 6)
    head = size_of(IVHD_HID)
    return None if len(data) < head else head + data[head - 1]


class ViotType(IntEnum):
    """The types of VIOT's nodes."""

    PCI_RANGE = 1
    MMIO_ENDPOINT = 2
    PCI_IOMMU = 3
    MMIO_IOMMU = 4


VIOT_HEAD: Layout = (("node_count", 2), ("node_offset", 2), ("reserved", 8))
VIOT_NODE: Layout = (("type", 1), ("reserved", 1), ("length", 2))
VIOT_PCI_RANGE: Layout = (
    *VIOT_NODE,
    ("endpoint", 4),
    ("first_segment", 2),
    ("last_segment", 2),
    ("first", 2),
    ("last", 2),
    ("output", 2),
    ("reserved_2", 6),
)
VIOT_PCI_IOMMU: Layout = (*VIOT_NODE, ("segment", 2), ("rid", 2), ("reserved_2", 8))
VIOT_MMIO_IOMMU: Layout = (*VIOT_NODE, ("reserved_2", 4), ("base", 8))
VIOT_LAYOUTS: dict[int, Layout] = {
    ViotType.PCI_RANGE: VIOT_PCI_RANGE,
    ViotType.PCI_IOMMU: VIOT_PCI_IOMMU,
    ViotType.MMIO_IOMMU: VIOT_MMIO_IOMMU,
}


class RimtType(IntEnum):
    """The types of RIMT's nodes (RISC-V IO Mapping Table 1.0; ACPICA's actbl2.h)."""

    IOMMU = 0
    ROOT_COMPLEX = 1
    PLATFORM_DEVICE = 2


RIMT_HEAD: Layout = (("node_count", 4), ("node_offset", 4), ("reserved", 4))
RIMT_NODE: Layout = (("type", 1), ("revision", 1), ("length", 2), ("reserved", 2), ("id", 2))
RIMT_IOMMU: Layout = (
    *RIMT_NODE,
    ("hardware_id", 8),
    ("base", 8),
    ("flags", 4),
    ("proximity", 4),
    ("segment", 2),
    ("rid", 2),
    ("wire_count", 2),
    ("wire_offset", 2),
)
RIMT_IS_FUNCTION = 1
RIMT_WIRE: Layout = (("irq", 4), ("flags", 4))
RIMT_WIRE_RISING = 2
"""Edge-triggered, active high."""
RIMT_ROOT: Layout = (
    *RIMT_NODE,
    ("flags", 4),
    ("reserved_2", 2),
    ("segment", 2),
    ("mapping_offset", 2),
    ("mapping_count", 2),
)
RIMT_ATS, RIMT_PRI = 1, 2
RIMT_MAPPING: Layout = (("first", 4), ("count", 4), ("id", 4), ("output", 4), ("flags", 4))
RIMT_LAYOUTS: dict[int, Layout] = {RimtType.IOMMU: RIMT_IOMMU, RimtType.ROOT_COMPLEX: RIMT_ROOT}

TABLES = ("MCFG", "IORT", "DMAR", "IVRS", "VIOT", "RIMT")
"""The tables of fixed layout that say how PCI is reached and what translates, in the order of their files."""


def size_of(*layouts: Layout) -> int:
    """Bytes of structures that follow each other."""
    return sum(size for layout in layouts for _, size in layout)


def offset_of(layout: Layout, name: str) -> int:
    """Where the field `name` begins in its structure; ValueError for no such field."""
    offset = 0
    for field, size in layout:
        if field == name:
            return offset
        offset += size
    raise ValueError(f"no field {name!r}")
