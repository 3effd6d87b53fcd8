"""Whether Xen and Dom0 come up, and with what."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.references import cited
from rootplex.checks.rule import BYTES, EVERYTHING
from rootplex.checks.simulated import NOWHERE, booted, bridge_place, xen_of
from rootplex.known.xen import DEFAULT, version
from rootplex.model.controllers import SmmuV3
from rootplex.report import causes
from rootplex.simulator.xen.start import Lack, is_whole, lacks
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, Place


@check("RPX0911", Level.ERROR, needs="simulation", only="xen-probes", covers=("XP-51", "XP-52"))
def acpi_without_pci(facts: Facts) -> Iterator[Finding]:
    """What it finds: today's Xen on Arm booted by ACPI.
    Why it matters: it discovers no host bridges from ACPI, takes no streams from IORT for PCI, and a build
    with ACPI has no SMMUv3 driver: devices can be reported, and nothing can be done with them.
    Example: `xen: {discovery: xen, dom0: {firmware: acpi}}` on arm64.
    What to do: boot by device tree, or describe the 2017 protocol (`discovery: dom0`).
    Source: Xen xen/arch/arm/pci/pci.c, acpi_pci_init; xen/drivers/passthrough/arm/iommu.c,
    iommu_add_pci_sideband_ids; xen/drivers/passthrough/Kconfig, ARM_SMMU_V3.
    """
    described = facts.platform
    if booted(facts).settings.firmware != "acpi":
        return
    dom0 = described.xen.dom0
    at = dom0.at("firmware") if dom0.wrote("firmware") else described.xen.at("discovery")
    units = [unit for unit in described.iommus if isinstance(unit, SmmuV3)]
    notes = ["Xen says that ACPI PCI initialisation is not supported, and goes on without"]
    if units:
        notes.append(f"Xen with ACPI has no driver for the SMMUv3 {units[0].name}")
    yield acpi_without_pci.rule.finding(
        at,
        "today's Xen on Arm has no PCI when it is booted by ACPI",
        related=[(units[0].at("kind"), "needs a Xen without ACPI")] if units else [],
        notes=notes,
        help="boot by device tree, or set 'discovery: dom0'",
        about=(EVERYTHING,),
    )


@check("RPX0912", Level.ERROR, only="arm-32-xen", covers=("XP-54",))
def xen_32_bit(facts: Facts) -> Iterator[Finding]:
    """What it finds: today's Xen on 32-bit Arm.
    Why it matters: it has no PCI at all: every hypercall about PCI answers -ENOSYS.
    Example: `platform: {arch: arm}` with `xen: {discovery: xen}`.
    What to do: use a 64-bit Xen, or describe the 2017 protocol (`discovery: dom0`).
    Source: Xen xen/arch/arm/Kconfig, PCI_PASSTHROUGH (depends on ARM_64).
    """
    described = facts.platform
    if described.xen.discovery != "xen":
        return
    yield xen_32_bit.rule.finding(
        described.xen.at("discovery"),
        "today's Xen has no PCI on 32-bit Arm",
        related=[(described.at("arch"), "the platform is 32-bit")],
        help="use a 64-bit Xen, or set 'discovery: dom0'",
    )


_HELP = {
    "memory": "give a node with device_type memory the machine's RAM",
    "interrupt controller": "give the GIC what a hypervisor has of it: its registers and 'maintenance'",
    "timer": "give the timer its four interrupts",
    "psci": "give the tree a PSCI node with method smc",
}
_QEMU = "let QEMU's machine have what a hypervisor needs: 'platform: {virtualization: true}'"
_LOADER = "let the boot loader write the machine's RAM into the tree"


@check("RPX0916", Level.ERROR, only="xen", covers=("XP-63",))
def cannot_start(facts: Facts) -> Iterator[Finding]:
    """What it finds: the device tree of a whole Arm machine that is for Xen (one that QEMU's base machine
    completes, or a board's that is held against a description) and lacks what Xen needs before it looks at
    PCI: memory, a GIC with the maintenance interrupt and registers that a hypervisor has of it, the timer's
    four interrupts. A warning: no PSCI that Xen can call, so that it starts with one processor; a board's
    tree without memory.
    Why it matters: Xen panics. Where memory, the GIC or the timer is not there at all, it does so before its
    console is on, and nothing is seen. Linux, on bare metal, needs less, and boots on the same tree.
    Example: `base: qemu-virt` with a key `xen` and `platform: {virtualization: false}`.
    What to do: say what is there: `maintenance` at a described GIC, `platform: {virtualization: true}` for
    QEMU's machine; in a board's tree, the property that the place names.
    Source: Xen xen/arch/arm/gic-v3.c, gicv3_dt_init; xen/arch/arm/gic-v2.c, gicv2_dt_init;
    xen/arch/arm/time.c, preinit_dt_xen_time and init_dt_xen_time; xen/arch/arm/psci.c, psci_init;
    xen/common/device-tree/bootfdt.c.
    Sources that prove it: device tree; only where a description has a key `xen`.
    """
    # One finding for each part that is missing.
    if facts.dt is None or not facts.for_xen or not facts.arch.startswith("arm"):
        return
    if facts.settings is not None and facts.settings.firmware != "dt":
        return
    tree = facts.dt.tree
    if is_whole(tree):
        xen = DEFAULT if facts.settings is None else facts.settings.xen
        yield from (_missing(facts, each) for each in lacks(tree, version(xen)))


def _missing(facts: Facts, lack: Lack) -> Finding:
    described = facts.described
    by_loader = described is None and lack.part == "memory"
    by_qemu = described is not None and not described.virtualization and lack.part != "memory"
    how = "Xen panics" if lack.fatal else "Xen goes on with one processor"
    return cannot_start.rule.finding(
        lack.at,
        f"Xen does not start: {lack.text}" if lack.fatal else f"Xen starts with one processor: {lack.text}",
        level=Level.ERROR if lack.fatal and not by_loader else Level.WARNING,
        notes=[f"{how} before its console is on" if lack.said is None else f"{how}: {lack.said}"],
        help=_LOADER if by_loader else _QEMU if by_qemu else _HELP[lack.part],
        subject=lack.part,
    )


KINDS = {
    "panic": "Xen panics",
    "BUG": "Xen stops with a BUG",
    "assertion": "Xen stops with a failed assertion",
    "data abort": "Xen takes a data abort",
    "page fault": "Xen takes a page fault",
    "general protection fault": "Xen takes a general protection fault",
    "jump to address 0": "Xen jumps to address 0",
    "endless loop": "Xen stays in a loop for ever",
}


@check(
    "RPX0901",
    Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES,),
    covers=(
        "XP-01",
        "XP-02",
        "XP-03",
        "XP-13",
        "XP-15",
        "XP-17",
        "XP-20",
        "XP-22",
        "XP-23",
        "XP-24",
        "XP-25",
        "XP-33",
        "XP-37",
    ),
)
def xen_down(facts: Facts) -> Iterator[Finding]:
    """What it finds: a Xen that goes down: it panics, hits a BUG or an assertion, or takes a fault, at boot
    or when Dom0 reports a device.
    Why it matters: the machine stops. This finding cannot be suppressed.
    Example: `discovery: xen` and `linux,pci-domain` on one host bridge of two.
    What to do: correct what the place shows; the note names the rule.
    Source: xen.md §9, where each rule whose grade is fatal names the function of Xen that stops.
    """
    crash = xen_of(facts).crash
    if crash is None:
        return
    place = crash.at
    subject = None
    if isinstance(place, DtPlace) and (joined := facts.joined(place.node)) is not None:
        subject = joined.name
    yield xen_down.rule.finding(
        _at(facts, place),
        f"{KINDS[crash.kind]}: {crash.cause}",
        notes=[_when(facts), _reference(crash.clause)],
        help="correct what the place shows; Xen checks nothing of it",
        subject=subject,
        about=(EVERYTHING, *(() if subject is None else (subject,))),
    )


def _at(facts: Facts, place: Place | None) -> Place:
    if place is not None:
        return place
    return facts.described.xen.at() if facts.described is not None else NOWHERE


def _reference(clause: str) -> str:
    """The rules that a crash's clause names, where they stand; its section, where it names none."""
    places = cited(f"xen.md {clause}")
    section, *rules = places
    return "; ".join(f"{name}: {places[name]}" for name in rules or [section])


def _when(facts: Facts) -> str:
    calls = xen_of(facts).calls
    if calls and calls[-1].crash is not None:
        return f"this happens when Dom0 calls {calls[-1].op}"
    return "this happens before Dom0 runs"


@check("RPX0902", Level.ERROR, needs="simulation", requires=("RPX0901", BYTES))
def dom0_died(facts: Facts) -> Iterator[Finding]:
    """What it finds: a Dom0 that dies while it scans: an access aborts.
    Why it matters: nothing boots after it.
    Example: MCFG or the device tree gives configuration space where no host bridge answers.
    What to do: let the firmware give the address at which the host bridge answers.
    Source: Xen xen/arch/arm/io.c, try_handle_mmio, and xen/arch/arm/traps.c: an access that nothing answers
    is a data abort in Dom0; Linux drivers/pci/ecam.c, pci_ecam_create.
    """
    # At the bridge that it was busy with.
    dom0 = booted(facts).dom0
    if dom0.died is None or dom0.died.kind == "endless-scan":
        return
    root = dom0.root_bridges[-1] if dom0.root_bridges else None
    subject = None if root is None else facts.name_of(root.path)
    where = "" if root is None else f" while it scans {subject}"
    yield dom0_died.rule.finding(
        NOWHERE if root is None else bridge_place(facts, root, "config"),
        f"{facts.host} dies{where}: {causes.death(dom0.died)}",
        help="let the firmware give the address at which the host bridge answers",
        subject=subject,
        about=(EVERYTHING, *(() if subject is None else (subject,))),
    )


@check(
    "RPX0913",
    Level.ERROR,
    needs="simulation",
    only="xen-probes",
    requires=("RPX0901", "RPX0911"),
    covers=("XP-38",),
)
def io_virtualisation_off(facts: Facts) -> Iterator[Finding]:
    """What it finds: guests that are to have devices, with today's Xen driving none of the platform's IOMMUs.
    Why it matters: Xen runs with I/O virtualisation off and assigns nothing (-EOPNOTSUPP). An SMMU without
    stage 2 has the same effect.
    Example: `discovery: xen` with an IOMMU of kind `dt-node`.
    What to do: describe an IOMMU that Xen drives: an SMMU with stage 2, or an IPMMU.
    Source: Xen xen/drivers/passthrough/arm/iommu.c, iommu_hardware_setup;
    xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_device_hw_probe; xen/drivers/passthrough/pci.c,
    iommu_do_pci_domctl.
    """
    described = facts.platform
    if not described.xen.guests or not described.xen.iommu:
        return
    if xen_of(facts).core.iommu is not None:
        return
    first = described.iommus[0] if described.iommus else None
    yield io_virtualisation_off.rule.finding(
        described.xen.guests[0].at("devices"),
        "guests are to have devices, and Xen drives no IOMMU",
        related=[] if first is None else [(first.at("kind"), f"{first.name} is none that Xen drives")],
        help="describe an SMMU with stage 2 or another IOMMU that Xen has a driver for",
        about=(EVERYTHING,),
    )
