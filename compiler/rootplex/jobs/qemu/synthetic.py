"""Any platform as QEMU's `virt`, its configuration space in guest memory (real-boot: way 3).

The tree, the ids, the capabilities, the segments, the buses and the StreamIDs stay. What memory cannot do or
QEMU has otherwise is taken out or replaced, and each such change is listed with its place.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.backends.refusal import CannotCompile
from rootplex.frontends.description.controllers import (
    BUILT_IN_INTERRUPT_CONTROLLERS,
    BUILT_IN_IOMMUS,
    BUILT_IN_MSI_CONTROLLERS,
)
from rootplex.jobs.qemu.streams import translated
from rootplex.model.bridge import ConfigSpace, HostBridge, Window
from rootplex.model.device import Device
from rootplex.model.numbers import Region
from rootplex.model.platform import Expect, Memory, Platform
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place
from rootplex.source.record import dataclass, replace

BASE = "qemu-virt"
RAM, LINUX_RAM = 0x4000_0000, 1 << 30
"""Where QEMU's memory begins, and how much of it Linux is given (`mem=1G`)."""

CONFIG_AT = 0x9000_0000
"""Where configuration space begins in guest memory."""

UEFI_ROOM = 1 << 30  # what UEFI has to itself at the end of memory
GIB, MIB = 1 << 30, 1 << 20
ALL_SIZES = (1, 2, 4)
GENERIC = {"ecam": "pci-host-ecam-generic", "cam": "pci-host-cam-generic"}


@dataclass(frozen=True, slots=True)
class Change:
    """Something of the description that the booted machine has otherwise."""

    at: Place
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The platform that is booted, how it differs, and how much memory QEMU needs (bytes)."""

    platform: Platform
    changes: tuple[Change, ...]
    memory: int


def synthetic(platform: Platform) -> Synthetic:
    """The platform on QEMU's `virt`; CannotCompile where not even that can be."""
    if platform.arch not in ("arm64", "arm"):
        note = "configuration space in memory is booted on QEMU's arm64 machine virt"
        if platform.arch == "x86_64":
            note = "on x86 Linux reaches segment 0 through ports, which lead to QEMU's own devices"
        raise _refused(platform, "platform.arch", f"{platform.arch} has no synthetic machine", note)
    changes: list[Change] = list(_platform_changes(platform))
    maps = translated(platform.host_bridges)
    if maps is None:
        note = "QEMU's SMMUv3 has StreamIDs of 16 bits"
        raise _refused(platform, "iommus", "its requester ids are more than QEMU's SMMU tells apart", note)
    places, end = _layout(platform)
    memory = max(4 * GIB, -(-(end + UEFI_ROOM - RAM) // GIB) * GIB)
    taken = Region(RAM, memory)
    bridges = []
    for bridge in platform.host_bridges:
        ids = maps.get(bridge.name)
        changes += _bridge_changes(bridge, taken, places[bridge.name])
        if ids is not None and bridge.iommu is not None and ids.entries != bridge.iommu.entries:
            text = "its ids go to QEMU's one SMMUv3"
            renumbered = [(each.rid, each.id) for each in ids.entries]
            if renumbered != [(each.rid, each.id) for each in bridge.iommu.entries]:
                text += ", renumbered into its 16 bits"
            if text.endswith("bits") or not _is_built_in(platform, bridge.iommu.unit):
                changes.append(Change(bridge.at("iommu"), bridge.name, text))
        made = _bridge(bridge, places[bridge.name], taken)
        bridges.append(replace(made, iommu=ids))
    dom0 = replace(platform.xen.dom0, bits=64, probe_order=None)
    whole = replace(
        platform,
        arch="arm64",
        base="qemu-virt",
        compatible=(),
        oem_id="BOCHS ",
        oem_table_id="BXPC    ",
        oem_revision=2,
        console=None,
        memory=(Memory(base=RAM, size=LINUX_RAM),),
        interrupt_controllers=BUILT_IN_INTERRUPT_CONTROLLERS[BASE],
        msi_controllers=BUILT_IN_MSI_CONTROLLERS[BASE],
        iommus=BUILT_IN_IOMMUS[BASE] if maps else (),
        host_bridges=tuple(bridges),
        boot=None,
        xen=replace(platform.xen, discovery="dom0", vpci=False, guests=(), dom0=dom0),
        expect=Expect(),
        suppress=(),
    )
    return Synthetic(whole, tuple(changes), memory)


def _refused(platform: Platform, path: str, message: str, note: str) -> CannotCompile:
    finding = Finding(
        code="RPX0010",
        name="qemu-machine",
        level=Level.ERROR,
        message=message,
        at=platform.at(path),
        notes=(note,),
        subject=platform.name,
    )
    return CannotCompile((finding,))


def _is_built_in(platform: Platform, unit: str) -> bool:
    found = platform.controller(unit)
    return found is not None and found.built_in


def _layout(platform: Platform) -> tuple[dict[str, int], int]:
    """Each bridge's new base, whole MiB, and the end of all."""
    places: dict[str, int] = {}
    at = CONFIG_AT
    for bridge in platform.host_bridges:
        places[bridge.name] = at
        buses = bridge.bus_range.count * MIB
        size = buses if bridge.config.kind == "windowed" else max(buses, bridge.config.size)
        at += -(-size // MIB) * MIB
    return places, at


def _platform_changes(platform: Platform) -> Iterator[Change]:
    name = platform.name
    if platform.arch != "arm64":
        yield Change(platform.at("platform.arch"), name, "the processor is a 64-bit one")
    if platform.base != BASE:
        yield Change(platform.at("platform"), name, "the machine is QEMU's virt, its memory QEMU's")
    for each in (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus):
        if not each.built_in:
            yield Change(each.at(), each.name, f"{each.name} is left out: QEMU's GIC, ITS and SMMU stand in")
    if platform.xen.dom0.probe_order is not None:
        yield Change(platform.xen.dom0.at("probe_order"), name, "bridges are probed in the firmware's order")


def _bridge_changes(bridge: HostBridge, taken: Region, base: int) -> Iterator[Change]:
    def change(path: str, text: str) -> Change:
        return Change(bridge.at(path), bridge.name, text)

    config = bridge.config
    yield change("config", f"its configuration space is guest memory at {base:#x}")
    if config.kind not in GENERIC:
        yield change("config.kind", f"it is plain ECAM and not {config.kind}")
    elif config.compatible != (GENERIC[config.kind],):
        yield change("config.compatible", f"the kernel's driver is that of {GENERIC[config.kind]}")
    if set(config.sizes) != set(ALL_SIZES) or config.sizes_root_bus is not None:
        yield change("config.sizes", "memory takes every access size")
    for view, firmware in ((bridge.dt, "device tree"), (bridge.acpi, "ACPI")):
        if view.config is not None:
            text = f"{firmware} has the same configuration space as the other firmware"
            yield Change(view.at("config"), bridge.name, text)
    if bridge.dt.properties:
        yield Change(bridge.dt.at("properties"), bridge.name, "vendor properties are left out")
    for n, window in enumerate(bridge.windows):
        if not _is_free(window, taken):
            yield change(f"windows.{n}", f"the {window.space} window at {window.cpu:#x} is QEMU's own place")
    if bridge.intx is not None:
        yield change("intx", "interrupt lines are left out: memory raises none")
    if bridge.msi is not None:
        yield change("msi", "messages are left out: memory sends none")
    if bridge.iommu is not None and (bridge.iommu.ats or bridge.iommu.pri):
        yield change("iommu", "ATS and PRI are left out: memory translates nothing")
    if bridge.proximity is not None:
        yield change("proximity", "the NUMA node is left out: QEMU has one")
    for device in bridge.walk():
        if without := _left_out(device):
            yield Change(device.at(), device.label, f"it has no {', '.join(without)}")


LEFT_OUT: tuple[tuple[str, str, object], ...] = (
    ("bars", "BARs", ()),
    ("rom", "ROM", None),
    ("msi", "MSI", 0),
    ("msix", "MSI-X", 0),
    ("pin", "interrupt pin", None),
    ("disintx", "INTx mask", False),
    ("pm", "power management", False),
    ("flr", "function level reset", False),
    ("ats", "ATS", False),
    ("hotplug", "hot-plug slot", False),
    ("properties", "node of its own", ()),
)
"""What needs an answer that memory does not give: field, words, value without it."""


def _left_out(device: Device) -> list[str]:
    words = [words for field, words, absent in LEFT_OUT if getattr(device, field) != absent]
    if device.sriov is not None and device.sriov.enabled:
        words.append("virtual functions switched on")
    return words


def _is_free(window: Window, taken: Region) -> bool:
    """Whether the window is neither in QEMU's memory nor among its devices below 256 MiB."""
    place = Region(window.cpu, window.size)
    return not place.overlaps(taken) and not place.overlaps(Region(0, 256 * MIB))


def _bridge(bridge: HostBridge, base: int, taken: Region) -> HostBridge:
    old = bridge.config
    kind = old.kind if old.kind in GENERIC else "ecam"
    size = bridge.bus_range.count * MIB if old.kind == "windowed" else old.size
    config = ConfigSpace(
        places=old.places,
        kind=kind,
        base=base,
        size=size,
        sizes=ALL_SIZES,
        sizes_root_bus=None,
        special=(),
        compatible=(GENERIC[kind],),
        registers=(),
    )
    return replace(
        bridge,
        config=config,
        windows=_free(bridge.windows, taken),
        intx=None,
        msi=None,
        proximity=None,
        acpi=replace(bridge.acpi, config=None, windows=_free_or_none(bridge.acpi.windows, taken)),
        dt=replace(
            bridge.dt, config=None, windows=_free_or_none(bridge.dt.windows, taken), properties=(), label=None
        ),
        devices=tuple(_device(device) for device in bridge.devices),
    )


def _free(windows: tuple[Window, ...], taken: Region) -> tuple[Window, ...]:
    return tuple(window for window in windows if _is_free(window, taken))


def _free_or_none(windows: tuple[Window, ...] | None, taken: Region) -> tuple[Window, ...] | None:
    return None if windows is None else _free(windows, taken)


def _device(device: Device) -> Device:
    changes: dict[str, object] = {field: absent for field, _, absent in LEFT_OUT}
    if device.sriov is not None:
        changes["sriov"] = replace(device.sriov, enabled=0)
    below = tuple(_device(each) for each in device.devices)
    return replace(device, devices=below, **changes)
