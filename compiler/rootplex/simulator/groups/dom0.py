"""Dom0's groups: the kernel's algorithm, at its time, over what its firmware says of IOMMUs."""

from __future__ import annotations

from collections.abc import Callable

from rootplex.simulator.function import Function
from rootplex.simulator.groups.admission import admit
from rootplex.simulator.groups.grouping import Grouping, Scan
from rootplex.simulator.groups.jgg import jgg_groups
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.timing import bind_order, timing
from rootplex.simulator.inputs import Settings
from rootplex.simulator.routing.firmware import Firmware
from rootplex.simulator.routing.routes import DeviceStreams
from rootplex.simulator.routing.stream import StreamRouter


def group(scan: Scan, firmware: Firmware, settings: Settings) -> Grouping:
    """The groups of a Dom0 that booted by `settings.firmware`; they are written into the functions
    (`group`, `group_at_boot`) too."""
    router = StreamRouter(scan, firmware, settings.firmware)
    return group_streams(scan, router.streams, settings)


def group_streams(
    scan: Scan,
    streams: Callable[[Function], DeviceStreams],
    settings: Settings,
    stream_bits: Callable[[Function], int] | None = None,
) -> Grouping:
    """The same with the way from functions to IOMMUs given, and the width of their StreamIDs."""
    when = timing(settings)
    discovery = scan.functions
    order = bind_order(discovery) if when.order == "driver-bind" else discovery
    admission = admit(order, streams, stream_bits)
    if when.algorithm == "jgg-v3":
        grouping = jgg_groups(discovery, admission)
    else:
        grouping = linux_groups(discovery, admission, order=order)
    for function in discovery:
        own = grouping.of(function)
        function.group = None if own is None else own.id
        function.group_at_boot = own is not None and when.at_boot
    return grouping
