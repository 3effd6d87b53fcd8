"""RID maps of both firmwares as functions over the buses that both give a bridge, and where they differ.

StreamIDs and DeviceIDs are compared alike: after masks, and through both steps of IORT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.checks.acpi._tables import iort_of
from rootplex.checks.agreement._parties import (
    both,
    common_buses,
    dt_targets,
    iort_targets,
    laid_to,
    said,
)
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts, Joined
from rootplex.checks.rule import Rule
from rootplex.formats.idruns import differences
from rootplex.readers.acpi.iort_ids import root_complex
from rootplex.readers.buses import Buses
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.idruns import Way, identity, iort_runs
from rootplex.source.finding import Finding

TreeRuns: TypeAlias = Callable[[DtHostBridge, Buses], tuple[Way, ...] | None]


class IdMap(Struct, frozen=True, kw_only=True):
    """One kind of map: the description's `key`, what its ids are called, the kinds of controller that
    the tree's map and IORT lead to, the maps that the ids go through, and how the tree's node becomes runs
    of these buses (None: too long to follow)."""

    key: Literal["iommu", "msi"]
    id_name: Literal["StreamID", "DeviceID"]
    tree_kinds: tuple[str, ...]
    iort_types: Sequence[int]
    ways: tuple[str, ...]
    tree_runs: TreeRuns


class Difference(Struct, frozen=True):
    """The first stretch of a bridge's requesters for which the maps differ, and how many there are."""

    joined: Joined
    tree: Way
    iort: Way
    count: int

    @property
    def units(self) -> tuple[object, object] | None:
        """The two units, where the ids agree and only the unit differs."""
        alike = self.tree.id == self.iort.id and None not in (self.tree.target, self.iort.target)
        return (self.tree.target, self.iort.target) if alike else None


def map_differences(facts: Facts, rule: Rule, map: IdMap) -> Iterator[Finding]:
    """A finding for each bridge whose maps differ; one for all that differ in one unit's address."""
    by_units: dict[object, list[Difference]] = {}
    for each in _differences(facts, map):
        by_units.setdefault(each.units or each.joined.name, []).append(each)
    for first, *others in by_units.values():
        yield _finding(facts, rule, map, first, [each.joined.name for each in others])


def _differences(facts: Facts, map: IdMap) -> Iterator[Difference]:
    iort = iort_of(facts)
    for joined, dt, acpi in both(facts):
        segment = acpi.segment
        common = common_buses(dt, acpi)
        if segment is None or common is None:
            continue
        node = None if iort is None else root_complex(iort, segment)
        ours = map.tree_runs(dt, common)
        theirs: tuple[Way, ...] | None = (identity(common, None, acpi.place),)
        if iort is not None and node is not None:
            theirs = iort_runs(iort, node, common, map.iort_types)
            theirs = None if theirs is None else iort_targets(facts, theirs)
        if ours is None or theirs is None:
            continue
        found = list(differences(dt_targets(facts, ours, map.tree_kinds), theirs))
        if found:
            yield Difference(joined, *found[0], len(found))


def _finding(facts: Facts, rule: Rule, map: IdMap, found: Difference, others: list[str]) -> Finding:
    name, tree, iort = found.joined.name, found.tree, found.iort
    by_tree, by_iort = said(tree, map.id_name), said(iort, map.id_name)
    at, related = laid_to(
        facts,
        found.joined,
        map.key,
        (tree.at, f"by device tree {by_tree}"),
        (iort.at, f"by IORT {by_iort}"),
    )
    notes = [f"{found.count} stretches differ"] if found.count > 1 else []
    if others:
        notes.append(f"it is the same unit for {', '.join(others)}")
    return rule.finding(
        at,
        f"requesters {tree.first:#06x}-{tree.last:#06x} of {name} have {by_tree} by device tree "
        f"and {by_iort} by IORT",
        related=related,
        notes=notes,
        help="write the same map",
        subject=name,
        about=(each for bridge in (name, *others) for each in (bridge, map_of(bridge, f"{map.key}-map"))),
        rests_on=(map_of(bridge, f"{key}-map") for bridge in (name, *others) for key in map.ways),
    )
