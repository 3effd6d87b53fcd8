"""Whether the boot device is found, and on the bridge that the policy wants."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.absence import absence
from rootplex.checks.check import check
from rootplex.checks.facts import Facts, Joined
from rootplex.checks.rule import BYTES
from rootplex.checks.simulated import NOWHERE, booted, function_named, lives, owner_of
from rootplex.checks.unseen import counted_on, unseen_slots
from rootplex.model.bridge import HostBridge
from rootplex.model.virtual import device_of
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check(
    "RPX0301",
    Level.ERROR,
    needs="simulation",
    requires=(BYTES, "RPX0116", "RPX0117", "RPX0212", "RPX0805", "RPX0901", "RPX0902", "RPX0903"),
)
def boot_device_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a boot device that Dom0 does not see.
    Why it matters: the platform does not boot.
    Example: `boot: {device: disk}` with the disk's host bridge disabled.
    What to do: follow the note: it tells what is in the way, a bridge that does not come up, an empty slot,
    or a bus number that nobody answers to.
    Source: Linux drivers/pci/probe.c, pci_scan_slot: what a scan does not find is not there.
    """
    # What hides it by its number is told by `function-zero-missing` and `device-behind-port`.
    described = facts.described
    if described is None or described.boot is None or not lives(facts):
        return
    name = described.boot.device
    if function_named(facts, name) is not None:
        return
    if any(device.name == device_of(name) for each in unseen_slots(described) for device in each.devices):
        return
    missing = absence(facts, name)
    yield boot_device_missing.rule.finding(
        described.boot.at("device"),
        f"{facts.host} does not see the boot device {name}",
        related=missing.places,
        notes=[missing.reason],
        help="take away what is in the way, or boot from another device",
        subject=name,
        about=missing.of(name),
    )


@check("RPX0304", Level.WARNING, needs="description", requires=("RPX0020", "RPX0021"))
def function_zero_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a slot with functions but without function 0.
    Why it matters: a kernel that finds no function 0 passes over the whole slot. A warning, or an error where
    that hides the boot device or a guest's device.
    Example: `devices: [{name: nic, dev: 3, fn: 1}]` with nothing at 03.0.
    What to do: describe function 0, or check the function numbers.
    Source: PCI Local Bus 3.0 §3.2.2.3.4; Linux drivers/pci/probe.c, pci_scan_slot.
    """
    for each in unseen_slots(facts.platform):
        if each.why != "function-zero":
            continue
        first = each.functions[0]
        hurt = counted_on(facts.platform, each)
        where = each.bridge.name if each.port is None else each.port.label
        unseen = ", ".join(device.label for device in each.devices)
        slot = f"slot {first.dev:02x} below {where} hides"
        yield function_zero_missing.rule.finding(
            first.at("fn"),
            f"{first.label} has no function 0 beside it, so no kernel finds it",
            level=Level.ERROR if hurt else None,
            related=[] if each.empty is None else [(each.empty.at("present"), "function 0 is not present")],
            notes=[f"{slot} {one}" for one in hurt or (unseen,)],
            help="describe function 0 of the slot, or correct 'fn'",
            subject=first.name,
        )


@check("RPX0305", Level.WARNING, needs="description")
def device_behind_port(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device number other than 0 below a root port, a downstream port or a PCI-to-PCIe
    bridge.
    Why it matters: a link has one device, and kernels ask for device 0 alone. A warning, or an error where
    that hides the boot device or a guest's device.
    Example: `{type: root-port, devices: [{name: disk, dev: 1}]}`.
    What to do: set `dev: 0`; or boot with `pci=pcie_scan_all`, which makes Linux ask for all of them.
    Source: PCI Express Base 6.0 §7.3.1; Linux drivers/pci/probe.c, only_one_child.
    """
    for each in unseen_slots(facts.platform):
        if each.why != "device-number" or each.port is None:
            continue
        first = each.functions[0]
        hurt = counted_on(facts.platform, each)
        yield device_behind_port.rule.finding(
            first.at("dev"),
            f"{first.label} is device {first.dev} below {each.port.label}, "
            "where kernels look for device 0 alone",
            level=Level.ERROR if hurt else None,
            related=[(each.port.at("type"), f"{each.port.label} is a {each.port.type}")],
            notes=[f"it hides {one}" for one in hurt],
            help="set 'dev: 0'",
            rewrite=first.written("dev", "0"),
            subject=first.name,
        )


@check(
    "RPX0302",
    Level.ERROR,
    needs="simulation",
    requires=(
        "RPX0713",
        "RPX0714",
        "RPX0716",
        "RPX0717",
        "RPX0718",
        "RPX0720",
        "RPX0735",
        "RPX0801",
        "RPX0202",
    ),
    covers=("LNX-36", "XP-43"),
)
def boot_placement(facts: Facts) -> Iterator[Finding]:
    """What it finds: a boot device whose host bridge is not where `boot.placement` wants it: not in MCFG
    (without ACPI: not an enabled bridge with ECAM in the device tree), or not on segment 0.
    Why it matters: what is not in MCFG is reached only after AML has been interpreted; what is not on segment
    0 is out of reach of x86's ports and of software that knows no segments.
    Example: a disk on a bridge with `hot_pluggable: true`, which has `_CBA` and no entry in MCFG.
    What to do: put the bridge into MCFG (`acpi: {mcfg: true}`), boot from another bridge, or set
    `boot.placement: any`.
    Source: PCI Firmware 3.3 §4.1.2; Linux arch/x86/pci/common.c, raw_pci_read; xen.md §7.2, what was
    discussed of boot devices in 2017.
    """
    described = facts.described
    if described is None or described.boot is None or described.boot.placement == "any":
        return
    found = owner_of(facts, described.boot.device)
    if found is None:
        return
    bridge, device = found
    joined = facts.named(bridge.name)
    if described.boot.placement == "segment-zero":
        fault = _not_on_zero(facts, bridge)
    elif "acpi" in described.firmware:
        fault = _not_in_mcfg(facts, bridge, joined)
    else:
        fault = _no_ecam(bridge, joined)
    if fault is None:
        return
    reason, at, help = fault
    yield boot_placement.rule.finding(
        described.boot.at("placement" if described.boot.wrote("placement") else "device"),
        f"the boot device {device.label} is on {bridge.name}, which {reason}",
        related=[(at, f"{bridge.name} is described here")],
        notes=[f"the placement is {described.boot.placement}"],
        help=help,
        subject=device.name,
        rests_on=(device.label, bridge.name, "MCFG"),
    )


Fault = tuple[str, Place, str]
"""What is wrong with the bridge, where, and what to do."""


def _not_on_zero(facts: Facts, bridge: HostBridge) -> Fault | None:
    """By the number that Dom0 gives the bridge; a bridge that is down has other troubles."""
    roots = booted(facts).dom0.root_bridges
    segment = next((each.segment for each in roots if facts.name_of(each.path) == bridge.name), None)
    if not segment:
        return None
    return f"has segment {segment}, not 0", bridge.at("segment"), "give the boot device's bridge segment 0"


def _not_in_mcfg(facts: Facts, bridge: HostBridge, joined: Joined | None) -> Fault | None:
    if joined is None or joined.mcfg:
        return None
    segment = None if joined.acpi is None else joined.acpi.segment
    if facts.arch == "x86_64" and segment == 0:
        return None  # the ports reach it
    help = "let MCFG describe the bridge, or set 'boot.placement: any'"
    if bridge.config.kind in ("cam", "windowed"):
        reason = f"is not in MCFG: its configuration space is {bridge.config.kind}, not ECAM"
        return reason, bridge.at("config.kind"), "boot from a bridge with ECAM, or set 'boot.placement: any'"
    if bridge.hot_pluggable:
        return "is not in MCFG: it is hot-pluggable", bridge.at("hot_pluggable"), help
    return "is not in MCFG", bridge.acpi.at("mcfg") if bridge.acpi.wrote("mcfg") else bridge.at("name"), help


def _no_ecam(bridge: HostBridge, joined: Joined | None) -> Fault | None:
    help = "boot from an enabled bridge with ECAM, or set 'boot.placement: any'"
    node = None if joined is None else joined.dt
    if node is None or not node.is_on:
        return "is not enabled in the device tree", bridge.at("enabled"), help
    layout = node.controller.layout if node.controller is not None else bridge.config.kind
    if layout in ("cam", "windowed"):
        reason = f"has no ECAM: its configuration space is {layout}"
        return reason, bridge.at("config.kind"), help
    return None


@check("RPX0306", Level.WARNING, needs="simulation")
def pci_option(facts: Facts) -> Iterator[Finding]:
    """What it finds: a word of `pci=` on the kernel's command line that changes what is simulated, and is not
    simulated; or one that this kernel does not know, and ignores.
    Why it matters: the machine comes out otherwise than the simulation says; or the author thinks that
    something is switched on which is not.
    Example: `bootargs: "pci=realloc"`; `bootargs: "pci=no-ari"`, which is none (`noari` is).
    What to do: leave it out, or take what depends on it from the real machine; correct a word that is none.
    Source: Linux drivers/pci/pci.c, pci_setup; arch/x86/pci/common.c, pcibios_setup.
    """
    outcome = booted(facts)
    for option in outcome.dom0.options.unheeded:
        if option.why == "unknown":
            yield pci_option.rule.finding(
                _command_line(facts),
                f"{outcome.settings.kernel} does not know 'pci={option.word}'",
                notes=["the kernel ignores it"],
                help="leave it out, or correct it",
                subject=option.word,
            )
        else:
            yield pci_option.rule.finding(
                _command_line(facts),
                f"'pci={option.word}' is not simulated",
                notes=["the kernel heeds it: what depends on it comes out otherwise than is shown here"],
                help="leave it out, or look at the real machine",
                subject=option.word,
            )


def _command_line(facts: Facts) -> Place:
    """Where the command line is."""
    if facts.described is not None:
        return facts.described.at("bootargs")
    node = None if facts.dt is None else facts.dt.tree.by_path.get("/chosen")
    return NOWHERE if facts.dt is None or node is None else facts.dt.tree.place(node, "bootargs")
