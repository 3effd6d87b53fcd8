"""The scan of one host bridge: slots, ARI, bus numbers, in Linux's order (linux.md §4.2, §4.5-4.6).

A bus is probed whole, slot by slot, before any bridge on it is descended. Bridges that firmware has
numbered keep their numbers unless all are to be given anew; the others are numbered after them,
depth first. Nothing checks the root's range: buses beyond it get numbers and nothing answers there.

A bus that several bridges lead to is scanned again for each (`probe.c:pci_scan_bridge_extend`): what is found
then belongs to the bus as it was made first. Bus numbers are eight bits wide for the search of a bus that
exists and for its registers, and wider where they are counted: bus 0x100 is bus 0 again.
"""

from __future__ import annotations

from typing import Literal

from rootplex.formats.pci import CAM_BUS, ECAM_BUS, Capability
from rootplex.simulator.function import ROOT_PORT, Bus, Function
from rootplex.simulator.linux import capabilities, known_by_id, probe, trust
from rootplex.simulator.linux.access import Accessor, MappedAccess, WideAccess
from rootplex.simulator.linux.kernel import Kernel
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.simulator.linux.state import Event

BUS_NUMBERS, SUBORDINATE = 0x18, 0x1A
CARDBUS_RESERVE = 3
PCI_BRIDGE, EVENT_COLLECTOR = 0x0604, 0x080700
"""The classes that `pcieport` asks for (portdrv.c: `port_pci_ids`), the first with any interface."""


UINT = 0xFFFF_FFFF
"""The kernel counts buses in unsigned integers of 32 bits, which go around."""

MOST_SCANS = 4096
"""So many buses are scanned at most, again or not: bridges that all lead to one bus, on bus after bus, would
keep the kernel busy for years."""


class EndlessScanError(Exception):
    """A scan that does not come to an end; the kernel's stack does. `bridge` leads to the bus that is scanned
    for ever, `number` is what it is called there (beyond 0xff: it went around)."""

    def __init__(self, bridge: Function, number: int) -> None:
        super().__init__(bridge, number)
        self.bridge = bridge
        self.number = number


class Scan:
    """Scans one root bridge that is up. The bridge's functions go into the kernel's state."""

    def __init__(self, kernel: Kernel, root: RootBridge, access: Accessor) -> None:
        assert root.segment is not None
        self.kernel = kernel
        self.root = root
        self.access = access
        self.segment = root.segment
        self._open: set[Bus] = set()
        self._scans = 0

    def run(self) -> Bus:
        """Scan everything; the root bus. EndlessScanError where the kernel never returns."""
        root = self.root
        bus = Bus(
            root.index,
            self.segment,
            root.first_bus,
            root.last_bus,
            extended=self.access.extended,
            start=root.first_bus,
        )
        self.add_bus(bus)
        self._scan_child(bus, 0)
        return bus

    # Slots (§4.2)

    def _scan_bus(self, bus: Bus) -> None:
        link = bus.bridge is not None and bus.bridge.pcie_type in probe.PORT_BELOW
        for dev in range(1 if link and not self.kernel.options.scan_all else 32):
            self._scan_slot(bus, dev << 3)

    def _scan_slot(self, bus: Bus, first: int) -> None:
        bridge = bus.bridge
        fn = 0
        while True:
            function = bus.at(first + fn) or self._scan_function(bus, first + fn)
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
        access = self._access(function.bus)
        return access.read(function.bus.number, function.devfn, function.ari_capability + 4, 2) >> 8

    def _scan_function(self, bus: Bus, devfn: int) -> Function | None:
        access = self._access(bus)
        id = probe.identity(access, bus.number, devfn)
        if id is None:
            return None
        page = access.page(bus.number, devfn) or ""
        function = probe.set_up(access, bus, devfn, id, bus.root, page)
        if function is not None:
            self.add(function, "device-added")
        return function

    def _access(self, bus: Bus) -> Accessor:
        """How a bus is reached: another root bridge's, where a bridge of this one leads to it."""
        return self.access if bus.root == self.root.index else self.kernel.accessors[bus.root]

    def add(self, function: Function, kind: Literal["device-added", "virtual-added"]) -> None:
        """Capabilities, then the bus's list, then everyone is told (§4.6)."""
        bus, access = function.bus, self._access(function.bus)
        root = self.kernel.state.root_bridges[bus.root]
        known_by_id.apply(self.kernel, access, function)
        self._trust(function, root)
        # A kernel that switches ACS on when it finds a device does not know yet that the port faces outward.
        blocks = function.untrusted or (function.external_facing and self.kernel.profile.acs_dt == "all")
        probe.extended_capabilities(
            access, function, self.kernel.acs, self.kernel.options, blocks_translation=blocks
        )
        bus.functions.append(function)
        state = self.kernel.state
        state.functions.append(function)
        result = self.kernel.registration.device_added(function, root, access)
        state.events.append(Event(kind, root.index, bus, function, result))

    def _trust(self, function: Function, root: RootBridge) -> None:
        """Note what firmware says of the port, and on x86 what comes of it for what is behind. ACPI's word
        counts for root ports alone, a device tree's for every bridge (`of.c:pci_set_bus_of_node`)."""
        by_acpi = self.kernel.settings.firmware == "acpi"
        can = function.pcie_type == ROOT_PORT if by_acpi else function.is_bridge
        function.external_facing = can and trust.way_to(function) in root.external_facing
        function.tunnels = trust.tunnels(function, root.tunnels)
        function.untrusted = self.kernel.settings.arch == "x86_64" and trust.is_untrusted(function)

    # Buses (§4.5)

    def add_bus(self, bus: Bus) -> None:
        """A bus comes to be: it is known to the kernel and, on 32 bits, mapped."""
        self.kernel.buses[self.segment, bus.number] = bus
        self.kernel.state.buses.append(bus)
        if bus.parent is not None:
            bus.parent.children.append(bus)
        self._map(bus)
        self.kernel.state.events.append(Event("bus-added", bus.root, bus, bus.bridge))

    def _map(self, bus: Bus) -> None:
        """A 32-bit kernel maps configuration space bus by bus (§1.6)."""
        access = self._access(bus)
        mapped = access.inner if isinstance(access, WideAccess) else access
        if not isinstance(mapped, MappedAccess):
            return
        if not self.kernel.map_bus(ECAM_BUS if mapped.extended else CAM_BUS):
            mapped.leave_unmapped(bus.number)

    def _bus_below(self, bridge: Function, start: int, last: int, primary: int) -> Bus:
        """The bus of a number, made below a bridge if there is none yet in the segment."""
        bus, number = bridge.bus, start & 0xFF
        child = self.kernel.buses.get((self.segment, number))
        if child is None:
            extended = probe.carries_extended(self._access(bus), bridge)
            child = Bus(bus.root, self.segment, number, last, bridge, bus, extended=extended)
            child.start, child.primary = start, primary
            child.inserted = _is_free(bus, start, last)
            self.add_bus(child)
            bridge.child_bus = child
        return child

    def _scan_child(self, bus: Bus, available: int) -> int:
        """Scan a bus and all below (`pci_scan_child_bus_extend`); the highest bus number in use.
        `available`: bus numbers that hot-plug bridges below may share."""
        self._open.add(bus)
        self._scan_bus(bus)
        used = vf_buses(bus) & UINT
        highest = (bus.start + used) & UINT
        bridges = [function for function in bus.functions if function.header in (1, 2)]
        hotplug = sum(function.hotplug for function in bridges)
        for bridge in bridges:
            before = highest
            highest = self._bridge(bridge, highest, 0, first_pass=True)
            used = (used + 1 + _beyond_one(highest, before)) & UINT
        for bridge in bridges:
            share = 0
            if not hotplug and len(bridges) == 1:
                share = available
            elif bridge.hotplug:
                share = min(available // hotplug, (available - used + 1) & UINT)
            before = highest
            highest = self._bridge(bridge, highest, share, first_pass=False)
            used = (used + _beyond_one(highest, before)) & UINT
        if bus.bridge is not None and bus.bridge.hotplug:
            used = max(available, (self.kernel.options.hotplug_buses - 1) & UINT)
            if (highest - bus.start) & UINT < used:
                highest = min((bus.start + used) & UINT, bus.last)
        self._open.discard(bus)
        return highest

    def _bridge(self, bridge: Function, highest: int, available: int, *, first_pass: bool) -> int:
        """One bridge in one pass (`pci_scan_bridge_extend`); the highest bus number after it."""
        bus, devfn = bridge.bus, bridge.devfn
        number, access = bus.number, self._access(bridge.bus)
        value = access.read(number, devfn, BUS_NUMBERS, 4)
        primary, secondary, subordinate = value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF
        if not primary and number and secondary and subordinate:
            primary = number
        broken = first_pass and (primary != number or secondary <= number or secondary > subordinate)
        anew = self.root.reassign
        cardbus = bridge.header == 2
        if (secondary or subordinate) and not (anew or broken or cardbus):
            if not first_pass:
                return highest
            child = self._bus_below(bridge, secondary, subordinate, primary)
            bridge.secondary, bridge.subordinate = secondary, subordinate
            self._scan_below(bridge, child, secondary, subordinate - secondary)
            return max(highest, subordinate)
        if first_pass:
            if anew or broken or cardbus:
                access.write(number, devfn, BUS_NUMBERS, 4, value & 0xFF000000)
            return highest
        fixed = self._fixed_buses(bridge)
        first = fixed[0] if fixed is not None else highest + 1
        child = self._bus_below(bridge, first, bus.last, bus.start & 0xFF)
        numbers = child.primary | (child.start & 0xFF) << 8 | (child.last & 0xFF) << 16
        access.write(number, devfn, BUS_NUMBERS, 4, value & 0xFF000000 | numbers)
        bridge.secondary, bridge.subordinate = child.start & 0xFF, child.last & 0xFF
        if cardbus:
            last = first + CARDBUS_RESERVE
        else:
            last = self._scan_below(bridge, child, first, max(available - 1, 0))
        if fixed is not None:
            last = fixed[1]
        _end_at(child, last)
        bridge.subordinate = last & 0xFF
        access.write(number, devfn, SUBORDINATE, 1, last & 0xFF)
        return last

    def _scan_below(self, bridge: Function, bus: Bus, number: int, available: int) -> int:
        """Scan the bus that a bridge leads to, by the number that it is called there. One that is being
        scanned is so for ever: all bridges on the way to here get their numbers again, and this one too."""
        self._scans += 1
        if bus in self._open or self._scans > MOST_SCANS:
            raise EndlessScanError(bridge, number)
        return self._scan_child(bus, available)

    def _fixed_buses(self, bridge: Function) -> tuple[int, int] | None:
        """(secondary, subordinate) that an Enhanced Allocation capability fixes, if one does."""
        if bridge.header != 1:
            return None
        number, devfn, access = bridge.bus.number, bridge.devfn, self._access(bridge.bus)
        offset = capabilities.standard(access, number, devfn, 1).get(Capability.ENHANCED_ALLOCATION)
        if offset is None:
            return None
        buses = access.read(number, devfn, offset + 4, 4)
        secondary, subordinate = buses & 0xFF, buses >> 8 & 0xFF
        return (secondary, subordinate) if 0 < secondary <= subordinate else None


def _beyond_one(highest: int, before: int) -> int:
    """How many buses more than the one that is counted already a bridge has taken."""
    gained = (highest - before) & UINT
    return gained - 1 if gained > 1 else 0


def _is_free(parent: Bus, first: int, last: int) -> bool:
    """Whether numbers can be a child's own: within the parent's, none of them a sister's."""
    if not parent.start <= first <= last <= parent.last:
        return False
    return not any(
        other.inserted and first <= other.last and other.start <= last for other in parent.children
    )


def _end_at(bus: Bus, last: int) -> None:
    """Move the end of a bus's numbers (`pci_bus_update_busn_res_end`): not beyond the parent's or a sister's
    where they are its own."""
    if bus.start > last:
        return
    if bus.inserted and bus.parent is not None:
        others = (other for other in bus.parent.children if other is not bus and other.inserted)
        taken = any(bus.start <= other.last and other.start <= last for other in others)
        if last > bus.parent.last or taken:
            return
    bus.last = last


def vf_buses(bus: Bus) -> int:
    """How many bus numbers behind its own the VFs on a bus may need (`pci_iov_bus_range`)."""
    last = max((pf.sriov.reserve for pf in bus.functions if pf.sriov is not None), default=0)
    return last - bus.number if last else 0


def binds_driver(functions: list[Function]) -> bool:
    """Whether a driver that is registered while host bridges are scanned asks for one of these functions:
    `pcieport` does, by class, also for bridges that it then refuses. `nvme` comes later (seen in boots)."""
    return any(each.class_code >> 8 == PCI_BRIDGE or each.class_code == EVENT_COLLECTOR for each in functions)
