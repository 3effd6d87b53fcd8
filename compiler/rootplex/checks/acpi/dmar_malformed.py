"""dmar-malformed

What it finds: structures and device scopes of DMAR whose lengths do not fit.
Why it matters: a structure that runs past the table's end makes Linux drop the whole of DMAR, so that nothing
is translated; behind one of length 0 it reads no more; what is too short is taken for something else.
Example: a DRHD of 4096 bytes in a table of 80.
What to do: correct the length; `iasl -d` shows what it makes of the table.
Source: Intel VT-d 4.1 §8.2; Linux drivers/iommu/intel/dmar.c, dmar_walk_remapping_entries ("Record passes
table end").
Sources that prove it: DMAR.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0763", name="dmar-malformed", level=Level.ERROR, needs="artifacts", only="x86")


def check(facts: Facts) -> Iterator[Finding]:
    """What the reader of the table met; a wrong length moves all that is behind it: there it ends."""
    dmar = facts.tables.dmar
    for problem in () if dmar is None else dmar.problems[len(dmar.table.problems) :]:
        bears_on = with_maps(*(each.name for each in facts.bridges))
        yield RULE.finding(problem.place, f"DMAR: {problem.text}", help="correct the length", about=bears_on)
        if problem.kind == "length":
            return
