"""Which functions an IOMMU takes, and what its driver merges by stream (linux-pci §1.10, §5.1).

Where groups exist without any driver, functions come to an IOMMU when its own driver registers it
(`iommu.c:iommu_device_register`, `bus_iommu_probe`): one that it cannot take ends the registration, and the
whole IOMMU is given up. Where groups wait for a driver, and for virtual functions, that function alone is
left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from rootplex.simulator.firmware.routing.routes import DeviceStreams, FirmwareUnit
from rootplex.simulator.function import Function
from rootplex.simulator.groups.reason import Reason

ENOENT, EINVAL, ERANGE = -2, -22, -34

StreamKey: TypeAlias = tuple[str, int]
"""(name of the unit, StreamID)."""

SMMUS = frozenset({"smmu-v2", "smmu-v3"})
"""Units whose driver shares no translations with another unit of its kind (`smmu_domain->smmu != smmu`)."""


class Refusal(Struct, frozen=True, eq=False):
    """A function that a unit's driver cannot take, with a negative errno: its StreamID is beyond the table,
    or unknown to a virtio-iommu (`stream`), or its group is that of `other`, which is behind another unit.
    `unit_lost`: the unit is given up with it."""

    function: Function
    unit: FirmwareUnit
    errno: int
    reason: Reason
    stream: int | None = None
    other: Function | None = None
    other_unit: FirmwareUnit | None = None
    unit_lost: bool = False


class IommuProbe(Struct, frozen=True, eq=False):
    """`probed`: the functions that have an IOMMU, each with the stream-map entries by which its driver merges
    (SMMUv2; else none). `unprobed`: the others, each with the reason why. `units`: the IOMMU of each function
    that has one. `refusals`: what drivers could not take."""

    probed: dict[Function, tuple[StreamKey, ...]]
    unprobed: tuple[Reason, ...] = ()
    units: Mapping[Function, FirmwareUnit] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()

    @classmethod
    def all_of(cls, functions: Iterable[Function]) -> IommuProbe:
        """Every function has an IOMMU, and none shares a stream."""
        return cls(dict.fromkeys(functions, ()))

    def crossing(self, function: Function, first: Function) -> Refusal | None:
        """What keeps a function out of the group that was made for `first`: translations that are another
        SMMU's. `attach_dev` answers -EINVAL."""
        own, other = self.units.get(function), self.units.get(first)
        if own is None or other is None or own.name == other.name or not {own.kind, other.kind} <= SMMUS:
            return None
        reason = Reason(function, "refused", "other-unit", other=first, unit=own.name, other_unit=other.name)
        return Refusal(function, own, EINVAL, reason, other=first, other_unit=other)


def probe_functions(
    order: Iterable[Function],
    streams: Callable[[Function], DeviceStreams],
    stream_bits: Callable[[Function], int] | None = None,
    *,
    whole_units: bool = False,
    asynchronous: Collection[Function] = (),
    lost: Sequence[Refusal] = (),
) -> IommuProbe:
    """What happens when functions come to their IOMMUs in this order. `stream_bits`: how many bits
    of StreamID the SMMU of a function has (None: enough). `whole_units`: they come as the IOMMU registers.
    `asynchronous`: functions that come in no certain order. `lost`: units given up for another reason.

    SMMUv3 refuses a function with a StreamID that another function already has (all its aliases count; one
    that it repeats itself does not), or beyond its stream table, and does not keep the StreamIDs of a
    refused one (`arm_smmu_insert_master`). SMMUv2 takes it and merges later (`arm_smmu_device_group`). VT-d
    takes whatever is in its scope. A virtio-iommu is asked about a function's own id
    (`viommu_probe_endpoint`), and QEMU's knows none of functions whose requests come with the id of a bridge
    (`pci_device_iommu_address_space`)."""
    here = _Arrivals(streams, stream_bits, whole_units, {each.unit.name: each for each in lost})
    order = list(order)
    here.asynchronous = frozenset(asynchronous)
    here.undetermined = _contested(here.asynchronous, streams)
    for function in order:
        here.take(function)
    return here.outcome(order)


def _contested(
    functions: Collection[Function], streams: Callable[[Function], DeviceStreams]
) -> set[StreamKey]:
    """The StreamIDs of SMMUv3 that several of the functions have: one of them gets it."""
    users: Counter[StreamKey] = Counter()
    for function in functions:
        device = streams(function)
        if device.unit is not None and device.unit.kind == "smmu-v3":
            users.update(set(_keys(device, device.unit)))
    return {key for key, count in users.items() if count > 1}


def _keys(device: DeviceStreams, unit: FirmwareUnit) -> tuple[StreamKey, ...]:
    return tuple((unit.name, route.id) for route in device.routes if route.id is not None)


class _Arrivals:
    """Functions arriving, one after the other."""

    def __init__(
        self,
        streams: Callable[[Function], DeviceStreams],
        stream_bits: Callable[[Function], int] | None,
        whole_units: bool,
        lost: dict[str, Refusal],
    ) -> None:
        self._streams = streams
        self._bits = stream_bits
        self._whole_units = whole_units
        self._lost = lost
        self._probed: dict[Function, tuple[StreamKey, ...]] = {}
        self._units: dict[Function, FirmwareUnit] = {}
        self._unprobed: dict[Function, Reason] = {}
        self._owners: dict[StreamKey, Function] = {}
        self._refusals: list[Refusal] = []
        self.asynchronous: frozenset[Function] = frozenset()
        self.undetermined: set[StreamKey] = set()

    def take(self, function: Function) -> None:
        device = self._streams(function)
        unit = device.unit
        if unit is None:
            self._leave(Reason(function, "no-iommu", lost=device.cause))
            return
        self._units[function] = unit
        keys = _keys(device, unit)
        if unit.kind == "smmu-v3" and not self._insert(function, unit, keys):
            return
        if unit.kind == "virtio-iommu" and not self._is_known(function, unit, device):
            return
        self._probed[function] = keys if unit.kind == "smmu-v2" else ()

    def _insert(self, function: Function, unit: FirmwareUnit, keys: tuple[StreamKey, ...]) -> bool:
        """Put the StreamIDs of a function into the unit's tree; False where that fails."""
        contested = self.undetermined.intersection(keys) if function in self.asynchronous else ()
        clash = next((key for key in keys if self._owners.get(key, function) is not function), None)
        if contested:
            self._owners.update((key, function) for key in keys if key not in self._owners)
            stream = min(contested)[1]
            self._leave(Reason(function, "undetermined", id=stream, unit=unit.name))
            return False
        if clash is not None:
            owner = self._owners[clash]
            self._leave(Reason(function, "refused", "id-taken", id=clash[1], unit=unit.name, other=owner))
            return False
        bits = 32 if self._bits is None else self._bits(function)
        beyond = next((key[1] for key in keys if key[1] >> bits), None)
        if beyond is not None:
            reason = Reason(function, "refused", "id-beyond", id=beyond, unit=unit.name, number=bits)
            self._refuse(function, unit, ERANGE, reason, beyond)
            return False
        self._owners.update(dict.fromkeys(keys, function))
        return True

    def _is_known(self, function: Function, unit: FirmwareUnit, device: DeviceStreams) -> bool:
        """Whether a virtio-iommu knows a function by its own id; False where it carries a bridge's."""
        bridge = next((route.owner for route in device.routes if route.owner is not function), None)
        if bridge is None:
            return True
        id = device.own.id or 0
        reason = Reason(function, "refused", "id-unknown", id=id, unit=unit.name, other=bridge)
        self._refuse(function, unit, ENOENT, reason, id)
        return False

    def _refuse(
        self, function: Function, unit: FirmwareUnit, errno: int, reason: Reason, stream: int
    ) -> None:
        """Leave a function out, and all of its unit where that registers (`bus_iommu_probe`)."""
        self._leave(reason)
        lost = self._whole_units and function.physfn is None
        refusal = Refusal(function, unit, errno, reason, stream=stream, unit_lost=lost)
        self._refusals.append(refusal)
        if lost:
            self._lost.setdefault(unit.name, refusal)

    def _leave(self, reason: Reason) -> None:
        self._unprobed[reason.function] = reason

    def outcome(self, order: Iterable[Function]) -> IommuProbe:
        """The end, once it is known which units were given up."""
        for function, unit in self._units.items():
            refusal = self._lost.get(unit.name)
            if refusal is not None and self._probed.pop(function, None) is not None:
                number, cause = refusal.errno, refusal.reason
                self._leave(Reason(function, "unit-lost", unit=unit.name, number=number, cause=cause))
        unprobed = tuple(self._unprobed[function] for function in order if function in self._unprobed)
        return IommuProbe(self._probed, unprobed, self._units, tuple(self._refusals))
