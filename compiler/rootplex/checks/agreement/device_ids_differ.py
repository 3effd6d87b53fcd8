"""device-ids-differ

What it finds: requester ids with another DeviceID, or another ITS, by `msi-map` than by IORT.
Why it matters: one of the two programs an id that the hardware does not send: faults, or messages that go
astray. Both are compared
as functions over the bus range, after masks and through both steps of IORT.
Example: `msi-map` adds 0x10000, the IORT mapping does not.
What to do: write the same map.
Source: linux-pci LNX-47, §1.10, §1.11, §3.3.
Sources that prove it: device tree and ACPI of one board. A map that a boot loader fills in is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    iort_of,
    segment_of,
    takes_iort,
)
from rootplex.checks.agreement._parties import (
    both,
    common_buses,
    dt_targets,
    iort_targets,
    laid_to,
    said,
)
from rootplex.checks.facts import Facts
from rootplex.checks.idfunction import Run, differences, dt_runs, identity, iort_runs
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.iort import (
    ITS_TYPES,
    root_complex,
)
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0807",
    name="device-ids-differ",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0740",),
    covers=("LNX-47",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose maps differ; the first stretch, and how many there are."""
    iort = iort_of(facts)
    if not takes_iort(facts):
        return
    for joined, dt, acpi in both(facts):
        segment = segment_of(acpi)
        common = common_buses(dt, acpi)
        if segment is None or common is None:
            continue
        first, last = common
        node = None if iort is None else root_complex(iort, segment)
        ours = _tree_runs(dt, first, last)
        theirs: tuple[Run, ...] | None = (identity(first, last, None, acpi.place),)
        if iort is not None and node is not None:
            theirs = iort_runs(iort, node, first, last, ITS_TYPES)
            theirs = None if theirs is None else iort_targets(facts, theirs)
        if ours is None or theirs is None:
            continue
        found = list(differences(dt_targets(facts, ours, ("its",)), theirs))
        if not found:
            continue
        mine, other = found[0]
        ids = f"{mine.first:#06x}-{mine.last:#06x}"
        at, related = laid_to(
            facts,
            joined,
            "msi",
            (mine.at, f"by device tree {said(mine, 'DeviceID')}"),
            (other.at, f"by IORT {said(other, 'DeviceID')}"),
        )
        yield RULE.finding(
            at,
            f"requesters {ids} of {joined.name} have {said(mine, 'DeviceID')} by device tree "
            f"and {said(other, 'DeviceID')} by IORT",
            related=related,
            notes=(f"{len(found)} stretches differ",) if len(found) > 1 else (),
            help="write the same map",
            subject=joined.name,
        )


def _tree_runs(bridge: DtHostBridge, first: int, last: int) -> tuple[Run, ...] | None:
    if bridge.msi_map is not None:
        return dt_runs(bridge.msi_map, first, last)
    parents = [each for each in bridge.msi_parent if each.target is not None]
    if parents:
        return (identity(first, last, parents[0].target, parents[0].place),)
    return (identity(first, last, None, bridge.place()),)
