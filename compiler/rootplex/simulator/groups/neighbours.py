"""Functions that are beside each other: of one slot, or bound by a fixed DMA alias."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootplex.simulator.function import Bus, Function
from rootplex.simulator.groups.reason import Reason


class Neighbours:
    """Functions by slot, and by fixed aliases, each in discovery order."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self._slots: dict[tuple[Bus, int], list[Function]] = {}
        at: dict[tuple[Bus, int], Function] = {}
        index = {}
        for number, function in enumerate(functions):
            self._slots.setdefault((function.bus, function.devfn >> 3), []).append(function)
            at[function.bus, function.devfn] = function
            index[function] = number
        aliased: dict[Function, dict[Function, None]] = {}
        for function in index:
            for devfn in function.aliases:
                other = at.get((function.bus, devfn))
                if other is not None and other is not function:
                    aliased.setdefault(function, {})[other] = None
                    aliased.setdefault(other, {})[function] = None
        self._aliased = {one: sorted(others, key=index.__getitem__) for one, others in aliased.items()}

    def in_slot(self, function: Function) -> Iterable[Function]:
        """The functions of the same device number, itself among them."""
        return self._slots.get((function.bus, function.devfn >> 3), ())

    def aliased(self, function: Function) -> Sequence[Function]:
        """The functions on its bus whose id it uses, or that use its id."""
        return self._aliased.get(function, ())


def fixed_alias_reason(one: Function, other: Function) -> Reason:
    """Why two functions with a known alias share a group; about the one that uses the other's id."""
    user, used = (one, other) if other.devfn in one.aliases else (other, one)
    return Reason(user, "fixed-alias", other=used, known_by_id="alias" in user.known_by_id)
