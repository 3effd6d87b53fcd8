"""Any platform as one of QEMU's, its configuration space in guest memory (real-boot: way 3).

The tree, the ids, the capabilities, the segments, the buses and the StreamIDs stay. What memory cannot do or
QEMU has otherwise is taken out or replaced, and each such change is listed with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.refusal import CannotCompile
from rootplex.formats.devicetree import GENERIC
from rootplex.frontends.description.controllers import (
    BUILT_IN_IOMMUS,
    BUILT_IN_MSI_CONTROLLERS,
    built_in_interrupt_controllers,
)
from rootplex.jobs.qemu import streams, vtd
from rootplex.jobs.qemu.memory import SHIFTS
from rootplex.jobs.qemu.standins import MIB, STAND_INS, StandIn
from rootplex.model.bridge import ConfigSpace, Firmware, HostBridge, IommuMap, Window
from rootplex.model.controllers import Iommu, SmmuV3
from rootplex.model.device import Device
from rootplex.model.platform import Expect, Memory, Platform
from rootplex.source.place import Place
from rootplex.source.rules import QEMU_MACHINE

ALL_SIZES = (1, 2, 4)
PLATFORM_BUS, PLATFORM_SPI = 0x0C00_0000, 112
MOST_SMMUS = 4
"""So many SMMUs at most: each needs a root bus of its own, and eight interrupts."""


class Change(Struct, frozen=True):
    """Something of the description that the booted machine has otherwise."""

    at: Place
    subject: str
    text: str


class Synthetic(Struct, frozen=True):
    """The platform that is booted, how it differs, the machine, and where configuration space ends there."""

    platform: Platform
    changes: tuple[Change, ...]
    machine: StandIn
    end: int


def synthetic(
    platform: Platform,
    firmware: Firmware,
    *,
    several_smmus: bool = False,
    version: tuple[int, int] | None = None,
) -> Synthetic:
    """The platform on the machine that stands in for it; CannotCompile where not even that can be.
    `firmware` is what is booted: its id maps are those of both. `several_smmus`: this QEMU has as many SMMUs
    as are wanted (10.2 and later, `arm-smmuv3`). `version`: of the QEMU at hand, None where it does not
    matter."""
    machine = STAND_INS[platform.arch]
    changes: list[Change] = list(_platform_changes(platform, machine))
    changes += [change for bridge in platform.host_bridges for change in _id_changes(bridge, firmware)]
    seen = (_with_ids_of(bridge, firmware) for bridge in platform.host_bridges)
    platform = replace(platform, host_bridges=tuple(seen))
    units = _smmus(platform, BUILT_IN_IOMMUS[machine.base][0].name, several=several_smmus)
    maps, more = _vtd_maps(platform) if machine.arch == "x86_64" else _smmu_maps(platform, units)
    if maps and version is not None and version < machine.iommu_since:
        maps, more = {}, list(_without_iommu(platform, machine))
    places, end = _layout(platform, machine)
    memory = machine.memory(end)
    bridges = []
    for bridge in platform.host_bridges:
        changes += _bridge_changes(bridge, machine, memory, places[bridge.name])
        changes += [change for change in more if change.subject == bridge.name]
        made = _bridge(bridge, places[bridge.name], machine, memory)
        bridges.append(replace(made, iommu=maps.get(bridge.name)))
    dom0 = replace(platform.xen.dom0, bits=64, probe_order=None)
    whole = replace(
        platform,
        arch=machine.arch,
        base=machine.base,
        aia="none",
        virtualization=False,
        compatible=(),
        oem_id="BOCHS ",
        oem_table_id="BXPC    ",
        oem_revision=2,
        console=None,
        memory=(Memory(base=machine.ram.base, size=machine.ram.size),),
        interrupt_controllers=built_in_interrupt_controllers(machine.base, "none"),
        msi_controllers=BUILT_IN_MSI_CONTROLLERS.get(machine.base, ()),
        iommus=_iommus(machine, units) if maps else (),
        host_bridges=tuple(bridges),
        boot=None,
        xen=replace(platform.xen, discovery="dom0", vpci=False, guests=(), dom0=dom0),
        expect=Expect(),
        suppress=(),
    )
    return Synthetic(whole, tuple(changes), machine, end)


Maps = tuple[Mapping[str, IommuMap], list[Change]]
"""What translates each bridge, by its name, and how that differs from what is described."""


def _smmus(platform: Platform, one: str, *, several: bool) -> Mapping[str, str]:
    """QEMU's IOMMU for each described unit that translates something, in the order in which they are
    described: its built-in `one` for all, or an SMMU for each."""
    named = platform.units_named
    used = [unit.name for unit in platform.iommus if unit.name in named]
    if several and 1 < len(used) <= MOST_SMMUS:
        return {name: f"smmu{index}" for index, name in enumerate(used)}
    return dict.fromkeys(used, one)


def _iommus(machine: StandIn, units: Mapping[str, str]) -> tuple[Iommu, ...]:
    """The SMMUs of the machine: the built-in one, or those that QEMU puts on its platform bus one after the
    other (hw/arm/virt.c: VIRT_PLATFORM_BUS, its interrupts from SPI 112 on)."""
    (built_in, *_) = BUILT_IN_IOMMUS[machine.base]
    names = dict.fromkeys(units.values())
    if not isinstance(built_in, SmmuV3) or len(names) < 2:
        return BUILT_IN_IOMMUS[machine.base]
    found = []
    for index, name in enumerate(names):
        spi = PLATFORM_SPI + 4 * index
        found.append(
            replace(
                built_in,
                name=name,
                built_in=False,
                base=PLATFORM_BUS + index * built_in.size,
                eventq=spi,
                priq=spi + 1,
                cmdq_sync=spi + 2,
                gerror=spi + 3,
            )
        )
    return tuple(found)


def _smmu_maps(platform: Platform, units: Mapping[str, str]) -> Maps:
    widths = {unit.name: getattr(unit, "stream_id_bits", 32) for unit in platform.iommus}
    maps = streams.translated(platform.host_bridges, units, widths)
    if maps is None:
        note = "QEMU's SMMUv3 has StreamIDs of 16 bits"
        raise _refused(platform, "iommus", "its requester ids are more than QEMU's SMMU tells apart", note)
    changes = []
    for bridge in platform.host_bridges:
        ids = maps.get(bridge.name)
        if ids is None or bridge.iommu is None or ids.entries == bridge.iommu.entries:
            continue
        one = "one IOMMU" if platform.arch == "riscv64" else "one SMMUv3"
        text = "its ids go to QEMU's " + (one if len(set(units.values())) == 1 else "SMMUs")
        renumbered = [(each.rid, each.id) for each in ids.entries]
        if renumbered != [(each.rid, each.id) for each in bridge.iommu.entries]:
            text += ", renumbered into its 16 bits"
        if text.endswith("bits") or not _is_built_in(platform, bridge.iommu.unit):
            changes.append(Change(bridge.at("iommu"), bridge.name, text))
    return maps, changes


def _without_iommu(platform: Platform, machine: StandIn) -> Iterator[Change]:
    since = ".".join(map(str, machine.iommu_since))
    for bridge in platform.host_bridges:
        if bridge.iommu is not None:
            text = f"nothing translates it: the IOMMU of QEMU's {machine.machine} came with {since}"
            yield Change(bridge.at("iommu"), bridge.name, text)


def _vtd_maps(platform: Platform) -> Maps:
    served = vtd.served(platform)
    maps, changes = {}, []
    for bridge in platform.host_bridges:
        if bridge.iommu is None:
            continue
        text = "QEMU's one VT-d unit translates it"
        if bridge.name in served.bridges:
            maps[bridge.name] = replace(bridge.iommu, unit=vtd.UNIT, entries=(), ats=False, pri=False)
            if _is_built_in(platform, bridge.iommu.unit):
                continue
        else:
            text = "nothing translates it, and its groups are not compared"
            if served.bridges:
                text += f": QEMU's one VT-d unit stands in for {served.unit} in segment {served.segment:#x}"
        changes.append(Change(bridge.at("iommu"), bridge.name, text))
    return maps, changes


def _refused(platform: Platform, path: str, message: str, note: str) -> CannotCompile:
    finding = QEMU_MACHINE.finding(platform.at(path), message, notes=(note,), subject=platform.name)
    return CannotCompile((finding,))


def _is_built_in(platform: Platform, unit: str) -> bool:
    found = platform.controller(unit)
    return found is not None and found.built_in


def _layout(platform: Platform, machine: StandIn) -> tuple[dict[str, int], int]:
    """Each bridge's new base, whole MiB, and the end of all."""
    places: dict[str, int] = {}
    at = machine.config
    for bridge in platform.host_bridges:
        places[bridge.name] = at
        buses = bridge.bus_range.count * MIB
        size = buses if bridge.config.kind == "windowed" else max(buses, bridge.config.size)
        at += -(-size // MIB) * MIB
    return places, at


def _platform_changes(platform: Platform, machine: StandIn) -> Iterator[Change]:
    name = platform.name
    if platform.arch != machine.arch:
        yield Change(platform.at("platform.arch"), name, "the processor is a 64-bit one")
    if platform.base != machine.base:
        text = f"the machine is QEMU's {machine.machine}, its memory QEMU's"
        yield Change(platform.at("platform"), name, text)
    if platform.aia != "none":
        yield Change(platform.at("platform.aia"), name, "a PLIC stands in: memory raises no interrupts")
    for each in (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus):
        if not each.built_in:
            text = f"{each.name} is left out: QEMU's {machine.controllers} stand in"
            yield Change(each.at(), each.name, text)
    if platform.xen.dom0.probe_order is not None:
        yield Change(platform.xen.dom0.at("probe_order"), name, "bridges are probed in the firmware's order")


def _with_ids_of(bridge: HostBridge, firmware: Firmware) -> HostBridge:
    """The bridge with one firmware's id maps for both."""
    seen = bridge.as_seen_by(firmware) or bridge
    acpi, dt = replace(bridge.acpi, msi=None, iommu=None), replace(bridge.dt, msi=None, iommu=None)
    return replace(bridge, msi=seen.msi, iommu=seen.iommu, acpi=acpi, dt=dt)


def _id_changes(bridge: HostBridge, firmware: Firmware) -> Iterator[Change]:
    view, words = (bridge.dt, "device tree") if firmware == "acpi" else (bridge.acpi, "ACPI")
    if view.iommu is not None:
        text = f"{words} has the same StreamIDs as the firmware that is booted"
        yield Change(view.at("iommu"), bridge.name, text)


def _bridge_changes(bridge: HostBridge, machine: StandIn, memory: int, base: int) -> Iterator[Change]:
    def change(path: str, text: str) -> Change:
        return Change(bridge.at(path), bridge.name, text)

    config = bridge.config
    yield change("config", f"its configuration space is guest memory at {base:#x}")
    if machine.arch == "x86_64" and not (bridge.as_seen_by("acpi") or bridge).segment:
        yield change(
            "segment", "ECAM alone reaches it: the configuration ports are those of QEMU's own devices"
        )
    if config.kind not in SHIFTS:
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
    for part in (bridge, bridge.acpi, bridge.dt):
        for n, window in enumerate(part.windows or ()):
            if not machine.is_free(window, memory):
                text = f"the {window.space} window at {window.cpu:#x} is QEMU's own place"
                yield Change(part.at(f"windows.{n}"), bridge.name, text)
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
    ("properties", "node of its own", ()),
)
"""What needs an answer that memory does not give: field, words, value without it."""


def _left_out(device: Device) -> list[str]:
    words = [words for field, words, absent in LEFT_OUT if getattr(device, field) != absent]
    if device.sriov is not None and device.sriov.bars:
        words.append("BARs of virtual functions")
    return words


def _bridge(bridge: HostBridge, base: int, machine: StandIn, memory: int) -> HostBridge:
    old = bridge.config
    kind = old.kind if old.kind in SHIFTS else "ecam"
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

    def free(windows: tuple[Window, ...]) -> tuple[Window, ...]:
        return tuple(window for window in windows if machine.is_free(window, memory))

    def free_or_none(windows: tuple[Window, ...] | None) -> tuple[Window, ...] | None:
        return None if windows is None else free(windows)

    acpi = replace(bridge.acpi, config=None, windows=free_or_none(bridge.acpi.windows))
    dt = replace(bridge.dt, config=None, windows=free_or_none(bridge.dt.windows), properties=(), label=None)
    return replace(
        bridge,
        config=config,
        windows=free(bridge.windows),
        intx=None,
        msi=None,
        proximity=None,
        acpi=acpi,
        dt=dt,
        devices=tuple(_device(device) for device in bridge.devices),
    )


def _device(device: Device) -> Device:
    changes: dict[str, object] = {field: absent for field, _, absent in LEFT_OUT}
    if device.sriov is not None:
        changes["sriov"] = replace(device.sriov, bars=(), msix=0)
    below = tuple(_device(each) for each in device.devices)
    return replace(device, devices=below, **changes)
