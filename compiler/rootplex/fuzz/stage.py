"""One running Xen that is played on; what of the hardware a guest's accesses touch is written down."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.fuzz.ground import Ground
from rootplex.fuzz.steps import Access, Guest, Hypercall, Port, Register, Step, Switches
from rootplex.simulator.boots.run import xen_of
from rootplex.simulator.hardware import BusError, Hardware
from rootplex.simulator.linux.hypervisor import ConfigAccesses, HostBridgeAdd
from rootplex.simulator.xen.access import ones
from rootplex.simulator.xen.boot import Silence, Wiring, wiring_of
from rootplex.simulator.xen.core import Options
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.outcome import Stopped
from rootplex.simulator.xen.records import DOM0, Record

MOST_GUESTS = 6
"""Domains that are made in one play; further wishes are passed over."""
CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC

Answer: TypeAlias = int | str | tuple[int, ...]
"""A number, the kind of Xen's end, `abort` for a bus error in who asked, or the devices of a group."""


class Touch(Struct, frozen=True):
    """An access that came to the hardware: the page that had it, None where none did."""

    page: str | None
    register: int
    write: bool


class Watched:
    """The hardware, telling whom each access reached while `touches` is a list."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        self.touches: list[Touch] | None = None
        self._selected = 0

    def _note(self, page: str | None, register: int, write: bool) -> None:
        if self.touches is not None:
            self.touches.append(Touch(page, register, write))

    def read(self, address: int, size: int) -> int:
        self._note(self.hardware.page_at_address(address), address & 0xFFF, write=False)
        return self.hardware.read(address, size)

    def write(self, address: int, size: int, value: int) -> None:
        self._note(self.hardware.page_at_address(address), address & 0xFFF, write=True)
        self.hardware.write(address, size, value)

    def port_read(self, port: int, size: int) -> int:
        self._port(port, write=False)
        return self.hardware.port_read(port, size)

    def port_write(self, port: int, size: int, value: int) -> None:
        if port == CONFIG_ADDRESS and size == 4:
            self._selected = value
        self._port(port, write=True)
        self.hardware.port_write(port, size, value)

    def _port(self, port: int, write: bool) -> None:
        if self.touches is None or not CONFIG_DATA <= port < CONFIG_DATA + 4:
            return
        bus, devfn = self._selected >> 16 & 0xFF, self._selected >> 8 & 0xFF
        self._note(self.page(bus, devfn), self._selected & 0xFC | port & 3, write)

    def page(self, bus: int, devfn: int) -> str | None:
        """The page behind the ports at a bus and devfn."""
        bridge = self.hardware.port_bridge(bus)
        function = None if bridge is None else bridge.fabric.at(bus, devfn)
        return None if function is None else function.id

    def space(self, base: int) -> ConfigAccesses:
        """What a host bridge shows by its own means, watched as well."""
        found = self.hardware.bridge_at(base)
        return Silence() if found is None else _Space(self, base)


class _Space:
    def __init__(self, watched: Watched, base: int) -> None:
        found = watched.hardware.bridge_at(base)
        assert found is not None
        self._watched, self._bridge = watched, found

    def _page(self, bus: int, devfn: int) -> str | None:
        function = self._bridge.fabric.at(bus, devfn)
        return None if function is None else function.id

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        self._watched._note(self._page(bus, devfn), register, write=False)
        return self._bridge.read(bus, devfn, register, size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        self._watched._note(self._page(bus, devfn), register, write=True)
        self._bridge.write(bus, devfn, register, size, value)


class Stage:
    """A board with a Xen of its own on it. `touches` are what the last step of a guest reached."""

    def __init__(self, ground: Ground, switches: Switches) -> None:
        self.ground = ground
        self.hardware = ground.hardware()
        if switches.numbered:
            self.hardware.written = ground.numbered
        self.watched = Watched(self.hardware)
        self.touches: list[Touch] = []
        base = ground.settings
        settings = replace(
            base,
            xen=switches.xen,
            discovery=switches.discovery,
            vpci=switches.vpci,
            iommu=base.iommu if switches.iommu is None else switches.iommu and base.iommu,
            pci_passthrough=switches.passthrough,
        )
        wiring = Wiring(stream_bits=wiring_of(self.hardware).stream_bits, outbound=self.watched.space)
        options = Options(
            quarantine=switches.quarantine,
            reserved=tuple((each.base, each.size) for each in ground.configuration),
        )
        self.xen: Xen = xen_of(settings, self.watched, ground.dt, ground.acpi, wiring, options)

    @property
    def is_over(self) -> bool:
        """Whether Xen is down."""
        return self.xen.crash is not None

    @property
    def guests(self) -> list[int]:
        """The domains that were made."""
        return [number for number in self.xen.core.domains if 0 < number < 0x7FF0]

    def page_of(self, record: Record) -> str | None:
        """The page that stands at a device's address as Xen routes it."""
        if self.xen.core.x86:
            return self.watched.page(record.bus, record.devfn) if record.segment == 0 else None
        route = self.xen.core.routes.locate(record.segment, record.bus)
        if route is None:
            return None
        _, window = route
        if window.start <= record.bus and window.holds_address(
            at := window.address(record.bus, record.devfn, 0)
        ):
            return self.hardware.page_at_address(at)
        return None

    def do(self, step: Step) -> Answer:
        """Take a step; what whoever took it sees."""
        self.touches = []
        if isinstance(step, Access) and step.domain != DOM0:
            self.watched.touches = self.touches
        try:
            return self._done(step)
        except Stopped as stopped:
            return stopped.crash.kind
        except BusError:
            return "abort"
        finally:
            self.watched.touches = None

    def _done(self, step: Step) -> Answer:
        xen = self.xen
        match step:
            case Hypercall(op, args, caller):
                call = xen.call(op, args, caller)
                if call.crash is not None:
                    return call.crash.kind
                return call.devices if call.devices else call.result or 0
            case Register():
                names = ("segment", "start_bus", "end_bus", "kind", "base", "size")
                wish = HostBridgeAdd(**{name: getattr(step, name) for name in names})
                return xen.pci_host_bridge_add(wish, self.watched.space(step.base))
            case Guest(iommu):
                if len(self.guests) >= MOST_GUESTS:
                    return "enough"
                return xen.create_domain(f"guest{len(self.guests) + 1}", iommu=iommu)
            case Access(address, size, value, domain) if domain != DOM0:
                if value is None:
                    return xen.guest_read(domain, address, size)
                xen.guest_write(domain, address, size, value & ones(size))
            case Access(address, size, None):
                return xen.read(address, size)
            case Access(address, size, value):
                xen.write(address, size, (value or 0) & ones(size))
            case Port(port, size, None):
                return xen.port_read(port, size)
            case Port(port, size, value):
                xen.port_write(port, size, (value or 0) & ones(size))
        return 0
