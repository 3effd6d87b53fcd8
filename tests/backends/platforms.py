"""Platform values for the backends' tests, built directly: no frontend has a part in them.

Every builder fills in what QEMU 7.2's `virt` machine has (its host bridge, GICv3, ITS and SMMUv3
at QEMU's own addresses); keywords replace single fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from rootplex.formats.pci import BUS_SIZE
from rootplex.model.bridge import (
    AcpiView,
    ConfigSpace,
    DtView,
    HostBridge,
    IdMapEntry,
    Intx,
    IommuMap,
    MsiMap,
    Window,
)
from rootplex.model.controllers import GicV3, Its, SmmuV3
from rootplex.model.device import BRIDGE_TYPES, Bar, Device
from rootplex.model.numbers import BusRange, Region
from rootplex.model.part import Places
from rootplex.model.platform import Dom0, Expect, Memory, Platform, Xen
from rootplex.source.place import Span

ECAM = 0x40_1000_0000
ALL_BUSES = BusRange(0, 0xFF)
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def places(*paths: str, whole: int = 1, file: str = "x.yaml") -> Places:
    """Places in which field number n (from 1) of `paths` was written on line `whole` + n."""
    lines = {path: Span(file, whole + n, 1, whole + n, 9) for n, path in enumerate(paths, start=1)}
    return Places(Span(file, whole, 1, whole, 9), lines)


def config(kind: str = "ecam", base: int = ECAM, buses: int = 256, **overrides: Any) -> ConfigSpace:
    values: dict[str, Any] = {
        "kind": kind,
        "base": base,
        "size": buses * BUS_SIZE.get(kind, 0) or 64 * KIB,
        "sizes": (1, 2, 4),
        "sizes_root_bus": None,
        "special": (),
        "compatible": ("pci-host-cam-generic",) if kind == "cam" else ("pci-host-ecam-generic",),
        "registers": (),
    }
    return ConfigSpace(**(values | overrides))


def window(space: str, pci: int, size: int, *, cpu: int | None = None, prefetchable: bool = False) -> Window:
    return Window(space=space, pci=pci, cpu=pci if cpu is None else cpu, size=size, prefetchable=prefetchable)  # type: ignore[arg-type]


QEMU_WINDOWS = (
    window("io", 0, 64 * KIB, cpu=0x3EFF_0000),
    window("mem32", 0x1000_0000, 0x2EFF_0000),
    window("mem64", 0x80_0000_0000, 512 * GIB),
)


def identity(target: str, bus_range: BusRange = ALL_BUSES) -> tuple[IdMapEntry, ...]:
    """The map that the language fills in: every RID of the bus range is its own id."""
    first = bus_range.first << 8
    return (IdMapEntry(rid=first, id=first, count=bus_range.count << 8, target=target),)


def intx(controller: str = "gic", **overrides: Any) -> Intx:
    values: dict[str, Any] = {
        "controller": controller,
        "irqs": (3, 4, 5, 6),
        "swizzle": True,
        "map": (),
        "trigger": "level-high",
    }
    return Intx(**(values | overrides))


def msi(controller: str = "its", bus_range: BusRange = ALL_BUSES, **overrides: Any) -> MsiMap:
    values: dict[str, Any] = {
        "controller": controller,
        "entries": identity(controller, bus_range),
        "mask": 0xFFFF_FFFF,
        "parent": False,
    }
    return MsiMap(**(values | overrides))


def iommu(unit: str = "smmu", bus_range: BusRange = ALL_BUSES, **overrides: Any) -> IommuMap:
    values: dict[str, Any] = {
        "unit": unit,
        "entries": identity(unit, bus_range),
        "mask": 0xFFFF_FFFF,
        "ats": False,
        "pri": False,
    }
    return IommuMap(**(values | overrides))


def host_bridge(**overrides: Any) -> HostBridge:
    """QEMU's host bridge: segment 0, buses 00-ff, no devices described.

    With another `bus_range` (a `BusRange`) the configuration space and the identity maps follow it.
    """
    bus_range = overrides.get("bus_range", ALL_BUSES)
    values: dict[str, Any] = {
        "index": 0,
        "name": "main",
        "segment": 0,
        "bus_range": bus_range,
        "config": config(base=ECAM + (bus_range.first << 20), buses=bus_range.count),
        "windows": QEMU_WINDOWS,
        "dma_windows": None,
        "intx": intx(),
        "msi": msi(bus_range=bus_range),
        "iommu": iommu(bus_range=bus_range),
        "dma_coherent": True,
        "proximity": None,
        "hot_pluggable": False,
        "enabled": True,
        "preserve_boot_config": False,
        "acpi": AcpiView(),
        "dt": DtView(),
        "devices": (),
    }
    return HostBridge(**(values | overrides))


_CLASS = {"host-bridge-function": 0x06_0000}


def device(dev: int = 0, fn: int = 0, **overrides: Any) -> Device:
    """An endpoint without any capability; `devices` below a bridge are taken as they are."""
    type = overrides.get("type", "endpoint")
    values: dict[str, Any] = {
        "key": f"{dev}.{fn}",
        "dev": dev,
        "fn": fn,
        "type": type,
        "vendor": 0x1234,
        "device": 0x0100,
        "revision": 0,
        "class_code": 0x06_0400 if type in BRIDGE_TYPES else _CLASS.get(type, 0x02_0000),
        "multifunction": False,
        "aliases": (),
        "ari": type in {"root-port", "downstream-port"},
        "ats": False,
        "flr": False,
        "pm": False,
        "msi": 0,
        "msix": 0,
        "disintx": False,
        "dma_bits": 64,
        "bars": (),
        "hotplug": False,
        "external_facing": False,
        "present": True,
        "properties": (),
        "devices": (),
    }
    for name in Device.__struct_fields__:
        if name != "places":
            values.setdefault(name, None)
    return Device(**(values | overrides))


def bar(index: int = 0, space: str = "mem32", size: int = 0x1000, *, prefetchable: bool = False) -> Bar:
    return Bar(index=index, space=space, size=size, prefetchable=prefetchable)  # type: ignore[arg-type]


def gic(**overrides: Any) -> GicV3:
    values: dict[str, Any] = {
        "name": "gic",
        "distributor": Region(0x800_0000, 0x1_0000),
        "redistributors": Region(0x80A_0000, 0xF6_0000),
    }
    return GicV3(**(values | overrides))


def its(**overrides: Any) -> Its:
    values: dict[str, Any] = {
        "name": "its",
        "base": 0x808_0000,
        "size": 128 * KIB,
        "id": 0,
        "device_id_bits": 16,
    }
    return Its(**(values | overrides))


def smmu(**overrides: Any) -> SmmuV3:
    values: dict[str, Any] = {
        "name": "smmu",
        "base": 0x905_0000,
        "size": 128 * KIB,
        "eventq": 74,
        "priq": 75,
        "cmdq_sync": 76,
        "gerror": 77,
        "msi_controller": None,
        "stream_id_bits": 16,
    }
    return SmmuV3(**(values | overrides))


def xen(**overrides: Any) -> Xen:
    dom0 = Dom0(
        bits=64,
        kernel="linux-7.2",
        firmware="dt",
        memory=None,
        probe_order=None,
        registers="before-scan",
        lpae=False,
        vmalloc=240 * MIB,
    )
    values: dict[str, Any] = {
        "version": "xen-unstable",
        "discovery": "dom0",
        "pci_passthrough": True,
        "iommu": True,
        "vpci": False,
        "pci_phantom": (),
        "dom0": dom0,
        "guests": (),
    }
    return Xen(**(values | overrides))


def platform(*bridges: HostBridge, **overrides: Any) -> Platform:
    """QEMU's `virt` machine with these host bridges (none given: QEMU's own); bridges are renumbered.

    With `base="none"` the GIC, the ITS and the SMMU are described ones at the same addresses.
    """
    built_in = overrides.get("base", "qemu-virt") == "qemu-virt"
    values: dict[str, Any] = {
        "file": "x.yaml",
        "name": "x",
        "title": None,
        "arch": "arm64",
        "vendor": None,
        "model": None,
        "compatible": (),
        "firmware": ("dt", "acpi"),
        "base": "qemu-virt",
        "oem_id": "BOCHS ",
        "oem_table_id": "BXPC    ",
        "oem_revision": 2,
        "bootargs": None,
        "console": None,
        "memory": (Memory(base=0x4000_0000, size=GIB),),
        "interrupt_controllers": (gic(built_in=built_in),),
        "msi_controllers": (its(built_in=built_in),),
        "iommus": (smmu(built_in=built_in),),
        "host_bridges": numbered(bridges or (host_bridge(),)),
        "boot": None,
        "hypervisor": "xen",
        "xen": xen(),
        "expect": Expect(),
        "suppress": (),
    }
    return Platform(**(values | overrides))


def numbered(bridges: Iterable[HostBridge]) -> tuple[HostBridge, ...]:
    """The bridges with `index` set to their place."""
    return tuple(replace(each, index=index) for index, each in enumerate(bridges))
