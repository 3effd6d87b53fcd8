"""RID maps of both firmwares as functions over the buses that both give a bridge, and where they differ.

StreamIDs and DeviceIDs are compared alike: after masks, and through both steps of IORT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.checks.acpi._tables import iort_of, segment_of
from rootplex.checks.agreement._parties import (
    both,
    common_buses,
    dt_targets,
    iort_targets,
    laid_to,
    said,
)
from rootplex.checks.facts import Facts
from rootplex.checks.idfunction import Run, differences, identity, iort_runs
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort import root_complex
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding

TreeRuns: TypeAlias = Callable[[DtHostBridge, int, int], tuple[Run, ...] | None]


class IdMap(Struct, frozen=True, kw_only=True):
    """One kind of map: the description's `key`, what its ids are called, the kinds of controller that
    the tree's map and IORT lead to, and how the tree's node becomes runs from first to last RID
    (None: too long to follow)."""

    key: str
    id_name: Literal["StreamID", "DeviceID"]
    tree_kinds: tuple[str, ...]
    iort_types: Sequence[int]
    tree_runs: TreeRuns


def map_differences(facts: Facts, rule: Rule, map: IdMap) -> Iterator[Finding]:
    """A finding for each bridge whose maps differ: the first stretch, and how many there are."""
    iort = iort_of(facts)
    for joined, dt, acpi in both(facts):
        segment = segment_of(acpi)
        common = common_buses(dt, acpi)
        if segment is None or common is None:
            continue
        first, last = common
        node = None if iort is None else root_complex(iort, segment)
        ours = map.tree_runs(dt, first, last)
        theirs: tuple[Run, ...] | None = (identity(first, last, None, acpi.place),)
        if iort is not None and node is not None:
            theirs = iort_runs(iort, node, first, last, map.iort_types)
            theirs = None if theirs is None else iort_targets(facts, theirs)
        if ours is None or theirs is None:
            continue
        found = list(differences(dt_targets(facts, ours, map.tree_kinds), theirs))
        if not found:
            continue
        mine, other = found[0]
        by_tree, by_iort = said(mine, map.id_name), said(other, map.id_name)
        at, related = laid_to(
            facts,
            joined,
            map.key,
            (mine.at, f"by device tree {by_tree}"),
            (other.at, f"by IORT {by_iort}"),
        )
        yield rule.finding(
            at,
            f"requesters {mine.first:#06x}-{mine.last:#06x} of {joined.name} have {by_tree} by device tree "
            f"and {by_iort} by IORT",
            related=related,
            notes=(f"{len(found)} stretches differ",) if len(found) > 1 else (),
            help="write the same map",
            subject=joined.name,
        )
