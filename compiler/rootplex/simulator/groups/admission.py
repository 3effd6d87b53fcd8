"""Which functions an IOMMU takes, and what its driver merges by stream (linux.md §1.10, §5.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from rootplex.simulator.function import Function
from rootplex.simulator.groups.reason import Reason
from rootplex.simulator.routing.routes import DeviceStreams

StreamKey: TypeAlias = tuple[str, int]
"""(name of the unit, StreamID)."""


class Admission(Struct, frozen=True):
    """`taken`: the functions that have an IOMMU, each with the stream-map entries by which its
    driver merges (SMMUv2; else none). `left`: the others, each with the reason why."""

    taken: dict[Function, tuple[StreamKey, ...]]
    left: tuple[Reason, ...] = ()

    @classmethod
    def all_of(cls, functions: Iterable[Function]) -> Admission:
        """Every function has an IOMMU, and none shares a stream."""
        return cls(dict.fromkeys(functions, ()))


def admit(
    order: Iterable[Function],
    streams: Callable[[Function], DeviceStreams],
    stream_bits: Callable[[Function], int] | None = None,
) -> Admission:
    """What happens when functions come to their IOMMUs in this order. `stream_bits`: how many bits
    of StreamID the SMMU of a function has (None: enough).

    SMMUv3 refuses a function with a StreamID beyond its stream table, or one that another function
    already has (all its aliases count; a StreamID that it repeats itself does not), and does not
    keep the StreamIDs of a refused one (`arm_smmu_insert_master`). SMMUv2 takes it and merges later
    (`arm_smmu_device_group`). VT-d takes whatever is in its scope.
    """
    taken: dict[Function, tuple[StreamKey, ...]] = {}
    left = []
    owners: dict[StreamKey, Function] = {}
    for function in order:
        device = streams(function)
        unit = device.unit
        if unit is None:
            text = f"{function.sbdf} has no IOMMU: {device.reason}"
            left.append(Reason(function, text, "no-iommu"))
            continue
        keys = tuple((unit.name, route.id) for route in device.routes if route.id is not None)
        if unit.kind == "smmu-v3":
            bits = 32 if stream_bits is None else stream_bits(function)
            beyond = next((key for key in keys if key[1] >> bits), None)
            if beyond is not None:
                text = f"{function.sbdf} is refused by {unit.name}: StreamID {beyond[1]:#x} is beyond "
                left.append(Reason(function, text + f"its {bits} bits", "refused"))
                continue
            clash = next((key for key in keys if owners.get(key, function) is not function), None)
            if clash is not None:
                left.append(_refused(function, owners[clash], clash))
                continue
            owners.update(dict.fromkeys(keys, function))
        taken[function] = keys if unit.kind == "smmu-v2" else ()
    return Admission(taken, tuple(left))


def _refused(function: Function, owner: Function, key: StreamKey) -> Reason:
    unit, stream = key
    text = f"{function.sbdf} is refused by {unit}: {owner.sbdf} already has StreamID {stream:#x}"
    return Reason(function, text, "refused")
