"""What Xen takes of MCFG and `_CBA`."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import entry_at, entry_text, field
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import xen_of
from rootplex.source.finding import Finding, Level


@check("RPX0729", Level.ERROR, needs="simulation", only="xen", covers=("XP-44",))
def mcfg_refused_by_xen(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86, an ECAM region that Dom0 reports and Xen refuses.
    Why it matters: Xen takes a region only as its own MCFG entry has it: same segment, start, end and base.
    Linux cuts a region that is reserved in part, and reports the shorter one.
    Example: a PNP0C02 that holds half of the ECAM.
    What to do: let MCFG and the motherboard resources say the same.
    Source: Xen xen/arch/x86/x86_64/mmconfig-shared.c, pci_mmcfg_reserved; Linux
    arch/x86/pci/mmconfig-shared.c, is_mmconf_reserved.
    """
    for call in xen_of(facts).calls:
        if call.op != "pci_mmcfg_reserved" or (call.result or 0) >= 0:
            continue
        segment, start = _number(call.args.get("segment")), _number(call.args.get("start_bus"))
        entry = entry_at(facts, segment, start)
        if entry is None:
            continue
        yield mcfg_refused_by_xen.rule.finding(
            field(entry, "end_bus"),
            f"Xen refuses the ECAM region that Dom0 reports for segment {segment}, bus {start:#04x}",
            notes=(f"pci_mmcfg_reserved gives {call.result}", f"MCFG: {entry_text(entry)}"),
            help="let MCFG and the motherboard resources say the same",
        )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


@check("RPX0728", Level.WARNING, only="x86-xen", covers=("LNX-38", "XP-50"))
def cba_unknown_to_xen(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86 with today's Xen, a guest's device on a bridge that only `_CBA` describes.
    Why it matters: Linux reports ECAM to Xen once, from MCFG; a bridge found later by `_CBA` stays unknown to
    Xen, which then reaches no extended configuration space of it, and refuses it when told (-ENODEV).
    Example: `hot_pluggable: true` on the bridge of a guest's device, `discovery: xen`, x86_64.
    What to do: let MCFG have the bridge, or give the guest another device.
    Source: Linux drivers/xen/pci.c, xen_mcfg_late; Xen xen/arch/x86/x86_64/mmconfig-shared.c,
    pci_mmcfg_reserved.
    """
    described = facts.described
    if described is None or described.xen.discovery != "xen":
        return
    wanted = {name for guest in described.xen.guests for name in guest.devices}
    owners = {bridge.name: device.label for bridge, device in described.walk() if device.name in wanted}
    for joined in facts.bridges:
        if joined.acpi is None or joined.mcfg or not joined.acpi.cba.known:
            continue
        if joined.name in owners:
            yield cba_unknown_to_xen.rule.finding(
                joined.acpi.cba.place,
                f"Xen is not told of the ECAM of {joined.name}, where {owners[joined.name]} is",
                notes=("Linux reports MCFG's entries before the first device, and nothing found by _CBA",),
                help="let MCFG have the bridge, or give the guest another device",
                subject=joined.name,
            )
