"""What Linux asks of the layer below it: the seam between Dom0 and Xen.

`Hypervisor` is everything Dom0 can do to the world: memory-mapped and port accesses (all of its
configuration accesses pass here, so this is where traps sit), and the hypercalls of
`drivers/xen/pci.c` with the host bridge registration of the 2017 design. Hypercalls answer 0 or a
negative errno. Without a hypervisor a kernel's accesses go to the `Machine`.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class MmcfgReserved(Struct, frozen=True, kw_only=True):
    """`PHYSDEVOP_pci_mmcfg_reserved`; `address` is the configuration space of bus 0."""

    address: int
    segment: int
    start_bus: int
    end_bus: int
    flags: int = 1


class DeviceAdd(Struct, frozen=True, kw_only=True):
    """`PHYSDEVOP_pci_device_add`. `physfn` is the (bus, devfn) of a VF's PF, `pxm` `_PXM`."""

    segment: int
    bus: int
    devfn: int
    extfn: bool = False
    virtfn: bool = False
    physfn: tuple[int, int] = (0, 0)
    pxm: int | None = None


class HostBridgeAdd(Struct, frozen=True, kw_only=True):
    """`pci_host_bridge_add` of the 2017 design. `base` is the configuration space of
    `start_bus` (`windowed`: of the register block), sizes in bytes."""

    segment: int
    start_bus: int
    end_bus: int
    kind: str
    base: int
    size: int


class ConfigAccesses(Protocol):
    """Configuration accesses the way Dom0's host bridge driver makes them. Xen has the accesses
    to a bridge that is not ECAM done through this (forwarding). Nothing there: all ones."""

    def read(self, bus: int, devfn: int, register: int, size: int) -> int: ...

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None: ...


class Machine(Protocol):
    """The hardware as a CPU sees it (`simulator.hardware.Hardware` is one)."""

    def read(self, address: int, size: int) -> int: ...

    def write(self, address: int, size: int, value: int) -> None: ...

    def port_read(self, port: int, size: int) -> int: ...

    def port_write(self, port: int, size: int, value: int) -> None: ...


class Hypervisor(Machine, Protocol):
    """The calls that a booting Dom0 makes.

    `read`/`write` take CPU physical addresses and sizes 1, 2, 4; they raise `BusError`
    (`simulator.hardware`) for what aborts in Dom0. `port_*` are x86 I/O ports.
    """

    def pci_mmcfg_reserved(self, call: MmcfgReserved) -> int: ...

    def pci_host_bridge_add(self, call: HostBridgeAdd, config: ConfigAccesses) -> int: ...

    def pci_device_add(self, call: DeviceAdd) -> int: ...

    def manage_pci_add(self, call: DeviceAdd) -> int:
        """`manage_pci_add` (plain) or `_ext` (VF or extended function): segment 0 only, used
        for good after `pci_device_add` once answered -ENOSYS."""
        ...
