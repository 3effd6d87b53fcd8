"""Areas of addresses that lie on each other, or beyond what addresses there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rootplex.checks.acpi_tables import entries
from rootplex.checks.areas import (
    Area,
    acpi_controllers,
    acpi_window_areas,
    colliding,
    dt_config_areas,
    dt_controllers,
    dt_devices,
    dt_register_areas,
    dt_reserved,
    dt_window_areas,
    given_iommus,
    mcfg_areas,
    memory_areas,
    overlapping,
)
from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.source.finding import Finding, Level


@check("RPX0101", Level.ERROR, requires=("RPX0802",), covers=("LNX-11", "XP-18"))
def registers_over_memory(facts: Facts) -> Iterator[Finding]:
    """What it finds: configuration space or a register block of an enabled host bridge that lies in RAM, or
    in reserved memory (then a warning: nothing shows who has it).
    Why it matters: the kernel claims RAM first, so the bridge fails with -EBUSY and its devices are gone;
    Xen maps the configuration space uncached over memory that is in use, without a check.
    Example: `memory: [{base: 0x40000000, size: 4GiB}]` beside `config: {base: 0x8000_0000}`.
    What to do: correct the base of one of the two, or cut the hole out of the memory.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c, gen_pci_init
    (no check). Sources that prove it: device tree; a memory node that the boot loader rewrites proves it
    only as shipped.
    """
    memory = tuple(memory_areas(facts))
    areas = dt_register_areas(facts) if facts.dt is not None else mcfg_areas(facts)
    pairs = overlapping(areas, memory)
    for owner, group in groupby(pairs, key=lambda pair: pair[0].owner):
        (area, other), *more = group
        yield registers_over_memory.rule.finding(
            area.at,
            f"{area} lies in {other}",
            related=[(other.at, "the memory is here")],
            notes=[f"so does {each}" for each, _ in more],
            help="correct the base of one of the two, or leave the hole out of the memory",
            subject=owner,
            about=(owner, area.part, *(each.part for each in (other, *(each for _, each in more)))),
        )
    outside = (area for area in dt_reserved(facts) if not any(area.overlaps(ram) for ram in memory))
    for area, other in overlapping(dt_config_areas(facts), tuple(outside)):
        yield registers_over_memory.rule.finding(
            area.at,
            f"{area} lies in {other}",
            level=Level.WARNING,
            related=[(other.at, "it is reserved here")],
            subject=area.owner,
            about=(area.owner, area.part),
        )


@check("RPX0102", Level.ERROR, requires=("RPX0101", "RPX0804", "RPX0113"), covers=("LNX-17",))
def window_over_memory(facts: Facts) -> Iterator[Finding]:
    """What it finds: a window of an enabled host bridge that lies in RAM, as the CPU sees it.
    Why it matters: the kernel claims every window, and where RAM is in the way the whole bridge fails
    (-EBUSY); if it did not fail, BARs would be placed on memory.
    Example: a `mem32` window with `cpu: 0x40000000` on a machine whose RAM starts there.
    What to do: move the window to addresses that the machine decodes to PCI, or correct the memory.
    Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources. Sources that prove it: device tree; a
    memory node that the boot loader rewrites proves it only as shipped.
    """
    areas = dt_window_areas(facts) if facts.dt is not None else acpi_window_areas(facts)
    pairs = overlapping(areas, tuple(memory_areas(facts)))
    for owner, group in groupby(pairs, key=lambda pair: pair[0].owner):
        (area, other), *more = group
        yield window_over_memory.rule.finding(
            area.at,
            f"{area} lies in {other}",
            related=[(other.at, "the memory is here")],
            notes=[f"so does {each}" for each, _ in more],
            help="move the window, or correct the memory",
            subject=owner,
            about=(owner, area.part),
            rests_on=(area.part, other.part),
        )


@check("RPX0103", Level.ERROR, requires=("RPX0110", "RPX0802"), covers=("LNX-11", "XP-17"))
def config_spaces_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: configuration spaces of two enabled host bridges that share addresses; in ACPI two MCFG
    entries whose memory does. Two segments that share one MCFG base with disjoint buses do not: the base is
    bus 0's.
    Why it matters: one device answers under two names. The second bridge fails in Linux (-EBUSY); Xen takes
    both, and goes down at the second report of a device behind an IOMMU.
    Example: two bridges with buses 0-0xff and `config: {base: 0x40_1000_0000}`.
    What to do: give each bridge the address of its own first bus.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c, gen_pci_init
    (no check). Sources that prove it: device tree, MCFG.
    """
    for area, others in (*colliding(dt_config_areas(facts)), *colliding(_entries(facts))):
        yield config_spaces_overlap.rule.finding(
            area.at,
            f"{area} overlaps {others[0]}",
            related=[(each.at, "the other one is here") for each in others],
            notes=[f"it also overlaps {each}" for each in others[1:]],
            help="give each bridge the address of its own first bus",
            subject=area.owner,
            about=(area.owner, area.part, *(each.owner for each in others)),
        )


def _entries(facts: Facts) -> Iterator[Area]:
    """The entries of MCFG, without those that name buses of an earlier one: that is another fault."""
    taken: set[tuple[int, int]] = set()
    repeated = set()
    for entry in entries(facts):
        buses = {(entry.segment, bus) for bus in range(entry.start_bus, entry.end_bus + 1)}
        if taken & buses:
            repeated.add(entry.place)
        taken |= buses
    return (area for area in mcfg_areas(facts) if area.at not in repeated)


@check("RPX0104", Level.ERROR, requires=("RPX0102", "RPX0113", "RPX0804"), covers=("LNX-17", "XP-21"))
def windows_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two windows that share CPU addresses, of two enabled host bridges or of one. In ACPI
    only windows of two bridges are compared, and only those whose descriptors do not depend on memory that a
    dump lacks.
    Why it matters: the kernel claims every window; the second claim is refused, and with a device tree the
    whole bridge fails. BARs of two bridges would answer at one address.
    Example: `mem32` windows of two bridges that both start at 0x1000_0000.
    What to do: give each window addresses of its own.
    Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources; Xen xen/arch/arm/device.c,
    map_range_to_domain (no check).
    Sources that prove it: device tree, DSDT and SSDT where `_CRS` does not depend on memory.
    """
    for area, others in colliding(dt_window_areas(facts)):
        yield _windows_overlap_finding(area, others)
    for area, others in colliding(acpi_window_areas(facts), of_one=False):
        yield _windows_overlap_finding(area, others)


def _windows_overlap_finding(area: Area, others: list[Area]) -> Finding:
    return windows_overlap.rule.finding(
        area.at,
        f"{area} overlaps {others[0]}",
        related=[(each.at, "the other window is here") for each in others],
        notes=[f"it also overlaps {each}" for each in others[1:]],
        help="give each window addresses of its own",
        subject=area.owner,
        about=(area.owner, area.part, *(each.owner for each in others)),
        rests_on=(area.part, *(each.part for each in others)),
    )


@check(
    "RPX0105",
    Level.ERROR,
    requires=("RPX0802", "RPX0804", "RPX0113", "RPX0102", "RPX0104"),
    covers=("LNX-11", "XP-19"),
)
def window_over_config_space(facts: Facts) -> Iterator[Finding]:
    """What it finds: a window of a host bridge that covers the configuration space of a bridge, its own or
    another's. The I/O window of a windowed bridge over its own configuration space does not count: some use
    one outbound window for both, in turn.
    Why it matters: a BAR can be placed on configuration space. A bridge of the generic driver fails
    (-EBUSY), as both are claimed; other drivers and Xen do not look, hence a warning there.
    Example: a window from 0x4000_0000 of 256 MiB beside `config: {base: 0x4f00_0000}`.
    What to do: take the configuration space out of the window.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create, and drivers/pci/bus.c,
    devm_request_pci_bus_resources; Xen looks at neither. Sources that prove it: device tree.
    """
    generic = {
        bridge.path
        for bridge in enabled_bridges(facts)
        if bridge.controller is not None and bridge.controller.driver == "pci-host-generic"
    }
    # DesignWare bridges of few outbound windows use one for both, in turn (`cfg0_io_shared`).
    shared = {
        window.at_address
        for bridge in enabled_bridges(facts)
        if bridge.controller is not None and bridge.controller.layout == "windowed"
        for window in bridge.windows
        if window.space == "io"
    }
    for window, config in overlapping(dt_window_areas(facts), tuple(dt_config_areas(facts))):
        if window.path == config.path and window.at in shared:
            continue
        yield window_over_config_space.rule.finding(
            window.at,
            f"{window} covers {config}",
            level=Level.ERROR if config.path in generic else Level.WARNING,
            related=[(config.at, "the configuration space is here")],
            help="take the configuration space out of the window",
            subject=window.owner,
            about=(window.owner, config.owner, window.part),
        )


GIB_4 = 1 << 32


@check(
    "RPX0106",
    Level.ERROR,
    requires=("RPX0802", "RPX0804", "RPX0113", "RPX0101", "RPX0102", "RPX0104", "RPX0105"),
    covers=("LNX-17", "XP-19"),
)
def area_over_controller(facts: Facts) -> Iterator[Finding]:
    """What it finds: configuration space or a window of an enabled host bridge that covers registers of an
    interrupt controller, an MSI controller or an IOMMU: GIC, ITS, SMMU, I/O APIC, local APIC. A `_CRS`
    window over one is a warning: x86 firmware often lists all that is decoded, and the kernel then drops
    that window.
    Why it matters: configuration accesses, or accesses to a BAR, end up in the interrupt controller; and
    what is claimed first makes the other's driver fail.
    Example: an MCFG entry at 0xf8000000 for buses 0-0xff, whose last buses lie on I/O APIC, local APIC and
    flash.
    What to do: cut the bus range to what fits below, or move the area.
    Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources, and drivers/acpi/pci_root.c,
    pci_acpi_root_add_resources; Xen does not look. Sources that prove it: device tree; MCFG with MADT;
    `_CRS` with MADT where it does not depend on memory. For a description its own I/O APICs and VT-d units
    stand for MADT.
    """
    by_tree, by_table = tuple(dt_controllers(facts)), tuple(acpi_controllers(facts))
    sides = (
        (dt_config_areas(facts), by_tree, Level.ERROR),
        (dt_window_areas(facts), by_tree, Level.ERROR),
        (mcfg_areas(facts), (*by_table, *given_iommus(facts)), Level.ERROR),
        (acpi_window_areas(facts), by_table, Level.WARNING),
    )
    for areas, controllers, level in sides:
        for area in areas:
            covered = [each for each in controllers if area.overlaps(each)]
            if covered:
                yield _area_over_controller_finding(facts, area, covered, level)


@check("RPX0131", Level.ERROR, requires=("RPX0101", "RPX0601", "RPX0619"))
def controller_in_memory(facts: Facts) -> Iterator[Finding]:
    """What it finds: registers of an interrupt controller, an MSI controller or an IOMMU that lie in memory.
    Why it matters: the kernel does not map memory as registers: the driver fails, and the bridges that lead
    to it have no messages or no groups.
    Example: `memory: [{base: 0, size: 4GiB}]` on a machine whose GIC is at 0x8000000.
    What to do: correct the address of one of the two, or cut the hole out of the memory.
    Source: Linux arch/arm64/mm/ioremap.c, ioremap_prot. Sources that prove it: device tree; a memory node
    that the boot loader rewrites proves it only as shipped.
    """
    reserved = tuple(dt_reserved(facts))
    areas = [each for each in dt_controllers(facts) if not any(each.overlaps(other) for other in reserved)]
    pairs = overlapping(areas, tuple(memory_areas(facts)))
    for memory, group in groupby(pairs, key=lambda pair: pair[1]):
        (area, _), *more = group
        yield controller_in_memory.rule.finding(
            area.at,
            f"{area} lies in {memory}",
            related=[(memory.at, "the memory is here")],
            notes=[f"so does {each}" for each, _ in more],
            help="correct the base of one of the two, or leave the hole out of the memory",
            subject=area.owner,
            about=(area.owner, memory.part),
        )


def _area_over_controller_finding(facts: Facts, area: Area, covered: Sequence[Area], level: Level) -> Finding:
    return area_over_controller.rule.finding(
        area.at,
        f"{area} covers {covered[0]}",
        level=level,
        related=[(each.at, f"{each} is here") for each in covered],
        notes=_notes(area, facts),
        help="move it, or cut it where the controller begins",
        subject=area.owner,
        about=(area.owner, area.part),
    )


def _notes(area: Area, facts: Facts) -> Iterator[str]:
    if area.base < GIB_4 <= area.last:
        pc = "I/O APIC, local APIC and firmware flash"
        yield f"it runs past 4 GiB, over {pc if facts.arch == 'x86_64' else 'what every machine has'} below"


@check(
    "RPX0107",
    Level.WARNING,
    requires=("RPX0101", "RPX0102", "RPX0106", "RPX0111", "RPX0029", "RPX0104", "RPX0105", "RPX0113"),
    covers=("LNX-17", "XP-19"),
)
def area_over_device(facts: Facts) -> Iterator[Finding]:
    """What it finds: configuration space or a window of an enabled host bridge that covers registers of
    another enabled device of the device tree. Endpoint-mode twins of a bridge do not count: they share
    registers on purpose.
    Why it matters: who claims first has it; the other's driver fails, and BARs may be placed on its
    registers.
    Example: a window 0x0900_0000-0x09ff_ffff on a machine with a serial port at 0x0900_0000.
    What to do: leave the device's registers out of the window.
    Source: Linux drivers/pci/bus.c, devm_request_pci_bus_resources; Xen does not look.
    Sources that prove it: device tree.
    """
    devices = tuple(dt_devices(facts))
    for area, device in overlapping((*dt_config_areas(facts), *dt_window_areas(facts)), devices):
        yield area_over_device.rule.finding(
            area.at,
            f"{area} covers the registers of {device}",
            related=[(device.at, "the device is here")],
            help="leave the device's registers out",
            subject=area.owner,
            about=(area.part,),
        )


ARCHITECTURE_BITS, XEN_BITS = 52, 48


@check("RPX0111", Level.ERROR, requires=("RPX0601",), covers=("XP-20", "XP-22"))
def beyond_physical_addresses(facts: Facts) -> Iterator[Finding]:
    """What it finds: configuration space or a window beyond what the CPU can address: 52 bits, the most that
    the architecture has; with today's Arm port of Xen 48 bits, which it is built for.
    Why it matters: nobody can reach it. Today's port of Xen stops at an assertion (configuration space) or
    panics while it builds Dom0 (windows).
    Example: `config: {base: 0x1_0000_0000_0000}` with `discovery: xen`.
    What to do: correct the address.
    Source: Arm DDI0487, ID_AA64MMFR0_EL1.PARange; Xen xen/arch/arm/mmu/pt.c, mfn_to_xen_entry (the
    assertion), and xen/arch/arm/device.c, map_range_to_domain. Sources that prove it: device tree.
    """
    bits = XEN_BITS if xen_probes(facts) else ARCHITECTURE_BITS
    for area in (*dt_config_areas(facts), *dt_window_areas(facts)):
        if area.last >> bits:
            yield beyond_physical_addresses.rule.finding(
                area.at,
                f"{area} lies beyond {bits} address bits",
                help="correct the address",
                subject=area.owner,
                about=(area.owner, area.part),
            )
