"""ats-differs

What it finds: ATS that one of `ats-supported` and IORT's root complex allows and the other does not.
Why it matters: devices translate addresses themselves, or not, by how the machine was booted.
Example: `ats-supported` in the tree, ATS attribute 0.
What to do: say what the root complex does.
Source: Linux drivers/iommu/of_iommu.c, of_pci_check_device_ats, and drivers/acpi/arm64/iort.c,
iort_pci_rc_supports_ats.
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import RootComplex
from rootplex.readers.acpi.iort_ids import root_complex
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0809",
    name="ats-differs",
    level=Level.WARNING,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge of which the two say different things; only where both translate it."""
    iort = facts.tables.iort
    for joined, dt, acpi in both(facts):
        segment = acpi.segment
        node = None if iort is None or segment is None else root_complex(iort, segment)
        if iort is None or node is None or not isinstance(node.data, RootComplex) or dt.iommu_map is None:
            continue
        allowed = bool(node.data.ats_attribute & 1)
        if allowed == dt.ats_supported:
            continue
        at, related = blamed_side(
            facts,
            joined,
            "iommu",
            (dt.place("ats-supported" if dt.ats_supported else None), "by device tree"),
            (iort.place(node, "ats_attribute"), f"the attribute is {node.data.ats_attribute}"),
        )
        yield RULE.finding(
            at,
            f"ATS of {joined.name} is {'off' if allowed else 'on'} by device tree and "
            f"{'on' if allowed else 'off'} by IORT",
            related=related,
            help="say what the root complex does",
            subject=joined.name,
        )
