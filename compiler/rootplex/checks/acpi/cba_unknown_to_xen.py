"""cba-unknown-to-xen

What it finds: on x86 with today's Xen, a guest's device on a bridge that only `_CBA` describes.
Why it matters: Linux reports ECAM to Xen once, from MCFG; a bridge found later by `_CBA` stays unknown to
Xen, which then reaches no extended configuration space of it, and refuses it when told (-ENODEV).
Example: `hot_pluggable: true` on the bridge of a guest's device, `discovery: xen`, x86_64.
What to do: let MCFG have the bridge, or give the guest another device.
Source: Linux drivers/xen/pci.c, xen_mcfg_late; Xen xen/arch/x86/x86_64/mmconfig-shared.c, pci_mmcfg_reserved.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0728",
    name="cba-unknown-to-xen",
    level=Level.WARNING,
    needs="artifacts",
    only="x86-xen",
    covers=("LNX-38", "XP-50"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge of a guest's device that MCFG does not have."""
    described = facts.described
    if described is None or described.xen.discovery != "xen":
        return
    wanted = {name for guest in described.xen.guests for name in guest.devices}
    owners = {bridge.name: device.label for bridge, device in described.walk() if device.name in wanted}
    for joined in facts.bridges:
        if joined.acpi is None or joined.mcfg or not joined.acpi.cba.known:
            continue
        if joined.name in owners:
            yield RULE.finding(
                joined.acpi.cba.place,
                f"Xen is not told of the ECAM of {joined.name}, where {owners[joined.name]} is",
                notes=("Linux reports MCFG's entries before the first device, and nothing found by _CBA",),
                help="let MCFG have the bridge, or give the guest another device",
                subject=joined.name,
            )
