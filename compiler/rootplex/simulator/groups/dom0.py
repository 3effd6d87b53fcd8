"""Dom0's groups: the kernel's algorithm, at its time, over what its firmware says of IOMMUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from rootplex.known.kernels import profile
from rootplex.simulator.firmware.routing.routes import Cause, DeviceStreams, FirmwareUnit
from rootplex.simulator.function import Function, Scan
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.iommu_probe import Refusal, probe_functions
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.timing import asynchronous, bind_order, registration_order, timing
from rootplex.simulator.groups.top_down import top_down_groups
from rootplex.simulator.inputs import Settings


def _driven(streams: Callable[[Function], DeviceStreams], kernel: str) -> Callable[[Function], DeviceStreams]:
    """The streams without the units that a kernel has no driver for: it goes on without them once no driver
    has come (drivers/base/dd.c: driver_deferred_probe_check_state)."""
    if profile(kernel).riscv_iommu:
        return streams

    def driven(function: Function) -> DeviceStreams:
        found = streams(function)
        if found.unit is None or found.unit.kind != "riscv-iommu":
            return found
        cause = Cause("kernel-without-driver", name=kernel)
        return replace(found, unit=None, cause=cause, place=found.unit.place)

    return driven


def group_streams(
    scan: Scan,
    streams: Callable[[Function], DeviceStreams],
    settings: Settings,
    stream_bits: Callable[[Function], int] | None = None,
    units: Sequence[FirmwareUnit] = (),
) -> Grouping:
    """The groups of a Dom0; they are written into the functions (`group`, `group_at_boot`) too. `streams` is
    the way from functions to IOMMUs, `stream_bits` the width of their StreamIDs, `units` the IOMMUs in the
    order in which they register."""
    streams = _driven(streams, settings.kernel)
    discovery = scan.functions
    virtio = any(
        unit is not None and unit.kind == "virtio-iommu"
        for unit in (streams(each).unit for each in discovery)
    )
    when = timing(settings, virtio=virtio)
    whole_units = when.order == "registration"
    order = (
        registration_order(discovery, streams, units) if whole_units else bind_order(discovery, virtio=virtio)
    )
    lost: list[Refusal] = []
    while True:
        probe = probe_functions(
            order,
            streams,
            stream_bits,
            whole_units=whole_units,
            asynchronous=() if whole_units else asynchronous(discovery),
            lost=lost,
        )
        if when.algorithm == "jgg-v3":
            grouping = top_down_groups(discovery, probe)
        else:
            grouping = linux_groups(discovery, probe, order=order)
        fatal = _fatal(grouping, units) if whole_units else None
        if fatal is None:
            break
        # The unit is given up, and everything is as if it had never been there.
        lost.append(fatal)
    if lost:
        grouping = replace(grouping, refusals=(*grouping.refusals, *lost))
    for function in discovery:
        own = grouping.of(function)
        function.group = None if own is None else own.id
        function.group_at_boot = own is not None and when.at_boot
    return grouping


def _fatal(grouping: Grouping, units: Sequence[FirmwareUnit]) -> Refusal | None:
    """The first refusal by which a unit that registers is given up: of two units the one that comes later."""
    for refusal in grouping.refusals:
        if refusal.unit_lost or refusal.stream is not None or refusal.function.physfn is not None:
            continue
        place = {unit.name: index for index, unit in enumerate(units)}
        one, other = refusal.unit, refusal.other_unit
        later = max((one, other or one), key=lambda unit: place.get(unit.name, -1))
        return replace(refusal, unit=later if other else one, unit_lost=True)
    return None
