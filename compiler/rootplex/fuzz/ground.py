"""A machine made ready to be played on, and what is true of it by its description.

The truth is taken from the description, not from what the simulator made of the compiled bytes: so each can
be held against the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.fuzz.machines import machines
from rootplex.fuzz.steps import Switches
from rootplex.jobs.describe import read_checked
from rootplex.jobs.readback import artifacts_of, read_acpi, read_dt
from rootplex.jobs.settings import RunOptions, settings_of
from rootplex.known.kernels import profile
from rootplex.model.bridge import HostBridge, Intx
from rootplex.model.device import Device
from rootplex.model.numbers import Region
from rootplex.model.platform import Platform
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.groups.guests import GuestContext, GuestView, guest_views
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.hardware.image import Image
from rootplex.simulator.inputs import GuestWish, Settings

PINS = "ABCD"
BRIDGE_CLASS = 0x0604


class Shared(Struct, frozen=True):
    """Functions (page ids) that have one StreamID or one interrupt line, and which."""

    kind: str
    what: str
    pages: frozenset[str]


class Ground(Struct, frozen=True, kw_only=True):
    """A board as it is before Xen runs.

    `numbered` are the hardware's registers as Linux leaves them (`Hardware.written`), `functions` the
    (segment, rid) of each page then. `memory` is RAM, `configuration` the configuration windows, `decoded`
    what the host bridges pass down: CPU addresses. `seen` is what guests are judged against.
    """

    name: str
    settings: Settings
    image: Image
    dt: DtFirmware | None
    acpi: AcpiFirmware | None
    bridges: tuple[HostBridge, ...]
    numbered: Mapping[str, Mapping[int, int]]
    functions: Mapping[str, tuple[int, int]]
    memory: tuple[Region, ...]
    configuration: tuple[Region, ...]
    decoded: tuple[Region, ...]
    shared: tuple[Shared, ...]
    seen: GuestContext

    def hardware(self) -> Hardware:
        """A machine of its own, after a reset."""
        return Hardware(self.image, self.settings.firmware)

    def views(self, owned: Mapping[str, list[str]]) -> tuple[GuestView, ...]:
        """What rootplex tells of guests that have these pages."""
        return guest_views([GuestWish(name, tuple(pages)) for name, pages in owned.items()], self.seen)


def ground_of(name: str, switches: Switches) -> Ground:
    """The machine by the firmware that is asked for, else that of its description. ValueError for one that
    there is not (`machines`), or that has not that firmware."""
    return _ground(name, switches.firmware, switches.masked)


@cache
def _platform(name: str) -> Platform:
    path = machines().get(name)
    if path is None:
        raise ValueError(f"there is no machine {name}")
    platform = read_checked(path.read_bytes(), path.name).platform
    assert platform is not None
    return platform


@cache
def _ground(name: str, firmware: str | None, masked: int) -> Ground:
    platform = _platform(name)
    if firmware is not None and firmware not in platform.firmware:
        raise ValueError(f"{name} is not compiled for {firmware}")
    platform = replace(platform, firmware=(firmware or platform.xen.dom0.firmware,))
    if masked:
        platform = _with_mask(platform, masked)
    compiled = compile_platform(platform, simulated_only=True)
    wishes = RunOptions(firmware=firmware)
    settings = replace(settings_of(platform, compiled, wishes), guests=(), boot=None)
    artifacts = artifacts_of(compiled)
    dt = read_dt(artifacts, profile(settings.kernel).map_cells)
    acpi = read_acpi(artifacts) if settings.firmware == "acpi" else None
    outcome = simulate(artifacts, replace(settings, hypervisor=None), dt, acpi)
    assert outcome.hardware is not None
    functions = {each.page: (each.segment, each.rid) for each in outcome.dom0.functions}
    return Ground(
        name=name,
        settings=settings,
        image=outcome.hardware.image,
        dt=dt,
        acpi=acpi,
        bridges=platform.host_bridges,
        numbered=outcome.hardware.written,
        functions=functions,
        memory=tuple(each.region for each in platform.memory),
        configuration=tuple(bridge.config.region for bridge in platform.host_bridges),
        decoded=tuple(
            Region(window.cpu, window.size)
            for bridge in platform.host_bridges
            for window in bridge.windows
            if window.space != "io"
        ),
        shared=tuple(_shared(platform, compiled, functions)),
        seen=GuestContext(
            functions=outcome.dom0.functions,
            groups=outcome.linux,
            safe=outcome.safe,
            messages=outcome.messages.get,
            lines=outcome.lines,
            roles={},
        ),
    )


def _with_mask(platform: Platform, mask: int) -> Platform:
    """The same board with maps that begin at 0 and look at some bits of a requester id alone."""
    bridges = tuple(
        bridge
        if bridge.iommu is None or any(entry.rid & ~mask for entry in bridge.iommu.entries)
        else replace(bridge, iommu=replace(bridge.iommu, mask=mask))
        for bridge in platform.host_bridges
    )
    return replace(platform, host_bridges=bridges)


def _shared(
    platform: Platform, compiled: Compiled, functions: Mapping[str, tuple[int, int]]
) -> Iterator[Shared]:
    """What several functions have in common, by the description."""
    bridges = {bridge.name: bridge for bridge in platform.host_bridges}
    devices = {(bridge.name, device.key): device for bridge, device in platform.walk()}
    found: dict[tuple[str, str], set[str]] = {}
    for page, key in compiled.pages.items():
        if page not in functions:
            continue
        bridge = bridges[key[0]]
        _, rid = functions[page]
        for stream in _streams(bridge, rid):
            found.setdefault(("stream", stream), set()).add(page)
        if key in devices and (line := _line(bridge, devices[key])) is not None:
            found.setdefault(("line", line), set()).add(page)
    for (kind, what), pages in found.items():
        if len(pages) > 1:
            yield Shared(kind, what, frozenset(pages))


def _streams(bridge: HostBridge, rid: int) -> Iterator[str]:
    """Where a requester id comes out, by the bridge's own map."""
    if bridge.iommu is None:
        return
    for entry in bridge.iommu.entries:
        masked = rid & bridge.iommu.mask
        if entry.rid <= masked < entry.rid + entry.count:
            yield f"{entry.target} {masked - entry.rid + entry.id:#x}"
            return


def _line(bridge: HostBridge, device: Device) -> str | None:
    """Where a function's pin comes out: each bridge above turns it by the device number, which a function
    that is reached by ARI has not (PCI-to-PCI Bridge 1.2 §9.1)."""
    intx = bridge.intx
    if device.pin is None or intx is None:
        return None
    pin = PINS.index(device.pin)
    path = _path(bridge.devices, device)
    for below in reversed(path[1:]):
        pin = (pin + _number(below)) % 4
    number = _wire(intx, _number(path[0]), pin)
    return None if number is None else f"{intx.controller} {number}"


def _number(device: Device) -> int:
    """`pci_swizzle_interrupt_pin`: `ari` of a port is what it forwards, and changes no number of its own."""
    is_port = device.class_code >> 8 == BRIDGE_CLASS
    return 0 if device.ari and not is_port else device.dev


def _wire(intx: Intx, dev: int, pin: int) -> int | None:
    if intx.map:
        wires = (each.irq for each in intx.map if each.dev in (None, dev) and each.pin == PINS[pin])
        return next(wires, None)
    return intx.irqs[(pin + dev) % 4 if intx.swizzle else pin]


def _path(devices: tuple[Device, ...], wanted: Device) -> list[Device]:
    """From the root bus down to a device."""
    for device in devices:
        if device is wanted:
            return [device]
        if below := _path(device.devices, wanted):
            return [device, *below]
    return []
