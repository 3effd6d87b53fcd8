"""One simulated boot, from artifact bytes to an outcome: hardware, Xen or none, Linux, groups, routes,
guests."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from rootplex.known.kernels import profile
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.trace import Trace
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, Firmware, dt_firmware
from rootplex.simulator.firmware.routing.intx import IntxRouter, shared_lines
from rootplex.simulator.firmware.routing.ivrs_units import add_aliases
from rootplex.simulator.firmware.routing.msi import MsiRouter
from rootplex.simulator.firmware.routing.stream import StreamRouter
from rootplex.simulator.function import Function
from rootplex.simulator.groups.dom0 import group_streams
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.guests import GuestContext, guest_views
from rootplex.simulator.groups.safe import safe_groups
from rootplex.simulator.groups.xen import xen_groups
from rootplex.simulator.hardware import Hardware, read_image
from rootplex.simulator.hardware.image import Image
from rootplex.simulator.inputs import Artifacts, GuestWish, Settings
from rootplex.simulator.linux.boot import boot
from rootplex.simulator.linux.hypervisor import Machine
from rootplex.simulator.linux.state import Death, Dom0State
from rootplex.simulator.xen.boot import Firmware as XenFirmware
from rootplex.simulator.xen.boot import Wiring, wiring_of
from rootplex.simulator.xen.core import Options
from rootplex.simulator.xen.domctl import RELAXED
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.outcome import Stopped
from rootplex.simulator.xen.records import DOMID_IO

ANY_STREAM = 32
"""The width of a stream table that nothing limits."""


NOTHING = Image((), (), memoryview(b""))
"""No hardware: whatever is touched aborts; ports float."""


def simulate(
    artifacts: Artifacts,
    settings: Settings,
    dt: DtFirmware | None,
    acpi: AcpiFirmware | None,
    *,
    trace: bool = False,
) -> Outcome:
    """Boot Linux, with Xen below it or on bare metal, on the firmware that `settings` names, and group, route
    and assign.

    `dt` and `acpi` are the artifacts read; without hardware no function is found. ValueError where
    the named firmware is not there. `Unreadable` where the hardware image is malformed.
    """
    firmware = dt if settings.firmware == "dt" else acpi
    if firmware is None:
        raise ValueError(f"there is no {settings.firmware} firmware")
    hardware = _hardware(artifacts, settings)
    xen = None
    if settings.hypervisor is not None:
        wiring = Wiring() if hardware is None else wiring_of(hardware)
        xen = xen_of(settings, hardware or Hardware(NOTHING), dt, acpi, wiring)
    heard = Trace()
    if trace and hardware is not None:
        heard.listen(hardware, xen)
    state = _kernel(xen, settings, hardware, firmware)
    if isinstance(firmware, AcpiFirmware) and firmware.ivrs is not None:
        add_aliases(firmware.ivrs, state.functions)
    streams = StreamRouter(state, firmware)
    messages = MsiRouter(state, firmware, settings.arch)
    pins = IntxRouter(state, firmware)
    found = state.functions
    linux = group_streams(state, streams.streams, settings, _stream_bits(hardware), streams.units)
    safe = safe_groups(found, streams.streams if settings.iommu else None)
    intx = {function: route for function in found if (route := pins.route(function)) is not None}
    shared = shared_lines(intx.values())
    outcome = Outcome(
        settings=settings,
        firmware=firmware,
        dom0=state,
        linux=linux,
        xen_groups=None,
        safe=safe,
        streams={function: streams.streams(function) for function in found},
        messages={function: messages.route(function) for function in found},
        intx=intx,
        lines=shared,
        guests=(),
        xen=xen,
        hardware=hardware,
        trace=(),
    )
    outcome = _with_guests(outcome, settings.guests)
    return replace(outcome, trace=tuple(heard.lines(state.root_bridges)))


def _with_guests(outcome: Outcome, wishes: tuple[GuestWish, ...]) -> Outcome:
    """The boot with what each guest's wish meets, and Xen asked for it."""
    settings = outcome.settings
    platform = GuestContext(
        functions=outcome.dom0.functions,
        groups=outcome.linux,
        safe=outcome.safe,
        messages=outcome.messages.get,
        lines=outcome.lines,
        roles={} if settings.boot is None else {settings.boot: "boot"},
    )
    xen_groups = None
    if outcome.xen is not None:
        _assign(outcome.xen, wishes, outcome.dom0.functions)
        xen_groups = _xen_groups(outcome.xen, outcome.dom0.functions)
    return replace(outcome, xen_groups=xen_groups, guests=guest_views(wishes, platform))


def _hardware(artifacts: Artifacts, settings: Settings) -> Hardware | None:
    if artifacts.config is None or artifacts.pages is None:
        return None
    return Hardware(read_image(artifacts.config, artifacts.pages), settings.firmware)


def _stream_bits(hardware: Hardware | None) -> Callable[[Function], int] | None:
    """How wide the stream table behind a function's host bridge is; None without hardware."""
    if hardware is None:
        return None
    widths = {bridge.id: bridge.stream_id_bits for bridge in hardware.image.bridges}
    functions = hardware.functions
    return lambda function: widths[functions[function.page].bridge] or ANY_STREAM


def xen_of(
    settings: Settings,
    machine: Machine,
    dt: DtFirmware | None,
    acpi: AcpiFirmware | None,
    wiring: Wiring,
    options: Options | None = None,
) -> Xen:
    """Boot Xen on the firmware that `settings` names."""
    firmware = XenFirmware()
    if settings.firmware == "dt" and dt is not None:
        firmware = XenFirmware(tree=dt.tree, memory=dt.platform.memory)
    elif settings.firmware == "acpi" and acpi is not None:
        firmware = XenFirmware(mcfg=acpi.mcfg, iort=acpi.iort, dmar=acpi.dmar, ivrs=acpi.ivrs)
    return Xen(settings, machine, firmware, wiring=wiring, options=options)


def _kernel(xen: Xen | None, settings: Settings, hardware: Hardware | None, firmware: Firmware) -> Dom0State:
    """Linux boots on what Xen left of its firmware; where Xen is down, it does not boot."""
    state = Dom0State()
    if xen is None:
        return boot(firmware, settings, hardware, None, state)
    if xen.crash is not None:
        state.died = Death("hypervisor")
        return state
    tree = xen.dom0_tree
    if isinstance(firmware, DtFirmware) and tree is not None and tree is not firmware.tree:
        given = dt_firmware(tree, profile(settings.kernel).map_cells)
        firmware = replace(firmware, tree=tree, bridges=given.bridges)
    try:
        boot(firmware, settings, hardware, xen, state)
    except Stopped as stopped:
        state.died = Death("hypervisor", str(stopped.crash))
    return state


def _xen_groups(xen: Xen, functions: list[Function]) -> Grouping:
    partition = [[(record.segment, record.rid) for record in group] for group in xen.groups()]
    return xen_groups(partition, functions, has_groups=xen.settings.arch == "x86_64")


def _assign(xen: Xen, wishes: tuple[GuestWish, ...], functions: list[Function]) -> None:
    """Give every guest what it wishes, as libxl does: into the quarantine
    (`libxl__device_pci_assignable_add`), test, then assign."""
    by_page = {function.page: function for function in functions}
    for wish in wishes:
        domain = xen.create_domain(wish.name, iommu=xen.settings.iommu)
        for page in wish.pages:
            function = by_page.get(page)
            if function is None or xen.crash is not None:
                continue
            sbdf = function.segment << 16 | function.rid
            args = {"domain": domain, "dev": 0, "flags": 0, "machine_sbdf": sbdf}
            xen.call("assign_device", args | {"domain": DOMID_IO, "flags": RELAXED})
            xen.call("test_assign_device", args)
            xen.call("assign_device", args)
