"""iort-address-limit

What it finds: a root complex node of revision 1 or later with an address size limit of 0.
Why it matters: 0 bits of addresses would be no DMA at all; Linux reports a firmware bug and goes on as if
there were no limit.
Example: an address size limit byte that nobody filled in.
What to do: write the number of address bits, 64 for all.
Source: Arm DEN0049 E.f §3.1.1.2; Linux drivers/acpi/arm64/iort.c, rc_dma_get_range and
acpi_iort_dma_get_max_cpu_address.
Sources that prove it: IORT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import root_complexes
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0750",
    name="iort-address-limit",
    level=Level.WARNING,
    needs="artifacts",
    covers=("LNX-46",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each node without a limit."""
    iort = facts.tables.iort
    for node, data in root_complexes(iort):
        if node.revision >= 1 and data.address_size_limit == 0 and iort is not None:
            yield RULE.finding(
                iort.place(node, "address_size_limit"),
                f"the root complex of segment {data.segment} has an address size limit of 0 bits",
                help="write the number of address bits, 64 for all",
            )
