"""Xen's PCI boot from ACPI: nothing at all on Arm (§0.2), MCFG and a scan on x86 (§3.1, §3.3)."""

from __future__ import annotations

from rootplex.readers.acpi.mcfg import Mcfg
from rootplex.simulator.inputs import Settings
from rootplex.simulator.xen.core import Core, Options
from rootplex.simulator.xen.create import is_present, make_record
from rootplex.simulator.xen.mcfg import McfgWindows, ReservedCheck, read_windows
from rootplex.simulator.xen.outcome import Notice
from rootplex.simulator.xen.records import DOM0, DOMID_XEN

Areas = tuple[tuple[int, int], ...]
HOLES_ARE_FINE_SINCE = 2016
MULTIFUNCTION = 0x80


def arm_notice() -> Notice:
    """The one line of an Arm Xen that was booted from ACPI."""
    return Notice("acpi-pci-unsupported", "ACPI PCI initialisation is not supported")


def reserved_check(memory: Areas, reserved: Areas, bios_year: int) -> ReservedCheck:
    """§3.1.5: the area is reserved in the E820; with a BIOS of 2016 or later a hole will do."""

    def check(base: int, size: int) -> bool:
        if size <= 0:
            return False
        if _covered(base, base + size, reserved):
            return True
        return bios_year >= HOLES_ARE_FINE_SINCE and not any(
            start < base + size and base < start + length for start, length in memory
        )

    return check


def _covered(start: int, end: int, areas: Areas) -> bool:
    """Whether [start, end) lies in the union of the areas."""
    for base, size in sorted(areas):
        if base <= start < base + size:
            start = base + size
        if start >= end:
            return True
    return False


def x86_windows(
    settings: Settings, options: Options, mcfg: Mcfg | None
) -> tuple[McfgWindows, tuple[int, ...], list[Notice]]:
    """The MCFG windows, the segments (0 always), and what Xen says of the table. The few chipsets
    whose registers override MCFG (§3.1.2) are not modelled."""
    if not options.mmcfg:
        return McfgWindows(), (0,), []
    check = reserved_check(settings.memory, options.reserved, options.bios_year)
    windows, segments, notices = read_windows(mcfg, options.bios_year, check)
    return windows, tuple(dict.fromkeys((0, *segments))), notices


def scan_segments(core: Core) -> None:
    """What x86 does while it sets up the IOMMU: a record for every function of every known
    segment, by the bus numbers that the firmware left; all are Dom0's but the hidden ones."""
    for segment in list(core.records.segments):
        for slot in range(256 * 32):
            bus, first = slot >> 5, (slot & 31) << 3
            for devfn in range(first, first + 8):
                if not is_present(core, segment, bus, devfn):
                    if devfn == first:
                        break
                    continue
                record = make_record(core, segment, bus, devfn)
                hidden = (segment, record.rid) in core.options.hidden
                record.owner = DOMID_XEN if hidden else DOM0
                if core.iommu is not None:
                    core.iommu.add(record)
                if devfn == first and not core.access.read(segment, bus, devfn, 0x0E, 1) & MULTIFUNCTION:
                    break
