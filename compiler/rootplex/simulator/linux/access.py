"""Configuration accesses as Dom0's host bridge drivers make them (linux.md §1.6, §1.7, §1.13, §2.4).

An accessor turns (bus, devfn, register) into accesses at CPU addresses or ports, and every one of
those goes through the machine. What a driver knows not to be there reads all ones without an
access. A driver that knows of special hardware knows what the hardware image says of its bridge.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from rootplex.simulator.hardware.bridges import HardwareBridge
from rootplex.simulator.hardware.function import SIZE_MASK
from rootplex.simulator.hardware.machine import CONFIG_ADDRESS, CONFIG_DATA, PORT_ENABLE, Hardware
from rootplex.simulator.linux.hypervisor import Machine
from rootplex.simulator.linux.rootbridge import RootBridge

ECAM_SHIFT, CAM_SHIFT, PEM_SHIFT = 20, 16, 24


class Accessor(Protocol):
    """Configuration space of one host bridge. `page` names the hardware page behind a function,
    `extended` tells whether registers from 0x100 on can be reached at all."""

    @property
    def extended(self) -> bool: ...

    def read(self, bus: int, devfn: int, register: int, size: int) -> int: ...

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None: ...

    def page(self, bus: int, devfn: int) -> str | None: ...


class MappedAccess:
    """ECAM and CAM: one address a register (`pci_ecam_map_bus`). Buses outside first..last, and
    registers beyond a CAM's 256, have no address. `filter` names the device numbers on the first
    bus (None: all), `elsewhere` (bus, dev) → address of registers that lie in a block of their own,
    `unmapped` buses that a 32-bit kernel found no room to map."""

    def __init__(
        self, machine: Machine, hardware: Hardware, base: int, first: int, last: int, shift: int
    ) -> None:
        self._read = machine.read
        self._write = machine.write
        self._hardware = hardware
        self.base = base
        self.first = first
        # A bus number is 8 bits wide; a range beyond that has nothing in it.
        self.last = min(last, 0xFF)
        self.shift = shift
        self.extended = shift >= ECAM_SHIFT
        self.limit = 4096 if self.extended else 256
        self.filter: frozenset[int] | None = None
        self.elsewhere: dict[tuple[int, int], int] = {}
        self.hidden: set[tuple[int, int]] = set()
        self.unmapped: set[int] = set()
        self._special = False

    def know(self, filter: frozenset[int] | None = None, bridge: HardwareBridge | None = None) -> None:
        """Take what the driver knows: devices of the first bus, and the bridge's special cases."""
        self.filter = filter
        if bridge is not None:
            blocks = {block.name: block.base for block in bridge.image.registers}
            for case in bridge.image.special:
                if case.behaviour == "elsewhere" and case.register in blocks:
                    self.elsewhere[case.bus, case.dev] = blocks[case.register]
                elif case.behaviour in ("hidden", "all-ones"):
                    self.hidden.add((case.bus, case.dev))
        self._special = bool(self.filter is not None or self.elsewhere or self.hidden)

    def leave_unmapped(self, bus: int) -> None:
        self.unmapped.add(bus)
        self._special = True

    def address(self, bus: int, devfn: int, register: int) -> int | None:
        """The CPU address of a register, or None where this driver has none for it."""
        if not self.first <= bus <= self.last or register >= self.limit:
            return None
        if self._special:
            if bus in self.unmapped or (bus, devfn >> 3) in self.hidden:
                return None
            if self.filter is not None and bus == self.first and devfn >> 3 not in self.filter:
                return None
            block = self.elsewhere.get((bus, devfn >> 3))
            if block is not None:
                return block + ((devfn & 7) << 12) + register
        return self.base + (bus - self.first << self.shift) + (devfn << self.shift - 8) + register

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        if self.first <= bus <= self.last and register < self.limit and not self._special:
            shift = self.shift
            return self._read(self.base + (bus - self.first << shift) + (devfn << shift - 8) + register, size)
        address = self.address(bus, devfn, register)
        return SIZE_MASK[size] if address is None else self._read(address, size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        address = self.address(bus, devfn, register)
        if address is not None:
            self._write(address, size, value)

    def page(self, bus: int, devfn: int) -> str | None:
        address = self.address(bus, devfn, 0)
        return None if address is None else self._hardware.page_at_address(address)


class WindowedAccess:
    """An index and a data register at `base`: the driver of a bridge that is not ECAM."""

    extended = True

    def __init__(self, machine: Machine, hardware: Hardware, bridge: HardwareBridge, base: int) -> None:
        self._machine = machine
        self._hardware = hardware
        self._bridge = bridge.image.id
        self.base = base
        self.first, self.last = bridge.image.first_bus, bridge.image.last_bus

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        if not self.first <= bus <= self.last:
            return SIZE_MASK[size]
        self._machine.write(self.base, 4, bus << 20 | devfn << 12 | register & 0xFFC)
        return self._machine.read(self.base + 4 + (register & 3), size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        if self.first <= bus <= self.last:
            self._machine.write(self.base, 4, bus << 20 | devfn << 12 | register & 0xFFC)
            self._machine.write(self.base + 4 + (register & 3), size, value)

    def page(self, bus: int, devfn: int) -> str | None:
        return self._hardware.page_at(self._bridge, bus, devfn)


class PortAccess:
    """x86: ports for segment 0 below register 256, else ECAM; without either, all ones
    (`arch/x86/pci/common.c:raw_pci_read`)."""

    def __init__(
        self, machine: Machine, hardware: Hardware, segment: int, ecam: MappedAccess | None, last: int
    ) -> None:
        self._machine = machine
        self._hardware = hardware
        self._ports = segment == 0
        self.ecam = ecam
        self.last = last
        self.extended = ecam is not None

    def _select(self, bus: int, devfn: int, register: int) -> int:
        address = PORT_ENABLE | bus << 16 | devfn << 8 | register & 0xFC
        self._machine.port_write(CONFIG_ADDRESS, 4, address)
        return CONFIG_DATA + (register & 3)

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        if self._ports and register < 256 and bus < 256:
            return self._machine.port_read(self._select(bus, devfn, register), size)
        return SIZE_MASK[size] if self.ecam is None else self.ecam.read(bus, devfn, register, size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        if self._ports and register < 256 and bus < 256:
            self._machine.port_write(self._select(bus, devfn, register), size, value)
        elif self.ecam is not None:
            self.ecam.write(bus, devfn, register, size, value)

    def page(self, bus: int, devfn: int) -> str | None:
        if not self._ports:
            return None if self.ecam is None else self.ecam.page(bus, devfn)
        bridge = self._hardware.port_bridge(bus)
        return None if bridge is None else self._hardware.page_at(bridge.image.id, bus, devfn)


class WideAccess(Struct):
    """A driver for a bridge that takes 32-bit accesses only (`pci_generic_config_read32`): reads
    extract from the aligned dword, smaller writes are read-modify-write, which can lose
    write-1-to-clear bits next to them. `root_bus` limits it to one bus."""

    inner: Accessor
    wide_reads: bool
    wide_writes: bool
    root_bus: int | None = None

    @property
    def extended(self) -> bool:
        return self.inner.extended

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        if size == 4 or not self.wide_reads or self.root_bus not in (None, bus):
            return self.inner.read(bus, devfn, register, size)
        value = self.inner.read(bus, devfn, register & ~3, 4)
        return value >> ((register & 3) << 3) & SIZE_MASK[size]

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        if size == 4 or not self.wide_writes or self.root_bus not in (None, bus):
            self.inner.write(bus, devfn, register, size, value)
            return
        shift = (register & 3) << 3
        lanes = SIZE_MASK[size] << shift
        whole = self.inner.read(bus, devfn, register & ~3, 4)
        self.inner.write(bus, devfn, register & ~3, 4, whole & ~lanes | value << shift & lanes)

    def page(self, bus: int, devfn: int) -> str | None:
        return self.inner.page(bus, devfn)


FIRST_BUS_DEVICE_0 = frozenset((0,))

# MCFG quirk accessors (§2.4) that restrict sizes: wide reads, wide writes, on the root bus only.
_WIDE_ACCESSORS: dict[str, tuple[bool, bool, bool]] = {
    "32b": (True, True, False),
    "32b-read": (True, False, False),
    "hisi": (True, True, True),
    "xgene": (True, True, False),
    "thunder-pem": (True, True, True),
}


def accessor(root: RootBridge, machine: Machine, hardware: Hardware, *, ports: bool = True) -> Accessor:
    """The accessor of a root bridge that is up. `ports`: whether an x86 kernel has its configuration ports.

    A `generic` driver makes plain accesses whatever the hardware is. Any other driver is one for
    this hardware: it knows the bridge's sizes and special cases, if its registers are where the
    hardware has a bridge.
    """
    config = root.config
    assert config is not None
    bridge = hardware.bridge_at(config.base)
    if config.kind == "windowed" and bridge is not None:
        return _by_sizes(_windowed(root, machine, hardware, bridge), bridge)
    if config.kind == "ports":
        return PortAccess(machine, hardware, root.segment or 0, None, root.last_bus)
    shift = CAM_SHIFT if config.kind == "cam" else ECAM_SHIFT
    if config.accessor == "thunder-pem":
        shift = PEM_SHIFT
    mapped = MappedAccess(machine, hardware, config.base, root.first_bus, root.effective_end, shift)
    if config.accessor == "x86":
        return PortAccess(machine, hardware, root.segment or 0, mapped, root.last_bus) if ports else mapped
    if config.accessor == "generic":
        return mapped
    if config.accessor == "dw-ecam":
        mapped.know(FIRST_BUS_DEVICE_0)
        return mapped
    mapped.know(bridge=bridge)
    wide = _WIDE_ACCESSORS.get(config.accessor)
    if wide is not None:
        return WideAccess(mapped, wide[0], wide[1], root.first_bus if wide[2] else None)
    return mapped if bridge is None else _by_sizes(mapped, bridge)


def _windowed(root: RootBridge, machine: Machine, hardware: Hardware, bridge: HardwareBridge) -> Accessor:
    """A driver that moves a window: by the hardware's index and data registers, or over the ECAM
    that the hardware has behind that window."""
    image = bridge.image
    if image.kind == "windowed":
        return WindowedAccess(machine, hardware, bridge, image.base)
    shift = CAM_SHIFT if image.kind == "cam" else ECAM_SHIFT
    mapped = MappedAccess(machine, hardware, image.base, image.first_bus, image.last_bus, shift)
    mapped.know(bridge=bridge)
    return mapped


def _by_sizes(inner: Accessor, bridge: HardwareBridge) -> Accessor:
    """The driver's answer to a bridge that takes 32-bit accesses only, there or on its first bus."""
    image = bridge.image
    if not {1, 2} <= set(image.sizes):
        return WideAccess(inner, True, True)
    if image.sizes_root_bus is not None and not {1, 2} <= set(image.sizes_root_bus):
        return WideAccess(inner, True, True, image.first_bus)
    return inner
