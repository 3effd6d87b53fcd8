"""Keys that contradict other keys."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import AmdIommu, IntelVtd, RidIommu, RiscvIommu
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level

_NO_FIRMWARE = {("arm", "acpi"), ("x86_64", "dt")}
_BRIDGE_KEYS = ("bus", "slot", "hotplug", "external_facing", "devices")


@check("RPX0024", Level.ERROR, needs="description")
def impossible_key(facts: Facts) -> Iterator[Finding]:
    """What it finds: a key that makes no sense with the others: ACPI on 32-bit Arm, a device tree on x86, an
    IOMMU map with VT-d, a VT-d unit of another segment than its bridge's, a list of interrupt lines that has
    not four, a map beside lines, a map to a bridge that takes messages itself, a bus or slot on an endpoint,
    a bit of ACS that the type of a device does not have.
    Why it matters: it would be ignored, though its author counts on it.
    Example: `iommu: {unit: vtd, map: [...]}`.
    What to do: take the key out, or change the one that it contradicts.
    Source: PCI Express Base 6.0 §7.7.11.2 (ACS); the platform language, version 1 (`rootplex schema`).
    """
    yield from _platform(facts.platform)
    for unit in facts.platform.iommus:
        if isinstance(unit, IntelVtd):
            yield from _unit_segment(facts.platform, unit)
        if isinstance(unit, RiscvIommu) and (unit.base is None) is (unit.parent is None):
            yield impossible_key.rule.finding(
                unit.at("parent" if unit.parent else "name"),
                f"'{unit.name}' has {'both' if unit.parent else 'neither'} registers at 'base' "
                f"{'and' if unit.parent else 'nor'} a bridge that it is a function of",
                help="write 'base' of a unit of its own, or 'parent' and 'dev' of a function",
                subject=unit.name,
            )
        if isinstance(unit, AmdIommu):
            yield from _unit_scopes(facts.platform, unit)
    for bridge in facts.platform.host_bridges:
        yield from _bridge(facts.platform, bridge)
        for device in bridge.walk():
            yield from _device(device)


def _platform(platform: Platform) -> Iterator[Finding]:
    for i, firmware in enumerate(platform.firmware):
        if (platform.arch, firmware) in _NO_FIRMWARE:
            name = {"acpi": "ACPI", "dt": "device tree"}[firmware]
            yield impossible_key.rule.finding(
                platform.at(f"firmware.{i}"),
                f"there is no {name} firmware on {platform.arch}",
                help="take it out of 'firmware'",
            )
    if platform.xen.dom0.wrote("firmware") and platform.xen.dom0.firmware not in platform.firmware:
        yield impossible_key.rule.finding(
            platform.xen.dom0.at("firmware"),
            f"Dom0 is to boot by {platform.xen.dom0.firmware}, which this platform is not compiled for",
            related=[(platform.at("firmware"), f"compiled for: {', '.join(platform.firmware)}")],
            help="name a firmware that the platform has",
        )
    if platform.base == "qemu-virt" and platform.arch not in {"arm64", "arm"}:
        yield impossible_key.rule.finding(
            platform.at("base"), f"QEMU's virt machine of this base is an Arm one, not {platform.arch}"
        )
    if platform.base == "qemu-riscv-virt" and platform.arch != "riscv64":
        yield impossible_key.rule.finding(
            platform.at("base"), f"QEMU's virt machine of this base is a riscv64 one, not {platform.arch}"
        )
    if platform.base == "qemu-q35" and platform.arch != "x86_64":
        yield impossible_key.rule.finding(
            platform.at("base"), f"QEMU's q35 machine is an x86_64 one, not {platform.arch}"
        )


def _bridge(platform: Platform, bridge: HostBridge) -> Iterator[Finding]:
    intx = bridge.intx
    if intx is not None:
        if intx.irqs and len(intx.irqs) != 4:
            yield impossible_key.rule.finding(
                intx.at("irqs"),
                f"'{bridge.name}' has {len(intx.irqs)} interrupt lines for INTA to INTD, not four",
                help="name four numbers; a line may be named more than once",
                subject=bridge.name,
            )
        if intx.irqs and intx.map:
            yield impossible_key.rule.finding(
                intx.at("map"),
                f"'{bridge.name}' has both four interrupt lines and a map of them",
                related=[(intx.at("irqs"), "the four lines")],
                help="keep one of the two",
                subject=bridge.name,
            )
    for ids in bridge.iommu_maps:
        unit = platform.controller(ids.unit)
        if isinstance(unit, RidIommu) and ids.wrote("map"):
            yield impossible_key.rule.finding(
                ids.at("map"),
                f"'{bridge.name}' has a map to the {unit.called} '{unit.name}', where the stream is the RID",
                help="take the map out",
                subject=bridge.name,
            )
    yield from _messages(platform, bridge)


def _messages(platform: Platform, bridge: HostBridge) -> Iterator[Finding]:
    bridges = {each.name for each in platform.host_bridges}
    for msi in bridge.msi_maps:
        if msi.controller in bridges and (msi is bridge.acpi.msi or "dt" not in platform.firmware):
            yield impossible_key.rule.finding(
                msi.at("controller"),
                f"no table can say that the messages of '{bridge.name}' go to the host bridge "
                f"'{msi.controller}'",
                help="name an MSI controller, or leave 'msi' out",
                subject=bridge.name,
            )
        elif msi.controller in bridges and (msi.wrote("map") or not msi.parent):
            yield impossible_key.rule.finding(
                msi.at("map" if msi.wrote("map") else "parent"),
                f"the messages of '{bridge.name}' go to the host bridge '{msi.controller}', "
                "which a map cannot name",
                help="name it with 'controller' alone: it takes requester ids as they are",
                subject=bridge.name,
            )
        elif msi.parent and msi.wrote("map"):
            yield impossible_key.rule.finding(
                msi.at("map"),
                f"'{bridge.name}' has an MSI map beside 'parent: true', with which the DeviceID is the RID",
                related=[(msi.at("parent"), "the MSI parent")],
                help="keep one of the two",
                subject=bridge.name,
            )


def _unit_scopes(platform: Platform, unit: AmdIommu) -> Iterator[Finding]:
    """IVRS names requester ids: of what is below a bridge only where its buses have numbers."""
    devices = {device.name: device for _, device in platform.walk() if device.name}
    for n, name in enumerate(unit.scopes):
        device = devices.get(name)
        if device is not None and device.is_bridge and device.bus is None:
            yield impossible_key.rule.finding(
                unit.at(f"scopes.{n}"),
                f"'{unit.name}' is to translate what is below '{name}', whose buses have no numbers",
                related=[(device.at(), "the bridge")],
                help="write 'bus' at the bridge, as firmware numbers it, or leave 'scopes' out",
                subject=unit.name,
            )


def _unit_segment(platform: Platform, unit: IntelVtd) -> Iterator[Finding]:
    """DMAR takes the segment of a VT-d unit from the bridges that name it."""
    others = [
        bridge
        for bridge in platform.bridges_in("acpi")
        if bridge.iommu is not None
        and bridge.iommu.unit == unit.name
        and (bridge.segment or 0) != unit.segment
    ]
    if unit.wrote("segment") and others:
        yield impossible_key.rule.finding(
            unit.at("segment"),
            f"the VT-d unit '{unit.name}' is to serve segment {unit.segment}, "
            f"its host bridge '{others[0].name}' is segment {others[0].segment or 0}",
            related=[(bridge.at("segment"), f"the segment of {bridge.name}") for bridge in others],
            help="write the bridge's segment, or describe a unit for each",
            subject=unit.name,
        )


_DOWNWARD = ("root-port", "downstream-port")
_DOWNWARD_BITS = {"sv": "source validation", "tb": "translation blocking", "uf": "upstream forwarding"}
"""Bits of ACS that are hardwired to 0 but in ports that face down (PCI Express Base 6.0 §7.7.11.2)."""


def _device(device: Device) -> Iterator[Finding]:
    is_listed = device.wrote("acs.0")
    for index, bit in enumerate(device.acs or () if is_listed else ()):
        if bit in _DOWNWARD_BITS and device.type not in _DOWNWARD:
            yield impossible_key.rule.finding(
                device.at(f"acs.{index}"),
                f"{device.label}, of type {device.type}, cannot have '{bit}' in 'acs'",
                level=Level.WARNING,
                notes=[f"it is {_DOWNWARD_BITS[bit]}, which only root ports and downstream ports have"],
                help=f"take '{bit}' out of the list",
                subject=device.name,
            )
            break
    if device.is_bridge:
        return
    for key in _BRIDGE_KEYS[:-1]:
        if device.wrote(key):
            yield impossible_key.rule.finding(
                device.at(key),
                f"{device.label}, of type {device.type}, has '{key}', which only ports and bridges have",
                help="take it out, or correct the type",
                subject=device.name,
            )
