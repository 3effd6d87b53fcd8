"""The proposed grouping of J. Gunthorpe, third version (linux.md §5.8; profile `jgg-v3`).

Buses come top down. A bus is isolated, or its functions join the bridge's group, or they share a
group without the bridge. A group can be non-isolating: then everything below a bridge in it joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.simulator.function import DOWNSTREAM, PCIE_TO_PCI, ROOT_PORT, UPSTREAM, Bus, Function
from rootplex.simulator.groups.acs import Acs, function_reason, port_reason
from rootplex.simulator.groups.grouping import Grouping, ProbedGroups
from rootplex.simulator.groups.iommu_probe import IommuProbe
from rootplex.simulator.groups.neighbours import Neighbours, fixed_alias_reason
from rootplex.simulator.groups.reason import Reason


def top_down_groups(discovery: Sequence[Function], probe: IommuProbe | None = None) -> Grouping:
    """The groups of functions given in discovery order (bridges before what is below them).
    `probe`: who has an IOMMU (None: everyone); what is below a bridge without is deferred."""
    probe = probe or IommuProbe.all_of(discovery)
    pass_ = _Pass(discovery, probe)
    for bus, functions in _by_bus(discovery).items():
        pass_.take(bus, functions)
    return pass_.made.finished("jgg-v3", discovery, pass_.acs)


def _by_bus(functions: Iterable[Function]) -> dict[Bus, list[Function]]:
    """Functions by bus, buses in the order in which they were found."""
    found: dict[Bus, list[Function]] = {}
    for function in functions:
        found.setdefault(function.bus, []).append(function)
    return found


def _physical(bus: Bus) -> Bus:
    """The bus itself; for the virtual bus of VFs that of their PF."""
    while bus.virtual and bus.parent is not None:
        bus = bus.parent
    return bus


class _Pass:
    """One run over the buses."""

    def __init__(self, functions: Sequence[Function], probe: IommuProbe) -> None:
        self.acs = Acs()
        self._near = Neighbours(functions)
        self._probe = probe
        self.made = ProbedGroups(probe)
        self._shared: set[int] = set()
        self._buses = _by_bus(functions)
        self._bus_groups: dict[Bus, int | None] = {}

    def take(self, bus: Bus, functions: Sequence[Function]) -> None:
        """Give the functions of one bus their groups."""
        physical = _physical(bus)
        bridge = physical.bridge
        taken = [function for function in functions if function in self._probe.probed]
        if bridge is not None and bridge not in self.made.number:
            for function in taken:
                self.made.left.append(Reason(function, "deferred", other=bridge))
            return
        if physical not in self._bus_groups:
            self._bus_groups[physical] = None if bridge is None else self._bus_group(physical, bridge)
        group = self._bus_groups[physical]
        if group is None:
            self._take_isolated(taken)
            return
        for function in taken:
            self.made.take(function, group)

    def _bus_group(self, bus: Bus, bridge: Function) -> int | None:
        """The one group of all functions on a bus; None: the bus is isolated."""
        above = self.made.number[bridge]
        if above in self._shared:
            return self._share(above, [Reason(bridge, "bridge-group")])
        lack = self.acs.lack(bridge)
        match bridge.pcie_type:
            case kind if kind == ROOT_PORT:
                # A port without the capability is trusted; one that has it must have it on.
                if lack is None or lack.kind != "acs-off":
                    return None
                return self._share(above, [port_reason(bridge, lack)])
            case kind if kind == DOWNSTREAM:
                return None
            case kind if kind == UPSTREAM:
                return self._switch_group(self._buses[bus], bridge, above)
            case kind if kind == PCIE_TO_PCI and not _has_memory(bridge):
                return self._share(self.made.new(), [Reason(bridge, "conventional", "one-bus")])
        return self._share(above, [Reason(bridge, "conventional")])

    def _switch_group(self, functions: Sequence[Function], bridge: Function, above: int) -> int | None:
        """The bus inside a switch."""
        odd = [f for f in functions if f.pcie_type != DOWNSTREAM or f.aliases]
        if odd:
            return self._share(above, [_odd_reason(function, bridge) for function in odd])
        reasons = []
        for port in functions:
            lack = self.acs.lack(port)
            if lack is not None:
                reasons.append(Reason(port, "switch", "all-ports", lack=lack))
        return self._share(self.made.new(), reasons) if reasons else None

    def _share(self, group: int, reasons: Iterable[Reason]) -> int:
        """Flag a group as one that does not isolate."""
        self._shared.add(group)
        self.made.because(group, reasons)
        return group

    def _take_isolated(self, functions: Sequence[Function]) -> None:
        """Connected components over fixed aliases and functions of one device that are joined."""
        left = dict.fromkeys(functions)
        for function in functions:
            if function not in left:
                continue
            del left[function]
            component = [function]
            reasons: dict[Reason, None] = {}
            for member in component:  # grows while it is walked
                for other, reason in self._joined(member):
                    if other in left:
                        del left[other]
                        component.append(other)
                    if other in self._probe.probed:
                        reasons[reason] = None
            group = self.made.new()
            for member in component:
                self.made.take(member, group)
            if len(component) > 1:
                self._share(group, reasons)

    def _joined(self, function: Function) -> Iterable[tuple[Function, Reason]]:
        """The functions that a function is joined with directly, each with the reason."""
        for other in self._near.aliased(function):
            yield other, fixed_alias_reason(function, other)
        if function.physfn is not None:
            return
        for other in self._near.in_slot(function):
            if other is function or other.physfn is not None:
                continue
            for one in (function, other):
                lack = self.acs.lack(one)
                if lack is not None and lack.kind == "acs-off":
                    yield other, function_reason(one, lack)
            if function.multifunction != other.multifunction:
                yield other, Reason(function, "functions", "flags-differ", other=other)


def _has_memory(bridge: Function) -> bool:
    """Whether a bridge has a memory BAR or a ROM of its own."""
    return any(bar.space != "io" and bar.index <= 6 for bar in bridge.bars)


def _odd_reason(function: Function, bridge: Function) -> Reason:
    if function.pcie_type == DOWNSTREAM:
        return Reason(function, "fixed-alias", "in-a-switch", other=bridge)
    return Reason(function, "switch", "no-port", other=bridge)
