"""A partition of functions into groups, with the reasons, finished and in the making."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from rootplex.simulator.function import Function
from rootplex.simulator.groups.acs import Acs, alone_reason
from rootplex.simulator.groups.iommu_probe import IommuProbe, Refusal
from rootplex.simulator.groups.reason import Reason


class Group(Struct, frozen=True):
    """One group: members in discovery order, and why they are together (or alone).

    `id` counts from 0 in the order in which groups came to be; it means nothing else."""

    id: int
    members: tuple[Function, ...]
    reasons: tuple[Reason, ...]


class Grouping(Struct, frozen=True):
    """All groups of one party. `algorithm` is `linux`, `jgg-v3`, `xen`, `xen-arm` or
    `safe`. `ungrouped` are the functions without a group, each once, with the reason why.
    `hazards` are groups that came out too small by the order of events (the function is the
    bridge without a group). `refusals`: functions that an IOMMU's driver could not take, in part with all
    others of that unit."""

    algorithm: str
    groups: tuple[Group, ...]
    ungrouped: tuple[Reason, ...] = ()
    hazards: tuple[Reason, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    by_function: Mapping[Function, Group] = field(default_factory=dict)

    def of(self, function: Function) -> Group | None:
        """The group of a function; None where it has none."""
        return self.by_function.get(function)


class GroupBuilder:
    """Groups in the making, by number, in the order in which they are made."""

    def __init__(self) -> None:
        self.number: dict[Function, int] = {}
        self._members: list[list[Function]] = []
        # A dict keeps the order in which reasons were met, and each of them once.
        self._reasons: list[dict[Reason, None]] = []

    def new(self) -> int:
        """The number of a new, empty group."""
        self._members.append([])
        self._reasons.append({})
        return len(self._members) - 1

    def put(self, function: Function, group: int) -> None:
        self.number[function] = group
        self._members[group].append(function)

    def first(self, group: int) -> Function | None:
        """The member that a group was made for."""
        return next(iter(self._members[group]), None)

    def because(self, group: int, reasons: Iterable[Reason]) -> None:
        """Note why the group holds what it holds."""
        self._reasons[group].update(dict.fromkeys(reasons))

    def singles(self) -> Iterable[tuple[int, Function]]:
        """Groups of one member for which no reason was noted yet."""
        for group, members in enumerate(self._members):
            if len(members) == 1 and not self._reasons[group]:
                yield group, members[0]

    def grouping(
        self,
        algorithm: str,
        discovery: Sequence[Function],
        ungrouped: Iterable[Reason] = (),
        hazards: Iterable[Reason] = (),
        refusals: Iterable[Refusal] = (),
    ) -> Grouping:
        """The finished partition; `discovery` gives the order of members."""
        place = {function: index for index, function in enumerate(discovery)}
        groups = tuple(
            Group(number, tuple(sorted(members, key=place.__getitem__)), tuple(self._reasons[number]))
            for number, members in enumerate(self._members)
        )
        left = tuple(sorted(ungrouped, key=lambda reason: place[reason.function]))
        by_function = {function: groups[number] for function, number in self.number.items()}
        return Grouping(algorithm, groups, left, tuple(hazards), tuple(refusals), by_function)


class ProbedGroups(GroupBuilder):
    """Those of functions that IOMMUs took: who has none, or is refused, is left without a group."""

    def __init__(self, probe: IommuProbe) -> None:
        super().__init__()
        self._probe = probe
        self.left: list[Reason] = []
        self._refusals: list[Refusal] = []

    def refuse(self, refusal: Refusal) -> None:
        self.left.append(refusal.reason)
        self._refusals.append(refusal)

    def take(self, function: Function, group: int) -> bool:
        """Put a function into a group, or refuse it: its IOMMU is not that of the group's first member."""
        first = self.first(group)
        crossing = None if first is None else self._probe.crossing(function, first)
        if crossing is not None:
            self.refuse(crossing)
            return False
        self.put(function, group)
        return True

    def finished(
        self, algorithm: str, discovery: Sequence[Function], acs: Acs, hazards: Iterable[Reason] = ()
    ) -> Grouping:
        for group, function in self.singles():
            self.because(group, [alone_reason(function, acs)])
        left = (*self._probe.unprobed, *self.left)
        refusals = (*self._probe.refusals, *self._refusals)
        return self.grouping(algorithm, discovery, left, hazards, refusals)
