"""mcfg-refused-by-xen

What it finds: on x86, an ECAM region that Dom0 reports and Xen refuses.
Why it matters: Xen takes a region only as its own MCFG entry has it: same segment, start, end and base. Linux
cuts a region that is reserved in part, and reports the shorter one.
Example: a PNP0C02 that holds half of the ECAM.
What to do: let MCFG and the motherboard resources say the same.
Source: Xen xen/arch/x86/x86_64/mmconfig-shared.c, pci_mmcfg_reserved; Linux arch/x86/pci/mmconfig-shared.c,
is_mmconf_reserved.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import entry_at, entry_text, field
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import xen_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0729",
    name="mcfg-refused-by-xen",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    covers=("XP-44",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each refused report."""
    outcome = facts.outcome
    for call in () if outcome is None else xen_of(facts).calls:
        if call.op != "pci_mmcfg_reserved" or (call.result or 0) >= 0:
            continue
        segment, start = _number(call.args.get("segment")), _number(call.args.get("start_bus"))
        entry = entry_at(facts, segment, start)
        if entry is None:
            continue
        yield RULE.finding(
            field(entry, "end_bus"),
            f"Xen refuses the ECAM region that Dom0 reports for segment {segment}, bus {start:#04x}",
            notes=(f"pci_mmcfg_reserved gives {call.result}", f"MCFG: {entry_text(entry)}"),
            help="let MCFG and the motherboard resources say the same",
        )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
