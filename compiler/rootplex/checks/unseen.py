"""Devices of the description that no kernel looks for: Linux's scan passes over them (linux.md §4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.model.virtual import device_of
from rootplex.simulator.linux.command_line import pci_options

LINK_ABOVE = frozenset({"root-port", "downstream-port", "pci-to-pcie-bridge"})
"""Types below which Linux asks for device 0 alone (`pcie_downstream_port`), unless its command line says
`pci=pcie_scan_all`."""


class UnseenSlot(Struct, frozen=True):
    """Functions of one slot that are not looked for, with the port above (None: the first bus), and
    all that is below them. `empty`: the described function 0 that is not present, if there is one."""

    why: Literal["function-zero", "device-number"]
    bridge: HostBridge
    port: Device | None
    functions: tuple[Device, ...]
    empty: Device | None = None

    @property
    def devices(self) -> tuple[Device, ...]:
        """All present devices that stay unseen."""
        return tuple(each for function in self.functions for each in function.walk())


def unseen_slots(platform: Platform) -> Iterator[UnseenSlot]:
    """The slots of enabled bridges that a scan passes over, from the first bus down."""
    all_devices = pci_options(platform.bootargs, arch=platform.arch, config_acs=True).scan_all
    links = frozenset[str]() if all_devices else LINK_ABOVE
    for bridge in platform.host_bridges:
        if bridge.enabled:
            yield from _on(bridge, None, bridge.devices, links)


def _on(
    bridge: HostBridge, port: Device | None, devices: Iterable[Device], links: frozenset[str]
) -> Iterator[UnseenSlot]:
    slots: dict[int, list[Device]] = {}
    for device in devices:
        slots.setdefault(device.dev, []).append(device)
    for number, slot in slots.items():
        present = tuple(device for device in slot if device.present)
        if not present:
            continue
        if number and port is not None and port.type in links:
            yield UnseenSlot("device-number", bridge, port, present)
            continue
        if all(device.fn for device in present):
            empty = next((device for device in slot if device.fn == 0), None)
            yield UnseenSlot("function-zero", bridge, port, present, empty)
            continue
        for device in present:
            yield from _on(bridge, device, device.devices, links)


def counted_on(platform: Platform, found: UnseenSlot) -> tuple[str, ...]:
    """What is hidden that somebody counts on: "the boot device disk", "nic, which guest router is
    to have"."""
    names = {device.name for device in found.devices if device.name}
    hurt = []
    if platform.boot is not None and device_of(platform.boot.device) in names:
        hurt.append(f"the boot device {platform.boot.device}")
    for guest in platform.xen.guests:
        wanted = (name for name in guest.devices if device_of(name) in names)
        hurt += [f"{name}, which guest {guest.name} is to have" for name in wanted]
    return tuple(hurt)
