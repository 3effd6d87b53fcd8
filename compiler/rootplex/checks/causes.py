"""One cause, one finding: which findings follow from which, each subject for itself.

A finding follows from another of a code that its rule requires to be silent, where both bear on one thing: a
bridge, a device, a table, a map of a bridge. What is wrong with a bridge is so for its devices; what is wrong
with a device says nothing of its bridge. A note is no cause of anything worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import merge
from itertools import accumulate

from msgspec.structs import replace

from rootplex.checks.rule import ANY, BYTES, EVERYTHING, Rule
from rootplex.source.finding import Finding, Level

WRONG_MAP = (
    "RPX0401", "RPX0608", "RPX0609", "RPX0610", "RPX0619", "RPX0620", "RPX0740", "RPX0741", "RPX0742",
    "RPX0743", "RPX0744", "RPX0745", "RPX0747", "RPX0748", "RPX0751",
)  # fmt: skip
"""In `requires`: what can be wrong with a map of requester ids, by device tree or by IORT."""


MCFG_UNUSABLE = ("RPX0713", "RPX0714", "RPX0716", "RPX0717", "RPX0718", "RPX0735")
"""In `requires`: what can be wrong with MCFG, so that a bridge's entry is not found."""

WRONG_WINDOW = (
    "RPX0101", "RPX0102", "RPX0104", "RPX0105", "RPX0106", "RPX0111", "RPX0113", "RPX0115", "RPX0121",
    "RPX0724", "RPX0754", "RPX0804",
)  # fmt: skip
"""In `requires`: what can be wrong with a window of a bridge."""


def property_of(bridge: str, property: str) -> str:
    """What a finding about one property of a bridge's node bears on, and not on the whole bridge."""
    return f"{property} of {bridge}"


def base_of(segment: int, base: int) -> str:
    """What a finding about the base of an MCFG entry bears on."""
    return f"base {base:#x} of segment {segment} in MCFG"


def map_of(bridge: str, property: str) -> str:
    """What a finding about one map of requester ids bears on, by the name that a device tree has for it
    (`iommu-map`, `msi-map`), whichever firmware has the map."""
    return property_of(bridge, property)


def with_maps(*bridges: str) -> tuple[str, ...]:
    """Bridges and their maps: what is wrong with all ids of a bridge."""
    return tuple(
        each
        for bridge in bridges
        for each in (bridge, map_of(bridge, "iommu-map"), map_of(bridge, "msi-map"))
    )


def by_cause(
    earlier: Sequence[Finding],
    new: Sequence[tuple[Finding, Rule]],
    bridge_of: Callable[[str], str | None],
) -> tuple[Finding, ...]:
    """All findings, those that follow from another under it.

    `earlier` are those of the stages before, `new` those of this stage with their rules; `bridge_of` gives
    the bridge of a device's name.
    """
    every: list[tuple[Finding, Rule | None]]
    every = [(replace(each, follows=()), None) for root in earlier for each in root.every]
    every += new
    roots = [index for index, root in enumerate(earlier) for _ in root.every]
    starts = [0, *accumulate(len(root.every) for root in earlier)]
    root_of = {i: starts[root] for i, root in enumerate(roots)}
    first_new = len(root_of)
    root_of |= {i: i for i in range(first_new, len(every))}

    def top(i: int) -> int:
        while root_of[i] != i:
            i = root_of[i]
        return i

    # of a rule once, by what they bear on: a rule may have thousands of findings
    candidates: dict[str, dict[str, list[int]]] = {}
    for i in range(first_new, len(every)):
        finding, rule = every[i]
        assert rule is not None
        if rule.code not in candidates:
            every_one = {ANY, BYTES} & set(rule.requires)
            candidates[rule.code] = {}
            for j, (other, _) in enumerate(every):
                for part in other.bears_on if every_one or other.code in rule.requires else ():
                    candidates[rule.code].setdefault(part, []).append(j)
        of_part = candidates[rule.code]
        cause = next(
            (
                j
                for j in merge(*(of_part.get(part, ()) for part in _rests_on(finding, bridge_of)))
                if top(j) != i and _is_required(finding, rule, every[j][0], every[j][1], early=j < first_new)
            ),
            None,
        )
        if cause is not None:
            root_of[i] = top(cause)
    follows: dict[int, list[Finding]] = {i: [] for i in root_of if top(i) == i}
    for i in sorted(root_of, key=lambda i: ANY in getattr(every[i][1], "requires", ())):
        if top(i) != i:
            follows[top(i)].append(every[i][0])
    return tuple(replace(every[i][0], follows=tuple(below)) for i, below in follows.items())


def _is_required(finding: Finding, rule: Rule, other: Finding, its: Rule | None, *, early: bool) -> bool:
    if other.code in rule.requires:
        return other.level is not Level.NOTE or finding.level is Level.NOTE
    if other.level is not Level.ERROR or other.code == rule.code:
        return False
    if BYTES in rule.requires and early:
        return True
    return ANY in rule.requires and (its is None or ANY not in its.requires)


def _rests_on(finding: Finding, bridge_of: Callable[[str], str | None]) -> frozenset[str]:
    """What a finding that calls it into question explains."""
    own = finding.bears_on
    rests_on = finding.rests_on or own | {bridge for name in own if (bridge := bridge_of(name))}
    return rests_on | {EVERYTHING}
