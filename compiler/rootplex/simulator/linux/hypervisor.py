"""What Linux asks of the layer below it: the seam between Dom0 and Xen.

`Hypervisor` is everything Dom0 can do to the world: memory-mapped and port accesses (all of its
configuration accesses pass here, so this is where traps sit), and the hypercalls of
`drivers/xen/pci.c` with the host bridge registration of the 2017 design. Hypercalls answer 0 or a
negative errno. Without a hypervisor a kernel's accesses go to the `Machine`.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from rootplex.formats.hypercalls import Structure


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

    def hypercall(self, op: str, args: Structure) -> int: ...

    def pci_host_bridge_add(self, call: HostBridgeAdd, config: ConfigAccesses) -> int: ...
