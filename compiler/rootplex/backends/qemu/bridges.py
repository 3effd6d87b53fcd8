"""Whether the host bridges of a description can be the root buses of QEMU's one machine.

All root buses share the machine's ECAM, windows and IOMMU: the first bus of each is a number in the one
ECAM, and requester ids go to the IOMMU and the ITS unchanged (real-boot: way 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from rootplex.backends.qemu.machines import MIB, Machine
from rootplex.backends.qemu.refusals import refusal
from rootplex.model.bridge import HostBridge, IommuMap, MsiMap, Override
from rootplex.model.controllers import DtNode, GicV3, Its, RidIommu, RiscvIommu, SmmuV3
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.source.rules import QEMU_CONFIG_SPACE, QEMU_ID_MAP, QEMU_INTX, QEMU_MACHINE, QEMU_WINDOW

FULL_MASK = 0xFFFF_FFFF


def check_platform(platform: Platform, machine: Machine) -> Iterator[Finding]:
    """Memory, controllers and every host bridge against the machine."""
    yield from _memory(platform, machine)
    yield from _units(platform, machine)
    if not any(bridge.bus_range.first == 0 for bridge in platform.host_bridges):
        yield refusal(
            QEMU_CONFIG_SPACE,
            platform.host_bridges[0].at("bus_range"),
            "no host bridge begins at bus 0",
            note=f"the first root bus of QEMU's {machine.name} is bus 0",
            subject=platform.host_bridges[0].name,
        )
    seen: list[HostBridge] = []
    for bridge in platform.host_bridges:
        yield from _config(bridge, machine)
        for other in seen:
            if (
                bridge.bus_range.first <= other.bus_range.last
                and other.bus_range.first <= bridge.bus_range.last
            ):
                yield refusal(
                    QEMU_CONFIG_SPACE,
                    bridge.at("bus_range"),
                    f"buses {bridge.bus_range} overlap those of {other.name}, {other.bus_range}",
                    note="all root buses of QEMU share one configuration space of 256 buses",
                    subject=bridge.name,
                )
        seen.append(bridge)
        yield from _windows(bridge, machine)
        for each in (bridge, bridge.acpi, bridge.dt):
            yield from _id_map(bridge, each, "msi")
            yield from _id_map(bridge, each, "iommu")
        yield from _own_messages(platform, bridge, machine)
        yield from _intx(bridge, machine)


def _memory(platform: Platform, machine: Machine) -> Iterator[Finding]:
    end = machine.ram
    for memory in platform.memory:
        if memory.base != end or memory.size % MIB:
            yield refusal(
                QEMU_MACHINE,
                memory.at("base") if memory.base != end else memory.at("size"),
                f"QEMU's {machine.name} has no memory at {memory.region}",
                note=f"its memory is one stretch of whole MiB from {machine.ram:#x} on",
                subject=platform.name,
            )
        end = memory.base + memory.size


def _units(platform: Platform, machine: Machine) -> Iterator[Finding]:
    expected = dict(machine.units)
    for unit in (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus):
        if unit.built_in:
            continue
        base = unit.distributor.base if isinstance(unit, GicV3) else None
        if isinstance(unit, Its | SmmuV3 | RidIommu | RiscvIommu | DtNode):
            base = unit.base
        if base is not None and base != expected.get(type(unit).__name__):
            yield refusal(
                QEMU_MACHINE,
                unit.at("distributor.base" if isinstance(unit, GicV3) else "base"),
                f"QEMU's {machine.name} has no {unit.name} at {base:#x}",
                note="its own: " + ", ".join(f"{kind} at {at:#x}" for kind, at in machine.units),
                subject=unit.name,
            )


def _config(bridge: HostBridge, machine: Machine) -> Iterator[Finding]:
    config = bridge.config
    plain = config.kind == "ecam" and set(config.sizes) == {1, 2, 4} and config.sizes_root_bus is None
    if not plain:
        yield refusal(
            QEMU_CONFIG_SPACE,
            bridge.at("config"),
            f"{bridge.name} is not plain ECAM",
            note=f"QEMU's {machine.name} has ECAM that takes every access size",
            subject=bridge.name,
        )
        return
    expected = machine.ecam + (bridge.bus_range.first << 20)
    if config.base != expected:
        yield refusal(
            QEMU_CONFIG_SPACE,
            bridge.at("config.base"),
            f"the configuration space of {bridge.name} is at {config.base:#x}",
            note=f"QEMU's {machine.name} has that of bus {bridge.bus_range.first:#04x} at {expected:#x}",
            subject=bridge.name,
            help=f"write config.base: {expected:#x}, or run it with --synthetic",
        )


def _windows(bridge: HostBridge, machine: Machine) -> Iterator[Finding]:
    for n, window in enumerate(bridge.windows):
        fits = any(
            own.space == window.space
            and window.pci == window.cpu - own.offset
            and own.region.base <= window.cpu
            and window.cpu + window.size <= own.region.end
            for own in machine.windows
        )
        if not fits:
            own = next(each for each in machine.windows if each.space == window.space)
            yield refusal(
                QEMU_WINDOW,
                bridge.at(f"windows.{n}"),
                f"QEMU's {machine.name} does not pass down this {window.space} window of {bridge.name}",
                note=f"its {own.space} window is {own.region}, PCI address {own.region.base - own.offset:#x}",
                subject=bridge.name,
            )


def _own_messages(platform: Platform, bridge: HostBridge, machine: Machine) -> Iterator[Finding]:
    bridges = {each.name for each in platform.host_bridges}
    for msi in (each for each in bridge.msi_maps if each.controller in bridges):
        yield refusal(
            QEMU_MACHINE,
            msi.at("controller"),
            f"QEMU's {machine.name} has no host bridge that takes messages itself, as {msi.controller} does",
            note="its messages go to an MSI controller of their own",
            subject=bridge.name,
        )


def _id_map(
    bridge: HostBridge, said: HostBridge | Override, key: Literal["msi", "iommu"]
) -> Iterator[Finding]:
    """`said`: the bridge, or what one firmware says of it otherwise."""
    ids = getattr(said, key)
    if not isinstance(ids, MsiMap | IommuMap):
        return
    changed = [n for n, entry in enumerate(ids.entries) if entry.rid != entry.id]
    if not changed and ids.mask in (FULL_MASK, 0xFFFF):
        return
    yield refusal(
        QEMU_ID_MAP,
        said.at(f"{key}.map.{changed[0]}" if changed else f"{key}.mask"),
        f"the {key} map of {bridge.name} is not the identity",
        note="in QEMU the StreamID and the DeviceID of a device are its requester id",
        subject=bridge.name,
    )


def _intx(bridge: HostBridge, machine: Machine) -> Iterator[Finding]:
    intx = bridge.intx
    if intx is None or machine.irqs is None:
        return
    swizzled = bridge.bus_range.first == 0
    if intx.irqs == machine.irqs and intx.swizzle == swizzled and not intx.map:
        return
    irqs = list(machine.irqs)
    rule = "rotated by device number" if swizzled else "the same for every device (swizzle: false)"
    yield refusal(
        QEMU_INTX,
        bridge.at("intx.irqs" if intx.irqs != machine.irqs else "intx"),
        f"the interrupt lines of {bridge.name} are not QEMU's",
        note=f"QEMU's {machine.name} has INTA to INTD of this root bus at {irqs}, {rule}",
        subject=bridge.name,
    )
