"""coherence-differs

What it finds: DMA that is coherent by one of `dma-coherent`, `_CCA` and IORT's root complex, and not by
another.
Why it matters: with the wrong word the kernel leaves out cache maintenance that is needed: data is lost
without a message.
Example: `dma-coherent` in the tree and `_CCA` 0.
What to do: say what the hardware does.
Source: Linux drivers/of/address.c, of_dma_is_coherent, and drivers/acpi/scan.c, acpi_get_dma_attr; Arm
DEN0049 E.f §3.1.1.2.
Sources that prove it: device tree and ACPI of one board; tables among themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import takes_iort
from rootplex.checks.agreement._sides import blamed_side
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import RootComplex
from rootplex.readers.acpi.iort_ids import root_complex
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0808",
    name="coherence-differs",
    level=Level.ERROR,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that is said to be both."""
    iort = facts.tables.iort
    for joined in facts.bridges:
        acpi = joined.acpi
        cca = None if acpi is None or not acpi.is_on else acpi.cca.known
        if acpi is None or cca is None or not takes_iort(facts):
            continue
        table = (acpi.cca.place, f"_CCA is {cca}")
        dt = joined.dt
        if dt is not None and dt.is_on and bool(dt.dma_coherent) != bool(cca):
            word = "coherent" if dt.dma_coherent else "not coherent"
            at, related = blamed_side(
                facts, joined, "dma_coherent", (dt.place(), f"{word} by device tree"), table
            )
            yield RULE.finding(
                at,
                f"DMA of {joined.name} is {word} by device tree, and _CCA is {cca}",
                related=related,
                help="say what the hardware does",
                subject=joined.name,
            )
        segment = acpi.segment
        node = None if iort is None or segment is None else root_complex(iort, segment)
        if iort is None or node is None or not isinstance(node.data, RootComplex):
            continue
        if bool(node.data.cache_coherency & 1) != bool(cca):
            yield RULE.finding(
                iort.place(node, "cache_coherency"),
                f"IORT has coherency {node.data.cache_coherency} for {joined.name}, _CCA is {cca}",
                related=[table],
                help="say what the hardware does",
                subject=joined.name,
            )
