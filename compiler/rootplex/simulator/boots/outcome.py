"""What a simulated boot came to: the kernel's view, the partitions, the routes, the guests, and Xen."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rootplex.simulator.firmware.facts import Firmware
from rootplex.simulator.firmware.routing.routes import DeviceStreams, IntxLine, IntxRoute, MsiRoute
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.guests import GuestView
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.state import Dom0State
from rootplex.simulator.xen.machine import Xen


class Outcome(Struct, frozen=True, kw_only=True):
    """One boot by one firmware. `dom0` is the kernel, on bare metal too; functions are its own, and page ids
    tell which hardware they are. `hardware` is as the boot left it (None: there is none).

    `linux`, `xen_groups`, `safe` are the three partitions. `streams`, `messages`, `intx` have an entry
    for each function that was asked about; `lines` are INTx lines with their functions. `xen` is
    the hypervisor with its calls, notices and crash, None on bare metal, as is its partition; `trace` every
    access and call, where asked for.
    """

    settings: Settings
    firmware: Firmware
    dom0: Dom0State
    linux: Grouping
    xen_groups: Grouping | None
    safe: Grouping
    streams: Mapping[Function, DeviceStreams]
    messages: Mapping[Function, MsiRoute]
    intx: Mapping[Function, IntxRoute]
    lines: tuple[IntxLine, ...]
    guests: tuple[GuestView, ...]
    xen: Xen | None
    hardware: Hardware | None
    trace: tuple[str, ...] = ()
