"""vPCI of a running Xen: which devices have it, and where an access to one goes (§5.1)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from rootplex.simulator.xen.access import ones
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.create import Function
from rootplex.simulator.xen.records import DOM0, DOMID_IO, DOMID_XEN, Record
from rootplex.simulator.xen.vpci.capabilities import Capabilities
from rootplex.simulator.xen.vpci.header import Area, Header
from rootplex.simulator.xen.vpci.interrupts import Msi, MsiX
from rootplex.simulator.xen.vpci.rebar import EXTENDED_ID as REBAR
from rootplex.simulator.xen.vpci.rebar import ResizableBars
from rootplex.simulator.xen.vpci.registers import Registers
from rootplex.simulator.xen.vpci.slots import Slots

BarCheck = Callable[[Record, int, int], bool]
"""Whether a host BAR's pages [start, end) may be mapped: on Arm inside one window of its bridge."""


class Device(Struct):
    """The emulation of one function for its owner."""

    registers: Registers
    header: Header
    capabilities: Capabilities


class Vpci(Struct):
    """vPCI of all domains that have it: Dom0, and on Arm the guests. `left`: pages of devices that are
    another domain's now, or nobody's, and that are still in the memory of the domain that had them."""

    core: Core
    bar_check: BarCheck
    devices: dict[Record, Device] = field(default_factory=dict)
    slots: dict[int, Slots] = field(default_factory=dict)
    left: list[tuple[int, Record, Area]] = field(default_factory=list)

    def attach(self, record: Record) -> int:
        """`vpci_assign_device`: 0; for a guest the errors of `Slots.give`; -EOPNOTSUPP for a header
        that is neither a device's nor a bridge's; -EEXIST for a list of capabilities that is a ring."""
        owner = record.owner
        if owner is None or owner in (DOMID_IO, DOMID_XEN) or (owner != DOM0 and self.core.x86):
            return 0
        guest = owner != DOM0
        if guest:
            given = self.slots.setdefault(owner, Slots()).give(record)
            if given < 0:
                return given
        function = Function(self.core, record.segment, record.bus, record.devfn)
        registers = Registers(None if guest else function)
        header = Header(
            registers,
            function,
            guest,
            lambda start, end: self.bar_check(record, start, end),
            lambda start, end: not end - 1 >> self.core.options.physical_bits,
            lambda kind: self.core.notice(kind, record.sbdf),
        )
        capabilities = Capabilities(registers, function, guest)
        device = self.devices[record] = Device(registers, header, capabilities)
        if error := header.set_up() or capabilities.set_up() or self._extend(record, device):
            self.detach(record)
            return error
        if self.core.x86:
            self._emulate_interrupts(record, function, header, capabilities)
        return 0

    def look_again(self, record: Record) -> None:
        """`vpci_reinit_ext_capabilities`: extended configuration space may have come or gone."""
        device = self.devices.get(record)
        if device is not None:
            self._extend(record, device)

    def _extend(self, record: Record, device: Device) -> int:
        capabilities = device.capabilities
        error = capabilities.set_up_extended(reached=record.extended)
        rebar = next((at for at, word in capabilities.headers.items() if word & 0xFFFF == REBAR), None)
        if rebar is not None and not capabilities.guest:
            ResizableBars(device.registers, capabilities.space, device.header, rebar).set_up()
        return error

    def _emulate_interrupts(
        self, record: Record, function: Function, header: Header, capabilities: Capabilities
    ) -> None:
        """MSI and MSI-X, where Xen manages them; a broken MSI-X is hidden."""
        if record.msi is not None:
            msi = Msi(header.registers, function, record.msi)
            msi.set_up()
            header.interrupts.append(msi)
        if record.msix is not None:
            msix = MsiX(header.registers, function, record.msix)
            if msix.set_up(header):
                self.core.notice("msix-hidden", record.sbdf)
                capabilities.hide(record.msix)
            else:
                header.interrupts.append(msix)

    def detach(self, record: Record) -> None:
        """`vpci_deassign_device`: emulation and virtual slot are gone. What is mapped is left."""
        device = self.devices.pop(record, None)
        if device is not None and record.owner is not None:
            self.left += [(record.owner, record, area) for area in device.header.mapped()]
        for slots in self.slots.values():
            slots.take_back(record)

    def _owned(self, segment: int, bus: int, devfn: int) -> Device | None:
        record = self.core.records.find(segment, bus, devfn)
        if record is None or record.owner not in (DOM0, DOMID_XEN):
            return None
        return self.devices.get(record)

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int:
        """Dom0's read: emulated for what it owns, else the hardware's through Xen's own routing."""
        device = self._owned(segment, bus, devfn)
        if device is None:
            return self.core.access.read(segment, bus, devfn, register, size)
        return device.registers.read(register, size)

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        device = self._owned(segment, bus, devfn)
        if device is None:
            self.core.access.write(segment, bus, devfn, register, size, value)
        else:
            device.registers.write(register, size, value)

    def guest_read(self, domain: int, devfn: int, register: int, size: int) -> int:
        """A guest's read on its virtual bus 0: all ones where it has no device."""
        device = self._guest_device(domain, devfn)
        return ones(size) if device is None else device.registers.read(register, size)

    def guest_write(self, domain: int, devfn: int, register: int, size: int, value: int) -> None:
        device = self._guest_device(domain, devfn)
        if device is None:
            return
        device.registers.write(register, size, value)
        known = self.core.domain(domain)
        if known is not None:
            known.crashed |= device.header.crashed

    def _guest_device(self, domain: int, devfn: int) -> Device | None:
        """`vpci_translate_virtual_device` walks the domain's list, in which memory that was freed is the end
        of Xen; of a release build chance decides, and the device is there still."""
        slots, known = self.slots.get(domain), self.core.domain(domain)
        wanted = None if slots is None else slots.find(0, 0, devfn)
        if known is None:
            return None
        listed = (record for record in self.core.devices_of(known) if record is wanted)
        record = next(listed, None)
        return None if record is None else self.devices.get(record)


class GuestPath(Struct, frozen=True):
    """Configuration space as one guest is shown it: its one segment has its devices on bus 0."""

    vpci: Vpci
    domain: int

    def read(self, segment: int, bus: int, devfn: int, register: int, size: int) -> int:
        return ones(size) if bus else self.vpci.guest_read(self.domain, devfn, register, size)

    def write(self, segment: int, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        if not bus:
            self.vpci.guest_write(self.domain, devfn, register, size, value)
