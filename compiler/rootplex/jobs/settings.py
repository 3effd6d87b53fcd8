"""How the machine of a description is run: its `xen` key in the simulator's terms."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.artifact import Compiled
from rootplex.backends.configspace import virtual_key
from rootplex.jobs.sources import ALONE, Trees
from rootplex.model.bridge import Firmware
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.model.virtual import virtual_name
from rootplex.simulator.inputs import GuestWish, Settings


class RunOptions(Struct, frozen=True, kw_only=True):
    """What the command line asks beside the description; None: as the description says."""

    firmware: Firmware | None = None
    kernel: str | None = None
    bare_metal: bool = False
    xen: str | None = None
    vpci: bool | None = None
    trace: bool = False
    guests: tuple[GuestWish, ...] | None = None
    trees: Trees = ALONE
    """How a device tree that stands in place of a description is put together."""


def settings_of(platform: Platform, compiled: Compiled, options: RunOptions) -> Settings:
    """The description's settings with names replaced by paths and page ids. Without a hypervisor `xen` tells
    of its kernel and guests alone."""
    dom0, xen = platform.xen.dom0, platform.xen
    firmware = options.firmware or dom0.firmware
    paths = {each.name: each.node if firmware == "dt" else each.path for each in compiled.bridges}
    pages = pages_of(platform, compiled)
    bare = options.bare_metal or platform.hypervisor is None
    return Settings(
        arch=platform.arch,
        firmware=firmware,
        hypervisor=None if bare else "xen",
        kernel=options.kernel or dom0.kernel,
        xen=options.xen or xen.version,
        bits=dom0.bits,
        lpae=dom0.lpae,
        vmalloc=dom0.vmalloc,
        probe_order=None
        if dom0.probe_order is None
        else tuple(path for name in dom0.probe_order if (path := paths.get(name)) is not None),
        registers=dom0.registers,
        discovery=xen.discovery,
        pci_passthrough=xen.pci_passthrough,
        iommu=(bare or xen.iommu) and bool(platform.iommus),
        vpci=xen.vpci if options.vpci is None else options.vpci,
        pci_phantom=xen.pci_phantom,
        guests=options.guests
        if options.guests is not None
        else tuple(
            GuestWish(guest.name, tuple(pages[name] for name in guest.devices if name in pages))
            for guest in xen.guests
        ),
        boot=None if platform.boot is None else pages.get(platform.boot.device),
        memory=tuple((each.base, each.size) for each in platform.memory),
        bootargs=platform.bootargs,
    )


def pages_of(platform: Platform, compiled: Compiled) -> dict[str, str]:
    """Device name → page id, of those that the hardware image has; VFs as `nic.vf0`."""
    names: dict[tuple[str, str], str] = {}
    for bridge, device in platform.walk():
        if device.name:
            names[bridge.name, device.key] = device.name
            for index in range(0 if device.sriov is None else device.sriov.total):
                names[bridge.name, virtual_key(device.key, index)] = virtual_name(device.name, index)
    return {names[key]: page for page, key in compiled.pages.items() if key in names}


def names_of(platform: Platform, compiled: Compiled) -> dict[str, str]:
    """Page id → device name."""
    return {page: name for name, page in pages_of(platform, compiled).items()}


def devices_of(platform: Platform, compiled: Compiled) -> dict[str, Device]:
    """Page id → the description's device, of those that the hardware image has (not VFs)."""
    devices = {(bridge.name, device.key): device for bridge, device in platform.walk()}
    return {page: devices[key] for page, key in compiled.pages.items() if key in devices}


def other(settings: Settings, firmware: Firmware) -> Settings:
    """The same machine booted by the other firmware."""
    return replace(settings, firmware=firmware, probe_order=None)
