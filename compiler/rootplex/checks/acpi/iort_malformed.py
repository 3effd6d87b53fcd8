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

from collections.abc import Iterable, Iterator

from rootplex.checks.acpi_tables import bridges, bridges_of
from rootplex.checks.bridges import name_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort_facts import Iort
from rootplex.readers.problem import Problem
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place, TablePlace

RULE = Rule(
    code="RPX0751",
    name="iort-malformed",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-43",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """What the reader of the table met, but for output references, which have a check of their own. A wrong
    length moves all that is behind it: there it ends."""
    iort = facts.tables.iort
    if iort is None:
        return
    end = None if not iort.nodes else iort.nodes[-1].place
    told: Problem | None = None
    for problem in iort.problems:
        if problem.kind == "length" and told is not None and _is_in(told.place, end):
            return  # the node before is too long or too short for what it holds
        if problem.kind not in ("checksum", "reference"):
            told = problem
            yield RULE.finding(
                problem.place,
                f"IORT: {problem.text}",
                help="correct the field",
                about=with_maps(*_misread(facts, iort, problem)),
            )
        if problem.kind == "length":
            return


def _is_in(place: Place, node: TablePlace | None) -> bool:
    at = place.offset if isinstance(place, TablePlace) else None
    if node is None or at is None or node.offset is None:
        return False
    return node.offset <= at < node.offset + (node.length or 0)


def _misread(facts: Facts, iort: Iort, problem: Problem) -> Iterable[str]:
    """The names of the bridges of the node with the problem; where what is behind it cannot be read, and
    without a node, all of them."""
    at = problem.place
    offset = at.offset if isinstance(at, TablePlace) and at.offset else None
    if iort.node_count != len(iort.nodes):
        offset = None
    inside = [each for each in iort.nodes if offset and each.offset <= offset < each.offset + each.length]
    found = [name for node in inside for name in bridges_of(facts, node)]
    return found or [name_of(facts, each.path) for each in bridges(facts)]
