"""Groups as Xen tells them (xen.md §2.9): `get_device_group` by the IOMMU driver it runs on.

ACS plays no part in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from rootplex.simulator.function import PCI_TO_PCIE, PCIE_TO_PCI, Bus, Function
from rootplex.simulator.groups.acs import type_name
from rootplex.simulator.groups.assembly import Assembly
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.reason import Reason


def xen_arm_groups(functions: Sequence[Function]) -> Grouping:
    """Xen on Arm has no groups: no driver there has the hook, so every function is alone."""
    return _by_key("xen-arm", functions, lambda function: function, _no_hook)


def xen_vtd_groups(functions: Sequence[Function]) -> Grouping:
    """VT-d: a function and all behind a conventional bridge go by the topmost such bridge."""
    tops: dict[Bus, Function | None] = {}

    def key(function: Function) -> Function:
        # A bridge groups with what is below it: it is its own topmost one.
        return _topmost(function.bus, tops) or function

    return _by_key("xen-vtd", functions, key, _conventional)


def xen_amd_groups(functions: Sequence[Function], ivrs: Mapping[tuple[int, int], int]) -> Grouping:
    """AMD: by the alias that IVRS gives a (segment, requester id); absent: its own id."""

    def key(function: Function) -> tuple[int, int]:
        own = function.segment, function.rid
        return function.segment, ivrs.get(own, function.rid)

    return _by_key("xen-amd", functions, key, _ivrs_alias)


def is_conventional_bridge(function: Function) -> bool:
    """The three types that put buses into Xen's bus table (§2.4)."""
    if function.pcie_type is None:
        return function.is_bridge and function.class_code >> 8 == 0x0604
    return function.pcie_type in (PCIE_TO_PCI, PCI_TO_PCIE)


def _topmost(bus: Bus, tops: dict[Bus, Function | None]) -> Function | None:
    """The conventional bridge nearest the root bus above a bus."""
    way = []
    at: Bus | None = bus
    while at is not None and at not in tops:
        way.append(at)
        at = at.parent
    answer = None if at is None else tops[at]
    for passed in reversed(way):
        bridge = passed.bridge
        if answer is None and bridge is not None and is_conventional_bridge(bridge):
            answer = bridge
        tops[passed] = answer
    return answer


def _by_key(
    algorithm: str,
    functions: Sequence[Function],
    key: Callable[[Function], Hashable],
    why: Callable[[Function, int], Reason],
) -> Grouping:
    """Functions with equal keys are together; `why` speaks of the first of each group."""
    made = Assembly()
    by_key: dict[Hashable, list[Function]] = {}
    for function in functions:
        by_key.setdefault(key(function), []).append(function)
    for members in by_key.values():
        group = made.new()
        for function in members:
            made.put(function, group)
        made.because(group, [why(members[0], len(members))])
    return made.grouping(algorithm, functions)


def _no_hook(function: Function, _count: int) -> Reason:
    return Reason(function, f"{function.sbdf} is alone: Xen has no groups on Arm", "xen")


def _conventional(function: Function, count: int) -> Reason:
    if count == 1:
        return Reason(function, f"{function.sbdf} is behind no conventional bridge", "xen")
    text = f"{function.sbdf} is {type_name(function)}: Xen takes all behind it for one requester"
    return Reason(function, text, "xen")


def _ivrs_alias(function: Function, count: int) -> Reason:
    text = f"{function.sbdf} has a requester id of its own in IVRS"
    if count > 1:
        text = f"{function.sbdf} shares its IVRS requester id with {count - 1} others"
    return Reason(function, text, "xen")
