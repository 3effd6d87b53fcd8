"""iort-malformed

What it finds: an IORT whose counts, lengths and offsets do not fit each other.
Why it matters: Linux stops at the first node that does not fit; what follows is not read, and a mapping count
that is too large reads the next node as mappings.
Example: a node count of 5 in a table with 4 nodes.
What to do: correct the field; `iasl -d` shows what it makes of the table.
Source: Arm DEN0049 E.f §3.1; Linux drivers/acpi/arm64/iort.c, iort_scan_node;
https://github.com/ARM-software/bsa-acs/issues/118.
Sources that prove it: IORT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    iort_of,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0751",
    name="iort-malformed",
    level=Level.ERROR,
    covers=("LNX-43",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """What the reader of the table met, but for output references, which have a check of their own."""
    iort = iort_of(facts)
    if iort is None:
        return
    for problem in iort.problems:
        if problem.kind not in ("checksum", "reference"):
            yield RULE.finding(problem.place, f"IORT: {problem.text}", help="correct the field")
