"""Where configuration space lies, how large it is, and whether it is ECAM."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import entries
from rootplex.checks.bridges import (
    config_layout,
    config_space,
    enabled_bridges,
    windowed_by_description,
    xen_bridges,
)
from rootplex.checks.causes import base_of, property_of, with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.checks.simulated import booted
from rootplex.formats.devicetree import GENERIC
from rootplex.model.bridge import ConfigSpace
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.report import causes
from rootplex.source.finding import Finding, Level
from rootplex.source.place import FilePlace, Place


@check("RPX0108", Level.WARNING, requires=("RPX0118", "RPX0625"), covers=("LNX-10", "XP-13", "XP-14"))
def config_space_size(facts: Facts) -> Iterator[Finding]:
    """What it finds: a configuration space whose size is not that of the bus range: 1 MiB a bus for ECAM, 64
    KiB for CAM. Only bridges whose compatible says that they are laid out so are looked at; DesignWare and
    other windowed bridges have no such rule.
    Why it matters: too small, and the kernel trims: the buses behind the end can be given to bridges, but
    nothing answers there; with no room for one bus the bridge fails (an error). Today's Arm port of Xen does
    not trim: the first device beyond faults Xen itself (then an error, too). Too large is harmless for the
    kernel (a note); today's port routes the surplus nowhere (a warning).
    Example: `bus_range: [0, 0xff]` with a configuration space of 16 MiB.
    What to do: write the size of the bus range, or the bus range of the size.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/ecam.c, pci_ecam_map_bus (no check
    of the size).
    Sources that prove it: device tree.
    """
    driven = {bridge.path for bridge, _ in xen_bridges(facts)} if xen_probes(facts) else set()
    other_kind = windowed_by_description(facts)
    for bridge in enabled_bridges(facts):
        reg, unit, buses = config_space(bridge), config_layout(bridge), bridge.buses
        if reg is None or unit is None or buses is None or not reg.size or reg.size == buses.count * unit:
            continue
        name = facts.name_of(bridge.path)
        if name in other_kind or (reg.size > buses.count * unit and reg.size % unit):
            continue
        count = buses.count
        held = reg.size // unit
        in_xen = bridge.path in driven
        if held < count:
            level = Level.ERROR if in_xen or not held else Level.WARNING
            answering = f"only {buses.first:#x}-{buses.first + held - 1:#x}" if held else "none"
            notes = [f"of buses {buses.first:#x}-{buses.last:#x} {answering} can answer"]
        else:
            level = Level.WARNING if in_xen else Level.NOTE
            notes = [f"buses {buses.first:#x}-{buses.last:#x} need {count * unit:#x}"]
        at = bridge.place("bus-range") if bridge.bus_range is not None else reg.place
        yield config_space_size.rule.finding(
            reg.at_size,
            f"the configuration space of '{name}' has room for {held} of {count} buses"
            if held < count
            else f"the configuration space of '{name}' is larger than its {count} buses need",
            level=level,
            related=[(at, "the bus range is here")],
            notes=notes,
            help=f"for these buses the size is {count * unit:#x}",
            subject=name,
            rests_on=(name, property_of(name, "bus-range")),
        )


@check("RPX0109", Level.ERROR, requires=("RPX0108", "RPX0601"), covers=("XP-15",))
def config_space_unit(facts: Facts) -> Iterator[Finding]:
    """What it finds: an ECAM of size 0 (an error), or of a size that is not a whole number of buses, 1 MiB
    each.
    Why it matters: the kernel cannot claim a space of size 0, and the bridge fails. Today's Arm port of Xen
    stops at an assertion over it while it builds Dom0; of a bus that is there in part, the rest faults Xen
    (then an error, too).
    Example: `dt: {properties: {reg: [0x40, 0x10000000, 0, 0]}}`.
    What to do: write the bus range's size: buses × 1 MiB.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/device.c, map_range_to_domain.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        reg, unit = config_space(bridge), config_layout(bridge)
        if reg is None or unit is None or (reg.size and reg.size % unit == 0):
            continue
        name = facts.name_of(bridge.path)
        if name in windowed_by_description(facts):
            continue
        what = "is empty" if not reg.size else f"ends {reg.size % unit:#x} bytes into a bus"
        yield config_space_unit.rule.finding(
            reg.place,
            f"the configuration space of '{name}' {what}",
            level=Level.ERROR if not reg.size or xen_probes(facts) else Level.WARNING,
            notes=[f"a bus has {unit:#x} bytes of configuration space"],
            help="write the size of the bus range",
            subject=name,
        )


PAGE, BUS, ALL_BUSES = 1 << 12, 1 << 20, 256


@check("RPX0110", Level.ERROR, requires=("RPX0601",), covers=("LNX-12", "XP-16"))
def config_space_alignment(facts: Facts) -> Iterator[Finding]:
    """What it finds: ECAM that does not start on a bus, that is, on 1 MiB (off a 4 KiB page it is an error),
    or ECAM of all 256 buses that is not aligned to 256 MiB. In MCFG the base of bus 0 counts. With a
    controller that has special cases it is a note: some filter devices that way.
    Why it matters: hardware puts bus, device and function numbers in place of address bits, so a base off
    that boundary cannot be right; today's Xen takes the register from the low 12 bits of the address and
    finds nothing.
    Example: `config: {base: 0x4010_0100}`.
    What to do: correct the base; an odd one is most often a slip of a digit.
    Source: PCI Express Base 6.0 §7.2.2; Xen xen/arch/arm/vpci.c, vpci_mmio_read.
    Sources that prove it: device tree, MCFG.
    """
    for bridge in enabled_bridges(facts):
        reg, unit = config_space(bridge), config_layout(bridge)
        if reg is None or reg.cpu is None or unit is None:
            continue
        special = bridge.controller is not None and bridge.controller.layout == "quirk"
        usual = Level.NOTE if special else Level.WARNING
        name = facts.name_of(bridge.path)
        # a range that says more buses than there is room for says nothing of alignment
        count = min(0 if bridge.buses is None else bridge.buses.count, reg.size // unit)
        yield from _misaligned(reg.cpu, unit, count, (name,), reg.place, usual)
    for entry in entries(facts):
        owner = facts.owner_of(entry) or f"segment {entry.segment}"
        count = entry.end_bus - entry.start_bus + 1
        about = (owner, base_of(entry.segment, entry.base))
        yield from _misaligned(entry.base, BUS, count, about, entry.place, Level.WARNING)


def _misaligned(
    base: int, unit: int, count: int, about: tuple[str, ...], at: Place, usual: Level
) -> Iterator[Finding]:
    """Of the configuration space of the first that it is about."""
    wanted = unit * ALL_BUSES if count == ALL_BUSES else unit
    if base % wanted == 0:
        return
    wanted = unit if base % unit else wanted
    yield config_space_alignment.rule.finding(
        at,
        f"the configuration space of '{about[0]}' at {base:#x} is not aligned to {wanted:#x}",
        level=Level.ERROR if base % PAGE else usual,
        notes=["the bus number takes the place of address bits 20 to 27"] if unit == BUS else (),
        help="correct the base" if wanted == unit else "correct the base, or the bus range",
        subject=about[0],
        # of a range that may be the wrong one, its ids are in question, too
        about=about if wanted == unit else (*about, *with_maps(about[0])),
    )


MIB = 1 << 20


@check("RPX0116", Level.ERROR, needs="simulation", covers=("LNX-13", "XP-53"))
def config_space_32_bit(facts: Facts) -> Iterator[Finding]:
    """What it finds: on a 32-bit Dom0, configuration space beyond 4 GiB without LPAE; more buses than the
    kernel's address space holds (1 MiB each, an error); bus ranges whose sum would not fit if all buses were
    there (a warning).
    Why it matters: a 32-bit kernel maps the configuration space of each bus that it makes; what it cannot map
    does not answer.
    Example: `xen: {dom0: {bits: 32, lpae: false}}` with `config: {base: 0x40_1000_0000}`.
    What to do: move the configuration space below 4 GiB, use LPAE, or shorten the bus ranges.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create and pci_ecam_add_bus (CONFIG_64BIT not set).
    """
    # Bridges out of reach, and the sum of what is mapped against the budget.
    outcome = booted(facts)
    if outcome.settings.bits != 32:
        return
    for root in outcome.dom0.root_bridges:
        if root.fault is not None and root.fault.kind == "config-above-4g":
            name = facts.name_of(root.path)
            yield config_space_32_bit.rule.finding(
                root.fault.at,
                f"the configuration space of '{name}' is out of a 32-bit {_kernel(facts)}'s reach",
                notes=[causes.fault(root)],
                help=f"move it below 4 GiB, or give {facts.host} LPAE",
                subject=name,
            )
    roots = [root for root in outcome.dom0.root_bridges if root.is_up and root.config is not None]
    ecam = {root.index: root for root in roots if root.config is not None and root.config.kind == "ecam"}
    budget = outcome.settings.vmalloc
    present = sum(bus.root in ecam and not bus.virtual for bus in outcome.dom0.buses) * MIB
    possible = sum(root.effective_end - root.first_bus + 1 for root in ecam.values()) * MIB
    if max(present, possible) <= budget or not ecam:
        return
    first = next(iter(ecam.values()))
    at: Place = first.places.get("bus_range", FilePlace(""))
    is_full = present > budget
    needed = present if is_full else possible
    yield config_space_32_bit.rule.finding(
        at,
        f"a 32-bit {_kernel(facts)} has {budget // MIB} MiB to map the configuration space of "
        f"{needed // MIB} buses, 1 MiB each",
        level=Level.ERROR if is_full else Level.WARNING,
        notes=[f"{present // MIB} buses are there, the bus ranges allow for {possible // MIB}"],
        help="shorten the bus ranges, or raise vmalloc",
        about=(facts.name_of(root.path) for root in ecam.values()),
    )


def _kernel(facts: Facts) -> str:
    return "kernel" if facts.hypervisor is None else "Dom0"


@check("RPX0119", Level.NOTE, only="undescribed")
def config_space_not_ecam(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge of a given device tree whose configuration space is reached
    through registers, so that it is not ECAM.
    Why it matters: Xen cannot map it; every access has to be forwarded to Dom0, or Xen needs a driver for it.
    There is no fault in that: it is a note, and no other check of sizes or buses applies to the bridge.
    Example: `compatible = "brcm,bcm2711-pcie"`.
    What to do: nothing, but do not look for an ECAM that is not there.
    Source: linux.md §1.13, which lists the drivers of Linux drivers/pci/controller/ by kind.
    Sources that prove it: device tree.
    """
    # Windowed bridges, unless their own description says that they are.
    for bridge in enabled_bridges(facts):
        if bridge.controller is not None and bridge.controller.layout == "windowed":
            name = facts.name_of(bridge.path)
            yield config_space_not_ecam.rule.finding(
                bridge.place("compatible"),
                f"the configuration space of '{name}' is no ECAM: it is reached through registers",
                notes=[f"the driver of {bridge.controller.compatible} is {bridge.controller.driver}"],
                subject=name,
            )


PLAIN = frozenset(GENERIC.values())
ALL_SIZES = {1, 2, 4}


@check("RPX0118", Level.ERROR, covers=("LNX-57", "XP-61"))
def not_ecam_as_ecam(facts: Facts) -> Iterator[Finding]:
    """What it finds: a bridge that is described as windowed, with special cases, or with restricted access
    sizes, and whose compatible string says that it is plain ECAM (or CAM); and one that is described as ECAM
    or CAM, and whose compatible string is of a driver that takes it for the other of the two, or reaches it
    through registers.
    Why it matters: the driver and Xen believe the string. The generic ones map the window and access it
    freely; they have no way to learn of the quirk. What is laid out otherwise is read as if it were devices.
    Example: `config: {kind: windowed, base: 0xfd50_0000, size: 64KiB, compatible: pci-host-ecam-generic}`.
    What to do: write the vendor's own compatible string, for which the kernel has a driver; or the kind that
    the string is of.
    Source: Linux drivers/pci/controller/pci-host-generic.c, gen_pci_of_match; the other drivers there; Xen
    xen/arch/arm/pci/pci-host-generic.c.
    """
    described = facts.described_bridges
    nodes = {each.name: each.dt for each in facts.bridges if each.dt is not None}
    for bridge in described:
        node, quirk = nodes.get(bridge.name), _quirk(bridge.config)
        if node is None or not node.enabled:
            continue
        seen = bridge.as_seen_by("dt")
        taken_for = None if seen is None else _taken_for(node, seen.config.kind)
        if taken_for is not None and seen is not None:
            yield not_ecam_as_ecam.rule.finding(
                node.place("compatible"),
                f"the driver of {node.compatible[0]} {taken_for}, and '{bridge.name}' is {seen.config.kind}",
                related=[(seen.config.at("kind"), f"it is {seen.config.kind} here")],
                help=f"write the kind that it is of, or {GENERIC[seen.config.kind]}",
                subject=bridge.name,
            )
        if quirk is None or not PLAIN.intersection(node.compatible):
            continue
        yield not_ecam_as_ecam.rule.finding(
            node.place("compatible"),
            f"'{bridge.name}' {quirk}, and its compatible says that it is plain",
            related=[(bridge.config.at("kind"), "how its configuration space is reached")],
            help="write the compatible string of the vendor's own driver",
            subject=bridge.name,
        )


def _taken_for(node: DtHostBridge, kind: str) -> str | None:
    """How the driver of a bridge's compatible string reaches what is described as ECAM or CAM, where that is
    otherwise."""
    layout = None if node.controller is None else node.controller.layout
    if kind not in ("ecam", "cam") or layout in (None, kind, "quirk"):
        return None
    return "reaches its buses through registers" if layout == "windowed" else f"takes it for {layout}"


def _quirk(config: ConfigSpace) -> str | None:
    """What is not plain, in words; None where nothing is."""
    if config.kind == "windowed":
        return "is reached through a register window"
    if config.kind == "quirk":
        return "has special cases in its configuration space"
    for sizes in (config.sizes, config.sizes_root_bus):
        if sizes is not None and not set(sizes) >= ALL_SIZES:
            return "does not take every access size"
    return None


@check("RPX0117", Level.ERROR, needs="simulation", covers=("LNX-14",))
def driver_32_bit(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose driver cannot work on a 32-bit kernel, with a 32-bit Dom0.
    Why it matters: a 32-bit kernel maps configuration space bus by bus; the accessors of these drivers (the
    DesignWare ECAM family, ThunderX, HiSilicon, X-Gene and others) lack the hook for it and follow a null
    pointer.
    Example: `config: {compatible: "snps,dw-pcie-ecam"}` with `xen: {dom0: {bits: 32}}`.
    What to do: run a 64-bit Dom0.
    Source: Linux drivers/pci/ecam.c, pci_ecam_add_bus; the drivers' pci_ecam_ops in drivers/pci/controller/,
    which lack add_bus.
    """
    for root in booted(facts).dom0.root_bridges:
        if root.fault is not None and root.fault.kind == "no-bus-map":
            name = facts.name_of(root.path)
            yield driver_32_bit.rule.finding(
                root.fault.at,
                f"the driver of '{name}' does not work on a 32-bit kernel",
                notes=[causes.fault(root), f"it binds to {', '.join(root.compatible)}"],
                help="run a 64-bit kernel" if facts.hypervisor is None else "run a 64-bit Dom0",
                subject=name,
            )
