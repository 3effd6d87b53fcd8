"""cca-missing

What it finds: on Arm and RISC-V, a host bridge without `_CCA`.
Why it matters: Linux then gives no device below it any DMA, and no IOMMU group.
Example: a PNP0A08 device without `_CCA`.
What to do: add `_CCA` with 1 (coherent) or 0.
Source: ACPI 6.5 §6.2.17; Linux drivers/acpi/scan.c, acpi_init_coherency and acpi_get_dma_attr.
Sources that prove it: AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0731",
    name="cca-missing",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-39",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that does not say whether its DMA is coherent."""
    for bridge in bridges(facts) if facts.arch in ("arm64", "riscv64") else ():
        if bridge.cca.state == "absent":
            name = name_of(facts, bridge.path)
            nested = bridge.path.count(".") > 1
            yield RULE.finding(
                bridge.place,
                f"{name} has no _CCA",
                level=Level.WARNING if nested else Level.ERROR,
                notes=("a device above it may have one",) if nested else ("no device below it gets any DMA",),
                help="add _CCA: 1 where DMA is coherent, 0 where not",
                subject=name,
                about=with_maps(name),
            )
