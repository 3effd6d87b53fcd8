"""The fields of every ACPI structure that is written here, in order: name and bytes.

Sources: ACPI 6.5 §5.2.6 (header); PCI Firmware 3.3 §4.1.2 (MCFG); Arm DEN 0049E.e §3 (IORT);
Intel VT-d 4.1 §8 (DMAR).
"""

from __future__ import annotations

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

MCFG_HEAD: Layout = (("reserved", 8),)
MCFG_ENTRY: Layout = (("base", 8), ("segment", 2), ("first_bus", 1), ("last_bus", 1), ("reserved", 4))

IORT_HEAD: Layout = (("node_count", 4), ("node_offset", 4), ("reserved", 4))
IORT_NODE: Layout = (
    ("type", 1),
    ("length", 2),
    ("revision", 1),
    ("identifier", 4),
    ("mapping_count", 4),
    ("mapping_offset", 4),
)
IORT_ITS_GROUP: Layout = (*IORT_NODE, ("its_count", 4), ("its_id", 4))
IORT_ROOT_COMPLEX: Layout = (
    *IORT_NODE,
    ("cache_coherency", 4),
    ("allocation_hints", 1),
    ("memory_reserved", 2),
    ("memory_access_flags", 1),
    ("ats", 4),
    ("segment", 4),
    ("address_size_limit", 1),
    ("pasid_capabilities", 2),
    ("reserved", 1),
    ("flags", 4),
)
IORT_SMMU_V2: Layout = (
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
IORT_SMMU_V2_CONTEXT: Layout = (("gsiv", 4), ("flags", 4))
IORT_SMMU_V3: Layout = (
    *IORT_NODE,
    ("base", 8),
    ("flags", 4),
    ("reserved", 4),
    ("vatos", 8),
    ("model", 4),
    ("event_gsiv", 4),
    ("pri_gsiv", 4),
    ("gerror_gsiv", 4),
    ("sync_gsiv", 4),
    ("proximity", 4),
    ("device_id_mapping", 4),
)
IORT_MAPPING: Layout = (
    ("input_base", 4),
    ("id_count", 4),
    ("output_base", 4),
    ("output_reference", 4),
    ("flags", 4),
)

DMAR_HEAD: Layout = (("host_address_width", 1), ("flags", 1), ("reserved", 10))
DMAR_DRHD: Layout = (
    ("type", 2),
    ("length", 2),
    ("flags", 1),
    ("size", 1),
    ("segment", 2),
    ("base", 8),
)
DMAR_SCOPE: Layout = (
    ("type", 1),
    ("length", 1),
    ("flags", 1),
    ("reserved", 1),
    ("enumeration_id", 1),
    ("start_bus", 1),
    ("device", 1),
    ("function", 1),
)


def size_of(layout: Layout) -> int:
    """Bytes of a structure."""
    return sum(size for _, size in layout)


def offset_of(layout: Layout, name: str) -> int:
    """Where the field `name` begins in its structure; ValueError for no such field."""
    offset = 0
    for field, size in layout:
        if field == name:
            return offset
        offset += size
    raise ValueError(f"no field {name!r}")
