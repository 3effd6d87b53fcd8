"""boot-placement

What it finds: a boot device whose host bridge is not where `boot.placement` wants it: not in MCFG (without
ACPI: not an enabled bridge with ECAM in the device tree), or not on segment 0.
Why it matters: what is not in MCFG is reached only after AML has been interpreted; what is not on segment 0
is out of reach of x86's ports and of software that knows no segments.
Example: a disk on a bridge with `hot_pluggable: true`, which has `_CBA` and no entry in MCFG.
What to do: put the bridge into MCFG (`acpi: {mcfg: true}`), boot from another bridge, or set
`boot.placement: any`.
Source: PCI Firmware 3.3 §4.1.2; Linux arch/x86/pci/common.c, raw_pci_read; xen.md §7.2, what was discussed of
boot devices in 2017.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts, Joined
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, bridge_name, owner_of
from rootplex.model.bridge import HostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0302",
    name="boot-placement",
    level=Level.ERROR,
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


def check(facts: Facts) -> Iterator[Finding]:
    """The policy against the boot device's bridge."""
    described = facts.described
    if described is None or described.boot is None or described.boot.placement == "any":
        return
    found = owner_of(facts, described.boot.device)
    if found is None:
        return
    bridge, device = found
    joined = next((each for each in facts.bridges if each.name == bridge.name), None)
    if described.boot.placement == "segment-zero":
        fault = _not_on_zero(facts, bridge)
    elif "acpi" in described.firmware:
        fault = _not_in_mcfg(facts, bridge, joined)
    else:
        fault = _no_ecam(bridge, joined)
    if fault is None:
        return
    reason, at, help = fault
    yield RULE.finding(
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
    segment = next((each.segment for each in roots if bridge_name(facts, each) == bridge.name), None)
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
