"""Xen's PCI boot from ACPI: nothing at all on Arm (§0.2), MCFG and a scan on x86 (§3.1, §3.3)."""

from __future__ import annotations

from rootplex.known.xen import version
from rootplex.readers.acpi.dmar import Dmar
from rootplex.readers.acpi.ivrs import Ivrs as IvrsTable
from rootplex.readers.acpi.mcfg import Mcfg
from rootplex.simulator.inputs import Settings
from rootplex.simulator.xen.amd import AmdIommu, assumed_ivrs, told_by, units_of_ivrs
from rootplex.simulator.xen.core import Core, Iommu, Options
from rootplex.simulator.xen.create import is_present, make_record
from rootplex.simulator.xen.mcfg import McfgWindows, ReservedCheck, read_windows
from rootplex.simulator.xen.outcome import Notice
from rootplex.simulator.xen.records import DOM0, DOMID_XEN, Record
from rootplex.simulator.xen.vtd import VtdIommu, assumed_units, units_of

Areas = tuple[tuple[int, int], ...]
HOLES_ARE_FINE_SINCE = 2016
MULTIFUNCTION = 0x80
NOT_A_FUNCTION = -1
"""The rid of an IOMMU that is not a PCI function that anybody named."""


def reserved_check(memory: Areas, reserved: Areas, *, holes: bool) -> ReservedCheck:
    """§3.1.5: the area is reserved in the E820; where `holes` will do, or in none of the memory."""

    def check(base: int, size: int) -> bool:
        if size <= 0:
            return False
        if _covered(base, base + size, reserved):
            return True
        return holes and not any(start < base + size and base < start + length for start, length in memory)

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
    holes = version(settings.xen).holes_are_fine and options.bios_year >= HOLES_ARE_FINE_SINCE
    check = reserved_check(settings.memory, options.reserved, holes=holes)
    windows, segments, notices = read_windows(mcfg, options.bios_year, check)
    return windows, tuple(dict.fromkeys((0, *segments))), notices


def x86_iommu(core: Core, dmar: Dmar | None, ivrs: IvrsTable | None = None) -> Iommu | None:
    """The driver, from the firmware's table or from what is there. None: the table has no unit."""
    options = core.options
    if dmar is not None and not dmar.drhds:
        return None
    if options.x86_iommu == "vtd":
        units, regions = (assumed_units(core), ()) if dmar is None else units_of(core, dmar)
        return VtdIommu(core, units, regions)
    if ivrs is not None:
        return AmdIommu(core, told_by(ivrs), units_of_ivrs(ivrs))
    unit = min(options.hidden, default=(0, NOT_A_FUNCTION))
    return AmdIommu(core, assumed_ivrs(core, unit), frozenset({unit}))


def scan_segments(core: Core) -> None:
    """What x86 does while it sets up the IOMMU (`scan_pci_devices`): a record for every function of
    every known segment, by the bus numbers that the firmware left. Then they become Dom0's, in the
    order of their addresses, whatever the IOMMU says (`setup_hwdom_pci_devices`)."""
    for segment in sorted(core.records.segments):
        for slot in range(256 * 32):
            bus, first = slot >> 5, (slot & 31) << 3
            for devfn in range(first, first + 8):
                if not is_present(core, segment, bus, devfn):
                    if devfn == first:
                        break
                    continue
                record = make_record(core, segment, bus, devfn)
                if (segment, record.rid) in core.options.hidden:
                    core.give(record, DOMID_XEN)
                if devfn == first and not core.access.read(segment, bus, devfn, 0x0E, 1) & MULTIFUNCTION:
                    break
    if isinstance(core.iommu, AmdIommu):
        core.iommu.start(core.records)
    for segment in sorted(core.records.segments):
        for _, record in sorted(core.records.segments[segment].devices.items()):
            _set_up_for_dom0(core, record)


def _set_up_for_dom0(core: Core, record: Record) -> None:
    """`setup_one_hwdom_device`: the IOMMU, then vPCI where that took it. A hidden device stays Xen's,
    but is set up for Dom0."""
    assert core.iommu is not None
    hidden = record.owner == DOMID_XEN
    if hidden:
        record.owner = DOM0
    else:
        core.give(record, DOM0)
    error = core.iommu.add(record, record.devfn)
    if error == 0:
        for phantom in record.phantoms():
            core.iommu.add(record, phantom)
        if core.vpci is not None:
            core.vpci.attach(record)
    if hidden:
        record.owner = DOMID_XEN
