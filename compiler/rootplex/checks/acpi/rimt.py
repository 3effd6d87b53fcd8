"""What is wrong with RIMT: its nodes, and the host bridges that they are for."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, own_problems
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.source.finding import Finding, Level


@check("RPX0770", Level.ERROR)
def rimt_malformed(facts: Facts) -> Iterator[Finding]:
    """What it finds: nodes of RIMT that do not fit, mappings beyond their node or to where no IOMMU is.
    Why it matters: Linux goes from node to node by their lengths, and takes whatever is at a mapping's offset
    for an IOMMU: the functions that it is for have none.
    Example: a mapping to offset 0x40, in a table whose IOMMU is at 0x30.
    What to do: correct the field that is pointed at; `iasl -d` shows what it makes of the table.
    Source: RISC-V IO Mapping Table 1.0; Linux drivers/acpi/riscv/rimt.c, rimt_scan_node and rimt_node_map_id.
    Sources that prove it: RIMT.
    """
    bears_on = with_maps(*(each.name for each in facts.bridges))
    for problem in own_problems(facts.tables.rimt):
        yield rimt_malformed.rule.finding(
            problem.place, f"RIMT: {problem.text}", help="correct the field", about=bears_on
        )


@check("RPX0771", Level.WARNING, requires=("RPX0770",))
def rimt_stray(facts: Facts) -> Iterator[Finding]:
    """What it finds: a root complex of RIMT whose segment no host bridge has, or that is not the first of its
    segment.
    Why it matters: Linux finds a root complex by its segment alone, and takes the first: nobody asks this
    one, and nothing translates the functions that it was meant for.
    Example: a root complex of segment 1, where the only host bridge has `_SEG` 0.
    What to do: correct the segment, or put all mappings of a segment into one root complex.
    Source: RISC-V IO Mapping Table 1.0; Linux drivers/acpi/riscv/rimt.c, rimt_match_node_callback.
    Sources that prove it: RIMT with AML.
    """
    table = facts.tables.rimt
    found = list(bridges(facts))
    if table is None or not found or any(each.segment is None for each in found):
        return
    segments = {each.segment for each in found}
    for root in table.roots:
        first = table.root_of(root.segment)
        if root.segment in segments and first is root:
            continue
        yield rimt_stray.rule.finding(
            root.place,
            f"no host bridge is of segment {root.segment:#x}, for which RIMT has a root complex"
            if root.segment not in segments
            else f"RIMT has a root complex of segment {root.segment:#x} before this one",
            help="correct the segment"
            if root.segment not in segments
            else "put the mappings of a segment into one root complex",
            subject="RIMT",
        )
