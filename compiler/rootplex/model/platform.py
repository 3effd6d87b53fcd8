"""The whole platform, and what is asked of it: boot, Xen, expectations, suppressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec.structs import replace

from rootplex.model.bridge import Firmware, HostBridge
from rootplex.model.controllers import InterruptController, Iommu, MsiController
from rootplex.model.device import Device
from rootplex.model.numbers import Region, Sbdf
from rootplex.model.part import Part

Arch: TypeAlias = Literal["arm64", "arm", "x86_64", "riscv64"]
Base: TypeAlias = Literal["none", "qemu-virt", "qemu-q35", "qemu-riscv-virt"]
Aia: TypeAlias = Literal["none", "aplic", "aplic-imsic"]
"""QEMU's interrupt controllers of a RISC-V machine: a PLIC, an APLIC, or one that sends messages."""
Placement: TypeAlias = Literal["mcfg", "segment-zero", "any"]


class Memory(Part, frozen=True, kw_only=True):
    """A stretch of RAM."""

    base: int
    size: int

    @property
    def region(self) -> Region:
        return Region(self.base, self.size)


class Boot(Part, frozen=True, kw_only=True):
    """The device (a name) that the platform boots from, and where it must sit."""

    device: str
    placement: Placement


class Dom0(Part, frozen=True, kw_only=True):
    """The first domain. `memory` and `vmalloc` in bytes, None: not said."""

    bits: Literal[32, 64]
    kernel: str
    firmware: Firmware
    memory: int | None
    probe_order: tuple[str, ...] | None
    registers: Literal["before-scan", "after-scan", "after-first-device"]
    lpae: bool
    vmalloc: int


class Guest(Part, frozen=True, kw_only=True):
    """A domain and the names of the devices that it is to be given."""

    name: str
    devices: tuple[str, ...]


class Xen(Part, frozen=True, kw_only=True):
    """Dom0 and the guests, with Xen's switches. Without a hypervisor `dom0` is Linux on bare metal, and the
    guests are its own. `pci_phantom`: (segment, bus, device, stride) of Xen's option of that name."""

    version: str
    discovery: Literal["dom0", "xen"]
    pci_passthrough: bool
    iommu: bool
    vpci: bool
    pci_phantom: tuple[tuple[int, int, int, int], ...]
    dom0: Dom0
    guests: tuple[Guest, ...]


class Expect(Part, frozen=True, kw_only=True):
    """What the author asserts. None: nothing is said about it."""

    addresses: tuple[tuple[str, Sbdf], ...] = ()
    segments: tuple[tuple[str, int], ...] = ()
    groups: tuple[tuple[str, ...], ...] | None = None
    isolated: tuple[str, ...] = ()
    shared: tuple[tuple[str, ...], ...] = ()
    boot: Sbdf | None = None
    findings: tuple[str, ...] = ()
    when: tuple[ExpectWhen, ...] = ()

    def of_boot(self, firmware: str, kernel: str) -> Expect:
        """What is asserted of a boot by a firmware with a kernel: each key that an entry of `when`
        writes in place of the general one, with its place."""
        found = self
        for each in self.when:
            if each.applies(firmware, kernel):
                written = {key for key in EXPECTATIONS if each.expect.wrote(key)}
                found = replace(
                    found,
                    places=found.places.replaced(written, each.expect.places),
                    **{key: getattr(each.expect, key) for key in written},
                )
        return found


EXPECTATIONS = ("addresses", "segments", "groups", "isolated", "shared", "boot", "findings")


class ExpectWhen(Part, frozen=True, kw_only=True):
    """What is asserted otherwise of boots by one firmware (None: either) or some kernels (None: any)."""

    firmware: Firmware | None
    kernels: tuple[str, ...] | None
    expect: Expect

    def applies(self, firmware: str, kernel: str) -> bool:
        return self.firmware in (None, firmware) and (self.kernels is None or kernel in self.kernels)


class Suppression(Part, frozen=True, kw_only=True):
    """A finding accepted on purpose: its code, the name of its subject, the reason."""

    code: str
    subject: str | None
    reason: str


class Platform(Part, frozen=True, kw_only=True):
    """One description, all defaults filled in. `file` is where it was read from; `hypervisor` is None on
    bare metal, `for_xen` whether the author speaks of Xen (key `xen`). `virtualization`: QEMU's machine has
    what a hypervisor needs to start."""

    file: str
    name: str
    title: str | None
    arch: Arch
    vendor: str | None
    model: str | None
    compatible: tuple[str, ...]
    firmware: tuple[Firmware, ...]
    base: Base
    aia: Aia = "none"
    virtualization: bool = False
    oem_id: str
    oem_table_id: str
    oem_revision: int
    bootargs: str | None
    console: str | None
    memory: tuple[Memory, ...]
    interrupt_controllers: tuple[InterruptController, ...]
    msi_controllers: tuple[MsiController, ...]
    iommus: tuple[Iommu, ...]
    host_bridges: tuple[HostBridge, ...]
    boot: Boot | None
    hypervisor: Literal["xen"] | None
    for_xen: bool = False
    xen: Xen
    expect: Expect
    suppress: tuple[Suppression, ...]

    def bridges_in(self, firmware: Firmware) -> tuple[HostBridge, ...]:
        """The host bridges as one firmware has them, disabled ones included, in file order."""
        seen = (bridge.as_seen_by(firmware) for bridge in self.host_bridges)
        return tuple(bridge for bridge in seen if bridge is not None)

    @property
    def units_named(self) -> frozenset[str]:
        """The IOMMUs that any host bridge names, by any firmware."""
        return frozenset(
            name
            for bridge in self.host_bridges
            for ids in bridge.iommu_maps
            for name in (ids.unit, *(entry.target for entry in ids.entries))
            if name  # none for the whole, where each entry of a map names its own
        )

    def controller(self, name: str) -> InterruptController | MsiController | Iommu | None:
        """The controller or IOMMU of that name."""
        for each in (*self.interrupt_controllers, *self.msi_controllers, *self.iommus):
            if each.name == name:
                return each
        return None

    def walk(self) -> Iterator[tuple[HostBridge, Device]]:
        """Every function with its host bridge, in file order."""
        for bridge in self.host_bridges:
            for device in bridge.walk():
                yield bridge, device

    def device(self, name: str) -> Device | None:
        """The device of that name."""
        return next((device for _, device in self.walk() if device.name == name), None)
