"""Groups in the making: members and reasons, collected while an algorithm runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group, Grouping
from rootplex.simulator.groups.iommu_probe import Refusal
from rootplex.simulator.groups.reason import Reason


class GroupBuilder:
    """Groups by number, in the order in which they are made."""

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
