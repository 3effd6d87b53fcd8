"""A partition of functions into groups, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from rootplex.simulator.function import Function
from rootplex.simulator.groups.iommu_probe import Refusal
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
