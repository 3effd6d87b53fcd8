"""When and in which order a kernel groups (linux.md §5.5, §10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from rootplex.known.kernels import profile
from rootplex.simulator.firmware.routing.routes import DeviceStreams, FirmwareUnit
from rootplex.simulator.function import Bus, Function
from rootplex.simulator.inputs import Settings


class Timing(Struct, frozen=True):
    """`order`: functions are grouped as their IOMMU registers (`registration_order`), or as drivers come to
    them (`bind_order`). `at_boot`: groups exist without any driver.

    In every one of them the scan is over by then, so that a function number above 0 makes a device
    multi-function whatever header bit 7 says (see `Acs`)."""

    algorithm: Literal["linux", "jgg-v3"]
    order: Literal["registration", "driver-bind"]
    at_boot: bool


def timing(settings: Settings, *, virtio: bool = False) -> Timing:
    """What holds for the kernel on this machine. On x86 all devices are replayed in discovery order
    when the IOMMU's driver registers; elsewhere, and with a virtio-iommu, older kernels wait for a device's
    driver."""
    kernel = profile(settings.kernel)
    late = kernel.groups_dt if settings.firmware == "dt" else kernel.groups_arm_acpi
    at_boot = (settings.arch == "x86_64" and not virtio) or late == "device-add"
    return Timing(
        algorithm="jgg-v3" if kernel.grouping == "top-down" else "linux",
        order="registration" if at_boot else "driver-bind",
        at_boot=at_boot,
    )


NVME, PCI_BRIDGE, EVENT_COLLECTOR = 0x010802, 0x0604, 0x080700
"""Classes that drivers of every kernel ask for: `nvme` and `pcieport`."""


def registration_order(
    discovery: Sequence[Function], streams: Callable[[Function], DeviceStreams], units: Sequence[FirmwareUnit]
) -> list[Function]:
    """Functions in the order in which they come to their IOMMUs where each goes through all of them as its
    driver registers it: unit by unit (`units`), in order of discovery; virtual functions when they are made,
    last."""
    place = {unit.name: index for index, unit in enumerate(units)}

    def key(function: Function) -> tuple[bool, int]:
        unit = streams(function).unit
        return function.physfn is not None, len(place) if unit is None else place.get(unit.name, len(place))

    return sorted(discovery, key=key)


def asynchronous(discovery: Sequence[Function]) -> list[Function]:
    """The functions whose driver probes them all at once, in no certain order: `nvme` asks for that
    (`PROBE_PREFER_ASYNCHRONOUS`)."""
    return [function for function in discovery if function.class_code == NVME and function.physfn is None]


def bind_order(discovery: Sequence[Function], *, virtio: bool = False) -> list[Function]:
    """Functions in the order in which they come to the IOMMU where groups wait for a driver.

    Seen in boots of 6.1 and 6.12 (device tree and arm64 ACPI): when host bridges are scanned the SMMU is not
    there yet, so `pcieport`, which matches every bridge and event collector, is deferred to the end of the
    boot, in the order in which it was offered them. Drivers that register behind the SMMU's come before
    it: `nvme`. What no driver wants is offered one afterwards, by address. Virtual functions are made when
    user space asks for them, behind all ports. The driver of a virtio-iommu is a module: what drivers want
    has been deferred by then, ports first, and is offered to them again in that order.
    """
    offered = _offered(discovery)
    disks = asynchronous(discovery)
    ports = [function for function in offered if _is_ports(function)]
    early = {*disks, *ports}
    rest = [function for function in discovery if function not in early]
    wanted = [*ports, *disks] if virtio else [*disks, *ports]
    return [*wanted, *sorted(rest, key=lambda each: (each.segment, each.rid))]


def _is_ports(function: Function) -> bool:
    return function.class_code >> 8 == PCI_BRIDGE or function.class_code == EVENT_COLLECTOR


def _offered(discovery: Sequence[Function]) -> list[Function]:
    """The order of `pci_bus_add_devices`: all functions of a bus, then the buses below."""
    by_bus: dict[Bus, list[Function]] = {}
    roots: list[Bus] = []
    virtual: dict[Bus, list[Bus]] = {}
    for function in discovery:
        bus = function.bus
        if bus not in by_bus:
            by_bus[bus] = []
            if bus.is_root:
                roots.append(bus)
            elif bus.virtual and bus.parent is not None:
                virtual.setdefault(bus.parent, []).append(bus)
        by_bus[bus].append(function)
    found: list[Function] = []
    ahead = roots[::-1]
    while ahead:
        bus = ahead.pop()
        functions = by_bus.get(bus, [])
        found += functions
        below = [function.child_bus for function in functions if function.child_bus is not None]
        ahead += reversed(virtual.get(bus, []) + below)
    return found
