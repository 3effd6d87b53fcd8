"""MCFG on x86: which regions the kernel uses (`mmconfig-shared.c`, linux.md §2.3).

One bad or unreserved entry throws away all of them. E820 and EFI memory maps are not among the
artifacts, so a region counts as reserved only by a motherboard device's `_CRS`; a running machine may tell.
"""

from __future__ import annotations

from msgspec import Struct, field

from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.mcfg import Mcfg, McfgEntry
from rootplex.source.place import Place

BIOS_YEAR = 2020
"""DMI's BIOS date is not in the artifacts; a machine of today is assumed."""

ADDRESS_32 = 0xFFFFFFFF
SMALLEST = 16 << 20


class Region(Struct, frozen=True):
    """A usable region. `base` is the configuration space of bus 0, `end_bus` may be less than the
    entry's where only a part is reserved."""

    segment: int
    start_bus: int
    end_bus: int
    base: int
    at: Place

    def address(self, bus: int) -> int:
        return self.base + (bus << 20)


class McfgX86(Struct):
    """The kernel's list of regions, sorted by (segment, start bus)."""

    regions: list[Region] = field(default_factory=list)
    reserved: tuple[tuple[int, int], ...] = ()

    def find(self, segment: int, bus: int) -> Region | None:
        """The region that has a bus (`pci_mmconfig_lookup`)."""
        for region in self.regions:
            if region.segment == segment and region.start_bus <= bus <= region.end_bus:
                return region
        return None

    def reach(self, region: Region) -> int:
        """The last bus of a region and of those that go on where it ends: each bus is looked up when met."""
        end = region.end_bus
        while (more := self.find(region.segment, end + 1)) is not None and more.base == region.base:
            end = more.end_bus
        return end

    def insert(self, segment: int, first: int, last: int, base: int, at: Place) -> Region | None:
        """Add the region of a bridge's `_CBA`; None where its space is not reserved."""
        region = fitted(Region(segment, first, last, base, at), self.reserved)
        if region is not None:
            self.regions.append(region)
            self.regions.sort(key=lambda region: (region.segment, region.start_bus))
        return region


def usable_regions(
    mcfg: Mcfg | None, namespace: Namespace, by_memory_map: tuple[tuple[int, int], ...] = ()
) -> McfgX86:
    """What is left of MCFG after the kernel's early and late checks; `by_memory_map` are (base, end) that the
    firmware's memory map reserves, as far as it is known."""
    reserved = (*motherboard_ranges(namespace), *by_memory_map)
    result = McfgX86(reserved=reserved)
    if mcfg is None:
        return result
    for entry in mcfg.entries:
        if entry.base == 0 or (entry.base >= ADDRESS_32 and not _may_be_high(mcfg)):
            return result
    # Of two for the same first bus the later one comes first (`list_add_sorted`).
    later_first = mcfg.entries[::-1]
    for entry in sorted(later_first, key=lambda entry: (entry.segment, entry.start_bus)):
        region = fitted(_region(entry), reserved)
        if region is None:
            return McfgX86(reserved=reserved)
        result.regions.append(region)
    return result


def _may_be_high(mcfg: Mcfg) -> bool:
    table = mcfg.table
    return table.oem_id.startswith(b"SGI") or (table.revision >= 1 and BIOS_YEAR >= 2010)


def _region(entry: McfgEntry) -> Region:
    return Region(entry.segment, entry.start_bus, entry.end_bus, entry.base, entry.place)


def fitted(region: Region, reserved: tuple[tuple[int, int], ...]) -> Region | None:
    """The region cut to what is reserved: its size is halved until it fits or is below 16 MiB."""
    start = region.address(region.start_bus)
    whole = size = region.end_bus - region.start_bus + 1 << 20
    while size > 0 and not any(base <= start and start + size <= end for base, end in reserved):
        size >>= 1
        if size < SMALLEST:
            return None
    if size <= 0:
        return None
    if size == whole:
        return region
    end_bus = region.start_bus + (size >> 20) - 1
    return Region(region.segment, region.start_bus, end_bus, region.base, region.at)


def motherboard_ranges(namespace: Namespace) -> tuple[tuple[int, int], ...]:
    """(base, end) of the memory that PNP0C01 and PNP0C02 devices consume by their `_CRS`."""
    present = (
        device for device in namespace.motherboard if device.sta.known is None or device.sta.known & 0x9
    )
    templates = (device.crs.value for device in present)
    return tuple(
        (resource.minimum, resource.minimum + resource.length)
        for template in templates
        if template is not None
        for resource in template.resources
        if resource.type == "memory" and resource.length
    )
