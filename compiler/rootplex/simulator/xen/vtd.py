"""Intel VT-d: which unit a device is behind, and what its driver answers (`drivers/passthrough/vtd`)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.readers.acpi.dmar import DeviceScope, Dmar
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.create import Function, is_present, kind_of
from rootplex.simulator.xen.records import DOM0, DOMID_IO, Kind, Record, upstream_bridge

ENDPOINT, BRIDGE, IOAPIC, HPET = 1, 2, 3, 4
"""Types of a DMAR device scope that Xen knows."""
HEADER_BRIDGE = 1
IOAPIC_OF_Q35 = 0xFF00
"""Its requester id, ff:00.0."""


class Scope(Struct, frozen=True, eq=False):
    """`dmar_scope`: functions by rid, and whole buses."""

    devices: tuple[int, ...] = ()
    buses: frozenset[int] = frozenset()


class Drhd(Struct, frozen=True, eq=False):
    """One DRHD: what it names, or with `include_all` whatever of its segment no other unit names."""

    segment: int
    scope: Scope
    include_all: bool = False


class Region(Struct, frozen=True, eq=False):
    """One RMRR, and the rids of the functions that use it."""

    segment: int
    devices: tuple[int, ...]


class VtdIommu(Struct):
    """The driver's state. `units` in the order of search; `contexts`: (unit, rid) → the domain whose
    tables the context entry has. Domain ids of its own that a small unit runs out of are not modelled."""

    core: Core
    units: tuple[Drhd, ...]
    regions: tuple[Region, ...] = ()
    contexts: dict[tuple[Drhd, int], int] = field(default_factory=dict)
    relists: bool = False

    def unit_of(self, record: Record) -> Drhd | None:
        """`acpi_find_matched_drhd_unit`: a VF is found by its PF, an extended function as function 0
        of its bus, and so is a VF of such a PF."""
        rid = record.physfn_rid if record.virtfn else record.rid
        if record.extfn:
            rid &= 0xFF00
        everything = None
        for unit in self.units:
            if unit.segment != record.segment:
                continue
            if rid in unit.scope.devices or rid >> 8 in unit.scope.buses:
                return unit
            if unit.include_all:
                everything = unit
        return everything

    def gives(self, error: int) -> bool:
        return not error

    def add(self, record: Record, devfn: int) -> int:
        """`domain_context_mapping` for Dom0: see `_map`."""
        return self._map(record, DOM0 if record.owner is None else record.owner, devfn)

    def remove(self, record: Record, devfn: int) -> int:
        """`domain_context_unmap`: see `_unmap`."""
        if error := self._unmap(record, devfn):
            return error
        record.quarantine_tables = False
        return 0

    def quarantine(self, record: Record) -> int:
        """`intel_iommu_quarantine_init`: -ENODEV without a unit, whatever kind of device it is. Tables
        of its own are made only for one with a reserved region."""
        if self.unit_of(record) is None:
            return -Errno.ENODEV
        record.quarantine_tables = self._has_region(record, record.devfn)
        return 0

    def assign(self, record: Record, domain: int, devfn: int, relaxed: bool) -> int:
        """-ENODEV (no units at all), -EPERM (a reserved region that is shared, unless relaxed; a host
        bridge for a guest), and what `_map` has."""
        if not self.units:
            return -Errno.ENODEV
        if not relaxed and self._shares_region(record, devfn):
            return -Errno.EPERM
        return self.reassign(record, domain, devfn)

    def reassign(self, record: Record, domain: int, devfn: int) -> int:
        """`reassign_device_ownership`: into quarantine without tables of its own is an unmapping."""
        if domain == DOMID_IO and not record.quarantine_tables:
            return self._unmap(record, devfn)
        return self._map(record, domain, devfn)

    def group(self, segment: int, bus: int, devfn: int) -> int | None:
        """The topmost conventional bridge above, else the device itself; -ENODEV for a loop."""
        reached = upstream_bridge(self.core.records, segment, bus, devfn)
        return -Errno.ENODEV if reached is None else reached[0] << 8 | reached[1]

    def _map(self, record: Record, domain: int, devfn: int) -> int:
        """`domain_context_mapping`: 0; -EPERM (a guest's host bridge); -ENODEV (no unit); -ENXIO (a loop
        in the bus table); -EOPNOTSUPP (a reserved region behind a conventional bridge, with another
        domain); -EINVAL (a PCI-to-PCIe bridge, or a function of unknown type). Bridges are skipped."""
        unit = self.unit_of(record)
        match record.kind:
            case Kind.HOST_BRIDGE:
                return 0 if domain == DOM0 else -Errno.EPERM
            case Kind.PCIE_BRIDGE | Kind.PCIE_TO_PCI | Kind.LEGACY_BRIDGE:
                return 0
            case Kind.PCIE_ENDPOINT | Kind.PCI if unit is None:
                return -Errno.ENODEV
            case Kind.PCIE_ENDPOINT if unit is not None:
                self._set(unit, record.bus, devfn, domain)
                return 0
            case Kind.PCI if unit is not None:
                return self._map_conventional(unit, record, domain, devfn)
        return -Errno.EINVAL

    def _map_conventional(self, unit: Drhd, record: Record, domain: int, devfn: int) -> int:
        """What is behind a conventional bridge comes with the bridge's requester id, or with that of
        function 0 on its secondary bus."""
        before = self._set(unit, record.bus, devfn, domain)
        reached = upstream_bridge(self.core.records, record.segment, record.bus, devfn)
        error = 0
        if reached is None:
            error = -Errno.ENXIO
        elif reached[2] >= 0:
            bus, slot, secondary = reached
            if before is not None and self._has_region(record, record.devfn) and domain != record.owner:
                error = -Errno.EOPNOTSUPP
            else:
                self._set(unit, bus, slot, domain)
                if self._is_pcie_to_pci(record.segment, bus, slot):
                    self._set(unit, secondary, 0, domain)
        if error and before is None:
            self._unmap(record, devfn)
        elif error and record.owner is not None and record.owner != domain:
            self._map(record, record.owner, devfn)
        return error

    def _unmap(self, record: Record, devfn: int) -> int:
        """`domain_context_unmap`: -EPERM (a host bridge of another than Dom0), -ENODEV (no unit), -EINVAL
        (a kind that is never mapped). A loop in the bus table costs a guest its life, and is no error."""
        unit = self.unit_of(record)
        match record.kind:
            case Kind.HOST_BRIDGE:
                return 0 if record.owner == DOM0 else -Errno.EPERM
            case Kind.PCIE_BRIDGE | Kind.PCIE_TO_PCI | Kind.LEGACY_BRIDGE:
                return 0
            case Kind.PCIE_ENDPOINT | Kind.PCI if unit is None:
                return -Errno.ENODEV
            case Kind.PCIE_ENDPOINT | Kind.PCI if unit is not None:
                self.contexts.pop((unit, record.bus << 8 | devfn), None)
                if record.kind is Kind.PCI:
                    self._unmap_bridge(unit, record, devfn)
                return 0
        return -Errno.EINVAL

    def _unmap_bridge(self, unit: Drhd, record: Record, devfn: int) -> None:
        reached = upstream_bridge(self.core.records, record.segment, record.bus, devfn)
        if reached is None:
            owner = None if record.owner is None else self.core.domain(record.owner)
            if owner is not None and self.core.is_guest(owner.number):
                owner.crashed = True
        elif reached[2] >= 0:
            bus, slot, secondary = reached
            self.contexts.pop((unit, bus << 8 | slot), None)
            if self._is_pcie_to_pci(record.segment, bus, slot):
                self.contexts.pop((unit, secondary << 8), None)

    def _set(self, unit: Drhd, bus: int, devfn: int, domain: int) -> int | None:
        """Write a context entry: the domain that had it, None for none."""
        key = (unit, bus << 8 | devfn)
        before = self.contexts.get(key)
        self.contexts[key] = domain
        return before

    def _is_pcie_to_pci(self, segment: int, bus: int, devfn: int) -> bool:
        return kind_of(Function(self.core, segment, bus, devfn)) is Kind.PCIE_TO_PCI

    def _has_region(self, record: Record, devfn: int) -> bool:
        rid = record.bus << 8 | devfn
        return any(one.segment == record.segment and rid in one.devices for one in self.regions)

    def _shares_region(self, record: Record, devfn: int) -> bool:
        rid = record.bus << 8 | devfn
        return any(
            one.segment == record.segment and rid in one.devices and len(one.devices) > 1
            for one in self.regions
        )


def units_of(core: Core, dmar: Dmar) -> tuple[tuple[Drhd, ...], tuple[Region, ...]]:
    """`acpi_dmar_init`: the units as they are searched, the last registered first and one that includes
    all last; and the reserved regions, without those of which no device is there."""
    units: list[Drhd] = []
    for drhd in dmar.drhds:
        unit = Drhd(drhd.segment, _scope(core, drhd.segment, drhd.scopes), drhd.include_all)
        units.insert(len(units) if drhd.include_all else 0, unit)
    regions: list[Region] = []
    for rmrr in dmar.rmrrs:
        devices = _scope(core, rmrr.segment, rmrr.scopes).devices
        known = rmrr.segment in core.records.segments
        if devices and (not known or any(_is_there(core, rmrr.segment, rid) for rid in devices)):
            regions.insert(0, Region(rmrr.segment, devices))
    return tuple(units), tuple(regions)


def _is_there(core: Core, segment: int, rid: int) -> bool:
    return is_present(core, segment, rid >> 8, rid & 0xFF)


def _scope(core: Core, segment: int, scopes: tuple[DeviceScope, ...]) -> Scope:
    """`acpi_parse_dev_scope`: paths are followed, and the buses below a bridge taken, by the bus number
    registers of this moment."""
    devices: list[int] = []
    buses: set[int] = set()
    for scope in scopes:
        if scope.type not in (ENDPOINT, BRIDGE, IOAPIC, HPET) or not scope.path:
            continue
        bus = scope.start_bus
        for device, function in scope.path[:-1]:
            bus = core.access.read(segment, bus, device << 3 & 0xF8 | function & 7, 0x19, 1)
        device, function = scope.path[-1]
        devfn = device << 3 & 0xF8 | function & 7
        if scope.type == BRIDGE:
            buses.update(_below(core, segment, bus, devfn))
        devices.append(bus << 8 | devfn)
    return Scope(tuple(devices), frozenset(buses))


def _below(core: Core, segment: int, bus: int, devfn: int) -> range:
    """The buses below a bridge by its registers; none where the first is above the last."""
    secondary = core.access.read(segment, bus, devfn, 0x19, 1)
    return range(secondary, core.access.read(segment, bus, devfn, 0x1A, 1) + 1)


def assumed_units(core: Core) -> tuple[Drhd, ...]:
    """Where no DMAR is known: one unit a segment, as QEMU writes it for q35. It names every function of
    bus 0, and that of segment 0 the I/O APIC, which devices that are looked up as its function share."""
    return tuple(Drhd(segment, _first_bus(core, segment)) for segment in core.records.segments)


def _first_bus(core: Core, segment: int) -> Scope:
    devices = [IOAPIC_OF_Q35] if segment == 0 else []
    buses: set[int] = set()
    for devfn in present_on(core, segment, 0):
        devices.append(devfn)
        if core.access.read(segment, 0, devfn, 0x0E, 1) & 0x7F == HEADER_BRIDGE:
            buses.update(_below(core, segment, 0, devfn))
    return Scope(tuple(devices), frozenset(buses))


def present_on(core: Core, segment: int, bus: int) -> Iterator[int]:
    """The devfns of a bus that answer; of a device that is not multi-function only function 0."""
    for slot in range(32):
        if not is_present(core, segment, bus, slot << 3):
            continue
        many = core.access.read(segment, bus, slot << 3, 0x0E, 1) & 0x80
        for function in range(8 if many else 1):
            if is_present(core, segment, bus, slot << 3 | function):
                yield slot << 3 | function
