"""Linux's IOMMU groups, 3.x up to 7.2 (linux.md §5.5).

Follows `iommu.c:pci_device_group`: functions come one after the other, each looks for a group that
already exists, through its DMA aliases, the bridges above it, fixed aliases and the functions of
its device. The result depends on the order; a bridge without a group is looked through.
"""

from __future__ import annotations

from collections.abc import Sequence

from rootplex.simulator.firmware.routing.aliases import bridge_aliases
from rootplex.simulator.function import Bus, Function
from rootplex.simulator.groups.acs import Acs, function_reason, port_reason
from rootplex.simulator.groups.grouping import Grouping, ProbedGroups
from rootplex.simulator.groups.iommu_probe import EINVAL, IommuProbe, Refusal, StreamKey
from rootplex.simulator.groups.neighbours import Neighbours, fixed_alias_reason
from rootplex.simulator.groups.reason import Reason


def linux_groups(
    discovery: Sequence[Function],
    probe: IommuProbe | None = None,
    *,
    order: Sequence[Function] | None = None,
) -> Grouping:
    """The groups of functions given in discovery order.

    `probe`: who has an IOMMU (None: everyone); the others get no group. `order`: the order in
    which functions are grouped (None: of discovery).
    """
    probe = probe or IommuProbe.all_of(discovery)
    pass_ = _Pass(discovery, probe)
    for function in discovery if order is None else order:
        if function in probe.probed:
            pass_.take(function)
    return pass_.made.finished("linux", discovery, pass_.acs, pass_.hazards.values())


class _Pass:
    """One run over the functions."""

    def __init__(self, functions: Sequence[Function], probe: IommuProbe) -> None:
        self._near = Neighbours(functions)
        self._probe = probe
        self.acs = Acs()
        self.made = ProbedGroups(probe)
        self.hazards: dict[Function, Reason] = {}
        self._stream_groups: dict[StreamKey, tuple[int, Function]] = {}
        self._port_reasons: dict[Function, Reason] = {}
        self._bridge_aliases: dict[Bus, tuple[tuple[Function, int], ...]] = {}

    def take(self, function: Function) -> None:
        """Give a function its group."""
        keys = self._probe.probed[function]
        shared = {self._stream_groups[key][0]: key for key in keys if key in self._stream_groups}
        if len(shared) > 1:
            # arm_smmu_device_group answers -EINVAL: the device stays without a group.
            reason = Reason(function, "refused", "several-groups", number=len(shared))
            self.made.refuse(Refusal(function, self._probe.units[function], EINVAL, reason))
            return
        reasons: list[Reason] = []
        if shared:
            group, key = next(iter(shared.items()))
            reasons.append(_stream_reason(function, self._stream_groups[key][1], key))
        else:
            found = self._find(function, reasons)
            group = self.made.new() if found is None else found
        if not self.made.take(function, group):
            return
        self.made.because(group, reasons)
        for key in keys:
            self._stream_groups.setdefault(key, (group, function))

    def _find(self, function: Function, reasons: list[Reason]) -> int | None:
        """The group a function joins, None for a new one; why, into `reasons`."""
        number = self.made.number
        top = function
        for owner, rid in self._above(function.bus):
            top = owner
            if owner in number:
                reasons.append(Reason(owner, "bridge-alias", id=rid))
                self._note_ports(function, reasons)
                return number[owner]
        bus: Bus | None = top.bus
        while bus is not None and not bus.is_root:
            bridge, bus = bus.bridge, bus.parent
            if bridge is None:  # the virtual bus of SR-IOV
                continue
            if self.acs.open_bridge(bridge) is None:
                break
            top = bridge
            if top in number:
                self._note_ports(function, reasons)
                return number[top]
        seen: set[int] = set()
        group = self._by_alias(top, seen, reasons)
        if group is None:
            group = self._by_function(top, seen, reasons)
        if top is not function:
            self._note_ports(function, reasons)
            if group is None:
                reasons.append(self._hazard(top))
        return group

    def _by_alias(self, function: Function, seen: set[int], reasons: list[Reason]) -> int | None:
        if function.devfn in seen:
            return None
        seen.add(function.devfn)
        if function in self.made.number:
            return self.made.number[function]
        for other in self._near.aliased(function):
            group = self._by_alias(other, seen, reasons)
            if group is None:
                group = self._by_function(other, seen, reasons)
            if group is not None:
                reasons.append(fixed_alias_reason(function, other))
                return group
        return None

    def _by_function(self, function: Function, seen: set[int], reasons: list[Reason]) -> int | None:
        lack = self.acs.lack(function)
        if lack is None or not self.acs.is_multifunction(function):
            return None
        for other in self._near.in_slot(function):
            other_lack = self.acs.lack(other)
            if other is function or other_lack is None:
                continue
            group = self._by_alias(other, seen, reasons)
            if group is not None:
                reasons += [function_reason(other, other_lack), function_reason(function, lack)]
                return group
        return None

    def _above(self, bus: Bus) -> tuple[tuple[Function, int], ...]:
        if bus not in self._bridge_aliases:
            self._bridge_aliases[bus] = bridge_aliases(bus)
        return self._bridge_aliases[bus]

    def _note_ports(self, function: Function, reasons: list[Reason]) -> None:
        """The bridges that let the function reach its group: the one nearest the root bus, and
        the one right above it."""
        above = function.parent
        for bridge in (self.acs.open_bridge(above), above):
            lack = None if bridge is None else self.acs.lack(bridge)
            if bridge is not None and lack is not None:
                if bridge not in self._port_reasons:
                    self._port_reasons[bridge] = port_reason(bridge, lack)
                reasons.append(self._port_reasons[bridge])

    def _hazard(self, bridge: Function) -> Reason:
        if bridge not in self.hazards:
            self.hazards[bridge] = Reason(bridge, "order")
        return self.hazards[bridge]


def _stream_reason(function: Function, first: Function, key: StreamKey) -> Reason:
    unit, stream = key
    return Reason(function, "stream", id=stream, unit=unit, other=first)
