"""Xen's own partition over the functions that Linux knows (xen.md §2.9): Xen is asked, nothing is worked out
here.

ACS plays no part in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.simulator.function import PCI_TO_PCIE, PCIE_TO_PCI, Function
from rootplex.simulator.groups.grouping import GroupBuilder, Grouping
from rootplex.simulator.groups.reason import Reason


def xen_groups(
    partition: Iterable[Iterable[tuple[int, int]]], functions: Sequence[Function], *, has_groups: bool
) -> Grouping:
    """The partition, groups of (segment, requester id), of the functions that Xen knows. `has_groups`: the
    IOMMU's driver has the hook; on Arm none has."""
    at = {(function.segment, function.rid): function for function in functions}
    made = GroupBuilder()
    for ids in partition:
        members = [at[each] for each in ids if each in at]
        if not members:
            continue
        group = made.new()
        for function in members:
            made.put(function, group)
        made.because(group, [_reason(members, has_groups=has_groups)])
    return made.grouping("xen" if has_groups else "xen-arm", functions)


def _reason(members: Sequence[Function], *, has_groups: bool) -> Reason:
    first = members[0]
    if not has_groups:
        return Reason(first, "xen", "no-groups")
    if len(members) == 1:
        return Reason(first, "xen", "no-bridge")
    bridge = next((function for function in members if is_conventional_bridge(function)), first)
    return Reason(bridge, "xen")


def is_conventional_bridge(function: Function) -> bool:
    """The three types that put buses into Xen's bus table (§2.4)."""
    if function.pcie_type is None:
        return function.is_bridge and function.class_code >> 8 == 0x0604
    return function.pcie_type in (PCIE_TO_PCI, PCI_TO_PCIE)
