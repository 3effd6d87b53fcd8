"""A platform with every device of the catalogue that QEMU 7.2 has, for the tests against a live QEMU."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.backends.catalogued import catalogued
from tests.backends.platforms import host_bridge, intx, platform
from tests.qtest_machine import Machine, machine, scan

from rootplex.backends.qemu import arguments, disks
from rootplex.known.reader import model, names
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Platform

PROGRAM = "qemu-system-aarch64"


def _models(*types: str, place: str | None = None) -> list[str]:
    """The models of these types that `-device` of QEMU 7.2 has, but for IOMMUs: a machine has one."""
    chosen = []
    for name in names():
        facts: Mapping[str, Any] = model(name)
        qemu = facts.get("qemu", {})
        if "device" in qemu and "since" not in qemu and facts["type"] in types and "iommu" not in name:
            chosen += [name] if place is None or qemu.get("place", place) == place else []
    return chosen


def zoo() -> Platform:
    """Two root buses: on the first every model somewhere, on the second a port with a disk."""
    slots = [*_models("endpoint", place="pcie-slot"), "qemu:x3130-upstream", "qemu:pcie-pci-bridge"]
    devices = [catalogued("qemu:gpex-root", 0, key="root"), catalogued("qemu:pxb-pcie", 1, key="pxb")]
    for n, name in enumerate(slots):
        below: tuple[Device, ...] = ()
        if name == "qemu:x3130-upstream":
            below = tuple(catalogued("qemu:xio3130-downstream", dev, key=f"down{dev}") for dev in (0, 3))
        if name == "qemu:pcie-pci-bridge":
            conventional = ("qemu:edu", "qemu:virtio-rng-pci-conventional", "qemu:pci-bridge")
            below = tuple(catalogued(each, n, key=f"pci{n}") for n, each in enumerate(conventional, start=1))
        inner = catalogued(name, key=f"slot{n}", devices=below)
        at = (2 + n // 8, n % 8)
        devices.append(
            catalogued("qemu:pcie-root-port", *at, key=f"port{n}", multifunction=True, devices=(inner,))
        )
    on_root = [*_models("pci"), *_models("root-port", "pci-bridge")]
    devices += [catalogued(name, 8 + n, key=f"root{n}") for n, name in enumerate(on_root)]
    devices.append(catalogued("qemu:pcie-root-port", 29, key="no-acs", acs=None, hotplug=False, slot=7))
    devices.append(catalogued("qemu:nvme", 30, key="integrated", type="integrated-endpoint"))
    disk = catalogued("qemu:nvme", key="disk", name="disk")
    port = catalogued("qemu:pcie-root-port", 2, key="port", slot=9, devices=(disk,))
    return platform(
        host_bridge(bus_range=BusRange(0, 0x7F), devices=tuple(devices)),
        host_bridge(name="second", bus_range=BusRange(0x80, 0xFF), intx=intx(swizzle=False), devices=(port,)),
    )


def described(value: Platform) -> dict[tuple[int, ...], tuple[HostBridge, Device]]:
    """Every function of a platform by (first bus, devfn, devfn, …)."""
    found: dict[tuple[int, ...], tuple[HostBridge, Device]] = {}

    def walk(bridge: HostBridge, devices: tuple[Device, ...], path: tuple[int, ...]) -> None:
        for each in devices:
            found[*path, each.devfn] = (bridge, each)
            walk(bridge, each.devices, (*path, each.devfn))

    for bridge in value.host_bridges:
        walk(bridge, bridge.devices, (bridge.bus_range.first,))
    return found


@contextmanager
def running(
    value: Platform, folder: Path
) -> Iterator[tuple[Machine, dict[tuple[int, ...], tuple[int, int, int]]]]:
    """A stopped QEMU with the platform's arguments, and what a scan of it finds."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")
    for name in disks(value):
        (folder / name).write_bytes(bytes(1 << 20))
    argv = arguments(value)[0].data.decode().splitlines()
    with machine([PROGRAM, *argv], folder=folder) as chip:
        yield chip, scan(chip, [bridge.bus_range.first for bridge in value.host_bridges])
