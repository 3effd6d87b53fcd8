"""The scan of one host bridge: slots, ARI, bus numbers, in Linux's order (linux.md §4.2, §4.5-4.6).

A bus is probed whole, slot by slot, before any bridge on it is descended. Bridges that firmware has
numbered keep their numbers unless all are to be given anew; the others are numbered after them,
depth first. Nothing checks the root's range: buses beyond it get numbers and nothing answers there.
"""

from __future__ import annotations

from typing import Literal

from rootplex.simulator.function import Bus, Function
from rootplex.simulator.linux import capabilities, probe
from rootplex.simulator.linux.access import Accessor, MappedAccess, WideAccess
from rootplex.simulator.linux.kernel import CAM_BUS, ECAM_BUS, Kernel
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.simulator.linux.state import Event

BUS_NUMBERS, SUBORDINATE = 0x18, 0x1A
CARDBUS_RESERVE = 3
PCI_BRIDGE, EVENT_COLLECTOR = 0x0604, 0x080700
"""The classes that `pcieport` asks for (portdrv.c: `port_pci_ids`), the first with any interface."""


class Scan:
    """Scans one root bridge that is up. The bridge's functions go into the kernel's state."""

    def __init__(self, kernel: Kernel, root: RootBridge, access: Accessor) -> None:
        assert root.segment is not None
        self.kernel = kernel
        self.root = root
        self.access = access
        self.segment = root.segment
        self._highest: dict[Bus, int] = {}
        self._untrusted: set[Bus] = set()

    def run(self) -> Bus:
        """Scan everything; the root bus."""
        root = self.root
        bus = Bus(root.index, self.segment, root.first_bus, root.last_bus, extended=self.access.extended)
        self.add_bus(bus)
        self._scan_child(bus, 0)
        return bus

    # Slots (§4.2)

    def _scan_bus(self, bus: Bus) -> None:
        link = bus.bridge is not None and bus.bridge.pcie_type in probe.PORT_BELOW
        for dev in range(1 if link else 32):
            self._scan_slot(bus, dev << 3)

    def _scan_slot(self, bus: Bus, first: int) -> None:
        bridge = bus.bridge
        fn = 0
        while True:
            function = self._scan_function(bus, first + fn)
            if function is None and fn == 0:
                return
            if function is not None and fn:
                function.multifunction = True
            if bridge is not None and bridge.ari_forwarding:
                following = 0 if function is None else self._next_ari(function)
                if following <= fn:
                    return
                fn = following
            elif fn >= 7 or (function is not None and not function.multifunction):
                return
            else:
                fn += 1

    def _next_ari(self, function: Function) -> int:
        """ARI's next function number, 0 where there is none."""
        if not function.ari_capability:
            return 0
        number, devfn = function.bus.number, function.devfn
        return self.access.read(number, devfn, function.ari_capability + 4, 2) >> 8

    def _scan_function(self, bus: Bus, devfn: int) -> Function | None:
        id = probe.identity(self.access, bus.number, devfn)
        if id is None:
            return None
        function = probe.set_up(self.access, bus, devfn, id, self.root.index, self._page(bus, devfn))
        if function is None:
            place = f"{self.segment:04x}:{bus.number:02x}:{devfn >> 3:02x}.{devfn & 7}"
            self.kernel.state.log.append(f"{place}: unknown header type, ignoring device")
            return None
        self.add(function, "device-added")
        return function

    def _page(self, bus: Bus, devfn: int) -> str:
        return self.access.page(bus.number, devfn) or ""

    def add(self, function: Function, kind: Literal["device-added", "virtual-added"]) -> None:
        """Capabilities, then the bus's list, then everyone is told (§4.6)."""
        bus = function.bus
        image = self.kernel.hardware.functions.get(function.page)
        if image is not None:
            function.acs_quirk, function.aliases = image.acs_quirk, image.aliases
        probe.extended_capabilities(
            self.access, function, self.kernel.acs, blocking=self._faces_out(function)
        )
        bus.functions.append(function)
        state = self.kernel.state
        state.functions.append(function)
        result = self.kernel.registration.device_added(function, self.root, self.access)
        state.events.append(Event(kind, self.root.index, bus, function, result))

    def _faces_out(self, function: Function) -> bool:
        """Whether Translation Blocking is wanted: an external-facing port, or a device behind one."""
        if function.bus in self._untrusted:
            return True
        return function.bus.bridge is None and function.devfn in self.root.external_facing

    # Buses (§4.5)

    def add_bus(self, bus: Bus) -> None:
        """A bus comes to be: it is known to the kernel and, on 32 bits, mapped."""
        self.kernel.buses[self.segment, bus.number] = bus
        self.kernel.state.buses.append(bus)
        bridge = bus.bridge
        if bridge is not None and self._faces_out(bridge):
            self._untrusted.add(bus)
        self._map(bus)
        self.kernel.state.events.append(Event("bus-added", self.root.index, bus, bridge))

    def _map(self, bus: Bus) -> None:
        """A 32-bit kernel maps configuration space bus by bus (§1.6)."""
        mapped = self.access.inner if isinstance(self.access, WideAccess) else self.access
        if isinstance(mapped, MappedAccess) and not self.kernel.map_bus(
            ECAM_BUS if mapped.extended else CAM_BUS
        ):
            mapped.leave_unmapped(bus.number)
            reason = f"no address space left to map bus {bus.number:#04x}: nothing answers there"
            at = self.root.places.get("config", self.root.places["node"])
            self.root.remark("bus-not-mapped", reason, at)

    def _bus_below(self, bus: Bus, bridge: Function, number: int, last: int) -> Bus:
        """The bus of a number, made if there is none yet in the segment."""
        child = self.kernel.buses.get((self.segment, number))
        if child is None:
            extended = probe.carries_extended(self.access, bridge)
            child = Bus(self.root.index, self.segment, number, last, bridge, bus, extended=extended)
            self.add_bus(child)
        bridge.child_bus = child
        return child

    def _scan_child(self, bus: Bus, available: int) -> int:
        """Scan a bus and all below; the highest bus number in use. `available`: bus numbers that
        hot-plug bridges below may share. A bus that another bridge leads to as well has been
        scanned, or is being scanned, and has nothing new: it is not done again."""
        if bus in self._highest:
            return self._highest[bus]
        self._highest[bus] = bus.number
        self._scan_bus(bus)
        used = vf_buses(bus)
        highest = bus.number + used
        bridges = [function for function in bus.functions if function.header in (1, 2)]
        hotplug = sum(function.hotplug for function in bridges)
        for bridge in bridges:
            before = highest
            highest = self._bridge(bus, bridge, highest, 0, first_pass=True)
            used += 1 + max(highest - before - 1, 0)
        for bridge in bridges:
            share = 0
            if not hotplug and len(bridges) == 1:
                share = available
            elif bridge.hotplug:
                share = available // hotplug
                # Unsigned in the kernel: what is used up beyond the last one limits nothing.
                if available >= used - 1:
                    share = min(share, available - used + 1)
            before = highest
            highest = self._bridge(bus, bridge, highest, share, first_pass=False)
            used += max(highest - before - 1, 0)
        if bus.bridge is not None and bus.bridge.hotplug and highest - bus.number < available:
            highest = min(bus.number + available, bus.last)
        self._highest[bus] = highest
        return highest

    def _bridge(self, bus: Bus, bridge: Function, highest: int, available: int, *, first_pass: bool) -> int:
        """One bridge in one pass (`pci_scan_bridge_extend`); the highest bus number after it."""
        number, devfn = bus.number, bridge.devfn
        value = self.access.read(number, devfn, BUS_NUMBERS, 4)
        primary, secondary, subordinate = value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF
        if not primary and number and secondary and subordinate:
            primary = number
        broken = first_pass and (primary != number or secondary <= number or secondary > subordinate)
        anew = self.root.reassign
        cardbus = bridge.header == 2
        if (secondary or subordinate) and not (anew or broken or cardbus):
            if not first_pass:
                return highest
            child = self._bus_below(bus, bridge, secondary, subordinate)
            bridge.secondary, bridge.subordinate = secondary, subordinate
            self._scan_child(child, subordinate - secondary)
            return max(highest, subordinate)
        if first_pass:
            if anew or broken or cardbus:
                self.access.write(number, devfn, BUS_NUMBERS, 4, value & 0xFF000000)
            return highest
        fixed = self._fixed_buses(bridge)
        first = fixed[0] if fixed is not None else highest + 1
        child = self._bus_below(bus, bridge, first, bus.last)
        numbers = number & 0xFF | (first & 0xFF) << 8 | (bus.last & 0xFF) << 16
        self.access.write(number, devfn, BUS_NUMBERS, 4, value & 0xFF000000 | numbers)
        if cardbus:
            last = first + CARDBUS_RESERVE
        else:
            last = self._scan_child(child, max(available - 1, 0))
        if fixed is not None:
            last = fixed[1]
        if child.bridge is bridge:
            child.last = last
        bridge.secondary, bridge.subordinate = first, last
        self.access.write(number, devfn, SUBORDINATE, 1, last & 0xFF)
        if last > self.root.last_bus:
            self._beyond(bridge)
        return last

    def _fixed_buses(self, bridge: Function) -> tuple[int, int] | None:
        """(secondary, subordinate) that an Enhanced Allocation capability fixes, if one does."""
        if bridge.header != 1:
            return None
        number, devfn = bridge.bus.number, bridge.devfn
        offset = capabilities.standard(self.access, number, devfn, 1).get(capabilities.ENHANCED_ALLOCATION)
        if offset is None:
            return None
        buses = self.access.read(number, devfn, offset + 4, 4)
        secondary, subordinate = buses & 0xFF, buses >> 8 & 0xFF
        return (secondary, subordinate) if 0 < secondary <= subordinate else None

    def _beyond(self, bridge: Function) -> None:
        reason = (
            f"devices behind bridge {bridge.sbdf} are unusable: its buses reach {bridge.subordinate:#04x}"
        )
        at = self.root.places.get("bus_range", self.root.places["node"])
        self.root.remark("buses-beyond-range", reason, at)
        self.kernel.state.log.append(reason)


def vf_buses(bus: Bus) -> int:
    """How many bus numbers behind its own the VFs on a bus may need (`pci_iov_bus_range`)."""
    return max((pf.sriov.reserve - bus.number for pf in bus.functions if pf.sriov is not None), default=0)


def binds_driver(functions: list[Function]) -> bool:
    """Whether a driver that is registered while host bridges are scanned asks for one of these functions:
    `pcieport` does, by class, also for bridges that it then refuses. `nvme` comes later (seen in boots)."""
    return any(each.class_code >> 8 == PCI_BRIDGE or each.class_code == EVENT_COLLECTOR for each in functions)
