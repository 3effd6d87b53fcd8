"""Descriptions by chance of machines made of QEMU's own devices, behind an IOMMU that is one of them.

A virtio-iommu answers only for what QEMU has, and AMD's is set up by its own function: both are booted on
QEMU's devices, not on configuration space in guest memory. One root bus or a `pxb-pcie` beside it; ports with
and without ACS, slots of several functions, switches, conventional bridges and functions. No disks: with a
virtio-iommu, whose driver comes last, it is by chance whether Linux 6.12 takes a disk before its port (`nvme`
is probed beside others), and QEMU 7.2's AMD IOMMU takes requests from behind a bridge for those of bus 0
(hw/i386/amd_iommu.c, amdvi_host_dma_iommu: the bus has no number yet)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from rootplex.campaign.topologies import BRIDGES, MIB, Description, Devices
from rootplex.model.bridge import Firmware
from rootplex.tools.images import Arch

Unit: TypeAlias = Literal["virtio", "amd"]

HAVE: dict[Unit, tuple[Arch, ...]] = {"virtio": ("arm64", "x86_64"), "amd": ("x86_64",)}
"""The machines of QEMU's that can have it."""

SECOND = 0x40
"""The first bus of the second root bus."""
_PLACE: dict[Arch, Description] = {
    "arm64": {"base": "qemu-virt", "config": 0x40_1000_0000, "mem32": 0x1000_0000, "first": 2},
    "x86_64": {"base": "qemu-q35", "config": 0xB000_0000, "mem32": 0xC000_0000, "first": 2},
}
_TYPES = {
    "pcie-root-port": "root-port", "ioh3420": "root-port", "x3130-upstream": "upstream-port",
    "xio3130-downstream": "downstream-port", "pcie-pci-bridge": "pcie-to-pci-bridge",
    "pci-bridge": "pci-bridge",
}  # fmt: skip


def machine(seed: int, number: int, arch: Arch, unit: Unit, firmware: Firmware) -> Description:
    """The description `number` of a seed."""
    rng = random.Random(f"{seed}/{unit}/{arch}/{number}")
    place = _PLACE[arch]
    # Linux 7.2 gives a virtio-iommu up for the first function behind a conventional bridge.
    tree = _Tree(rng, conventional=unit == "amd" or rng.random() < 0.25)
    several = rng.random() < 0.4
    first: Devices = [{"dev": 0, "model": "qemu:gpex-root" if arch == "arm64" else "qemu:q35-mch"}]
    devs = sorted(rng.sample(range(2, 0x1C), rng.randint(2, 5)))
    own, model = 1, "qemu:amdvi-pci"
    if unit == "virtio":
        own, model = devs.pop(rng.randrange(len(devs))), "qemu:virtio-iommu-pci"
    first.append({"dev": own, "model": model})
    first += [each for dev in devs for each in tree.on_root(dev)]
    if arch == "x86_64":
        built_in = ((0, "ich9-lpc"), (2, "ich9-ahci"), (3, "ich9-smbus"))
        first += [{"dev": 31, "fn": fn, "model": f"qemu:{model}"} for fn, model in built_in]
    bridges = [_bridge(place, arch, "main", 0, SECOND if several else 0x100, first)]
    if several:
        first.append({"dev": 30, "model": "qemu:pxb-pcie"})
        slots = sorted(rng.sample(range(32), rng.randint(1, 2)))
        below = [each for dev in slots for each in tree.port(dev)]
        bridges.append(_bridge(place, arch, "second", SECOND, 0x80, below))
        # Of two nodes of one domain Linux brings up the first.
        bridges[-1]["segment"] = int(firmware == "dt")
    if unit == "amd" and rng.random() < 0.6:
        for bridge in bridges:
            _number(bridge["devices"], bridge["bus_range"][0])
    for bridge in bridges:
        bridge["iommu"] = {"unit": "unit"}
        if unit == "virtio":
            bridge["iommu"]["map"] = list(_map(bridge["bus_range"], own << 3))
    whole: Description = {
        "rootplex": 1,
        "platform": {
            "name": f"random-{unit}-{arch.partition('_')[0]}-{number}",
            "arch": arch,
            "base": place["base"],
            "firmware": [firmware],
        },
        "iommus": [_unit(unit, own)],
        "host_bridges": bridges,
        "xen": False,
    }
    if arch == "x86_64":
        whole["memory"] = [{"base": 0, "size": "1GiB"}]
    return whole


def _unit(unit: Unit, own: int) -> Description:
    if unit == "amd":
        return {"name": "unit", "kind": "amd-iommu", "base": 0xFED8_0000, "dev": own}
    node = {"kind": "dt-node", "compatible": ["virtio,pci-iommu"], "parent": "main", "cells": 1}
    return {"name": "unit", **node, "dev": own}


def _map(buses: list[int], own: int) -> Iterator[dict[str, int]]:
    """All ids but the unit's own."""
    first, end = buses[0] << 8, buses[1] + 1 << 8
    for low, high in ((first, own), (own + 1, end)) if first == 0 else ((first, end),):
        yield {"rid": low, "id": low, "count": high - low}


def _bridge(place: Description, arch: Arch, name: str, first: int, end: int, devices: Devices) -> Description:
    """One root bus of the machine; half of the windows each where there are two."""
    half, second = end - first < 0x100, bool(first)
    size = (256 if half else 512) * MIB
    io = 0x8000 if half else 0x1_0000
    start = 0x1000 if arch == "x86_64" and not second else 0
    ports: dict[str, Any] = {"space": "io", "pci": io * second + start, "size": io - start}
    if arch == "arm64":
        ports["cpu"] = 0x3EFF_0000 + ports["pci"]
    found: Description = {
        "name": name,
        "segment": 0,
        "bus_range": [first, end - 1],
        "config": {"base": place["config"] + (first << 20)},
        "windows": [ports, {"space": "mem32", "pci": place["mem32"] + size * second, "size": size}],
        "devices": devices,
    }
    if arch == "arm64":
        found["intx"] = {"controller": "gic", "irqs": [3, 4, 5, 6], "swizzle": not second}
        found["msi"] = {"controller": "its"}
    return found


def _number(devices: Devices, bus: int) -> int:
    """Bus numbers depth first, as a PC's firmware gives them; the last one."""
    for device in sorted(devices, key=lambda each: (each["dev"], each.get("fn", 0))):
        if _TYPES.get(device["model"].removeprefix("qemu:")) in BRIDGES:
            secondary = bus + 1
            bus = _number(device.get("devices", []), secondary)
            device["bus"] = [secondary, bus]
    return bus


class _Tree:
    """What stands on the root buses, with few ports in all: a boot should stay short."""

    def __init__(self, rng: random.Random, *, conventional: bool) -> None:
        self.rng = rng
        self.conventional = conventional
        self.ports = 8

    def on_root(self, dev: int) -> Devices:
        kind = self.rng.choice(("port", "port", "port", "several", "bridge", "function"))
        if kind == "bridge" and self.conventional:
            return [self.bridge(dev, self.rng.choice(("pcie-pci-bridge", "pci-bridge")))]
        if kind == "function":
            return [{"dev": dev, "model": f"qemu:{self.rng.choice(('pci-testdev', 'edu'))}"}]
        return self.port(dev, functions=self.rng.randint(2, 3) if kind == "several" else 1)

    def port(self, dev: int, functions: int = 1) -> Devices:
        found: Devices = []
        for fn in range(functions):
            self.ports -= 1
            model = self.rng.choice(("pcie-root-port", "pcie-root-port", "ioh3420"))
            port: dict[str, Any] = {"dev": dev, "fn": fn, "model": f"qemu:{model}"}
            if model == "pcie-root-port" and self.rng.random() < 0.3:
                port["acs"] = False
            found.append({**port, "devices": self.below()})
        return found

    def below(self) -> Devices:
        kind = self.rng.choice(("endpoints", "endpoints", "switch", "bridge", "nothing"))
        if kind == "switch" and self.ports > 0:
            downs = []
            for dev in sorted(self.rng.sample(range(32), self.rng.randint(1, 3))):
                self.ports -= 1
                downs.append({"dev": dev, "model": "qemu:xio3130-downstream", "devices": self.below()})
            return [{"dev": 0, "model": "qemu:x3130-upstream", "devices": downs}]
        if kind == "bridge" and self.conventional:
            return [self.bridge(0, "pcie-pci-bridge")]
        return [] if kind == "nothing" else self.endpoints()

    def endpoints(self) -> Devices:
        """A slot of one function, or of several with gaps."""
        functions = [0]
        if self.rng.random() < 0.4:
            functions += sorted(self.rng.sample(range(1, 8), self.rng.randint(1, 2)))
        return [{"dev": 0, "fn": fn, "model": "qemu:qemu-xhci"} for fn in functions]

    def bridge(self, dev: int, model: str) -> dict[str, Any]:
        """A bridge with conventional functions; its slot 0 is its hot-plug controller's."""
        below: Devices = []
        for slot in sorted(self.rng.sample(range(1, 32), self.rng.randint(0, 3))):
            if self.rng.random() < 0.2 and self.ports > 0:
                self.ports -= 1
                below.append(self.bridge(slot, "pci-bridge"))
            else:
                below.append({"dev": slot, "model": f"qemu:{self.rng.choice(('pci-testdev', 'edu'))}"})
        return {"dev": dev, "model": f"qemu:{model}", "devices": below}
