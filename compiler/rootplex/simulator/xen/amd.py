"""AMD-Vi: what an IVRS says of each requester, and what its driver answers (`drivers/passthrough/amd`)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.formats.errno import Errno
from rootplex.readers.acpi.ivrs import Ivrs as Table
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.create import Function, kind_of
from rootplex.simulator.xen.outcome import stop
from rootplex.simulator.xen.records import DOM0, Kind, Record
from rootplex.simulator.xen.vtd import HEADER_BRIDGE, present_on

FUNCTIONS = 7
IOAPIC = 0x14 << 3
"""Where AMD's chipsets have it: 00:14.0."""


class Mapping(Struct, frozen=True):
    """`ivrs_mappings` of one requester. `requestor`: the id that its accesses come with; `unit`: the
    (segment, rid) of its IOMMU, None for none; `valid`: the id is that of a device behind an IOMMU."""

    requestor: int
    unit: tuple[int, int] | None = None
    valid: bool = False


class InterruptTable(Struct, eq=False):
    """An interrupt remapping table. `freed`: its memory is given back, whoever still points at it."""

    freed: bool = False


class Ivrs(Struct):
    """The requesters of each segment that has an IOMMU; one that nothing is said of maps to itself.
    `entries`: only ids below it are known at all (`ivrs_bdf_entries`, for all segments). `tables`: the
    interrupt tables that (segment, rid) point at."""

    segments: dict[int, dict[int, Mapping]] = field(default_factory=dict)
    entries: int = 0
    tables: dict[tuple[int, int], InterruptTable] = field(default_factory=dict)

    def say(
        self, unit: tuple[int, int], rid: int, requestor: int | None = None, *, table: bool = False
    ) -> None:
        """One entry of a unit's IVHD: a requester, and the id that it uses (`add_ivrs_mapping_entry`); with
        a `table` for that id at once, as aliases and I/O APICs have it."""
        known = self.segments.setdefault(unit[0], {})
        used = rid if requestor is None else requestor
        own = unit[1] == rid
        before = known.get(rid, Mapping(rid))
        known[rid] = replace(before, requestor=used, unit=before.unit if own else unit)
        if not own and table:
            self.tables.setdefault((unit[0], used), InterruptTable())
        if not own:
            known[used] = replace(known.get(used, Mapping(used)), valid=True)
        self.entries = max(self.entries, (rid | FUNCTIONS) + 1, (used | FUNCTIONS) + 1)


class AmdIommu(Struct):
    """The driver's state. Exclusion ranges and unity maps (IVMD) are not modelled."""

    core: Core
    ivrs: Ivrs
    units: frozenset[tuple[int, int]] = frozenset()
    relists: bool = False

    def unit_of(self, segment: int, rid: int) -> tuple[int, int] | None:
        """`find_iommu_for_device`: a function that the table does not have is taken for one of its
        function 0's IOMMU, and remembered so."""
        known = self.ivrs.segments.get(segment)
        if known is None or rid >= self.ivrs.entries:
            return None
        own = known.get(rid, Mapping(rid))
        if own.unit is None:
            first = known.get(rid & ~FUNCTIONS)
            if first is not None and first.unit is not None and first.unit[1] != rid:
                alias = rid if first.requestor == rid & ~FUNCTIONS else first.requestor
                own = known[rid] = replace(first, requestor=alias)
                self._share_table(segment, rid)
        return own.unit

    def start(self, records: Iterable[Record]) -> None:
        """`amd_iommu_setup_device_table`, once the devices are found: a table for each with MSI, which its
        phantom functions point at, too. (Those of a later report get their own.)"""
        for record in records:
            known = self.ivrs.segments.get(record.segment, {}).get(record.rid, Mapping(record.rid))
            if not known.valid or known.requestor != record.rid or not _has_messages(record):
                continue
            key = record.segment, record.rid
            if key not in self.ivrs.tables:
                self.ivrs.tables[key] = InterruptTable()
                for devfn in record.phantoms():
                    self.ivrs.tables[record.segment, record.bus << 8 | devfn] = self.ivrs.tables[key]

    def gives(self, error: int) -> bool:
        return not error

    def add(self, record: Record, devfn: int) -> int:
        """`amd_iommu_add_device`: 0, also for an IOMMU's own function and for a host bridge without
        IOMMU; -ENODEV (no IOMMU for the device); -EPERM (its id is not valid)."""
        if (record.segment, record.rid) in self.units:
            return 0 if record.owner == DOM0 else -Errno.ENODEV
        if self.unit_of(record.segment, record.rid) is None:
            is_skipped = record.kind is Kind.HOST_BRIDGE and record.owner == DOM0
            return 0 if is_skipped else -Errno.ENODEV
        known = self.ivrs.segments[record.segment]
        rid = record.bus << 8 | devfn
        used = known.get(rid, Mapping(rid)).requestor
        if not known.get(used, Mapping(used)).valid:
            return -Errno.EPERM
        if used == rid and _has_messages(record):
            self.ivrs.tables.setdefault((record.segment, rid), InterruptTable())
        return 0

    def remove(self, record: Record, devfn: int) -> int:
        """0, or -ENODEV (no IOMMU for the device)."""
        answer = self._known(record)
        if answer:
            return answer
        rid = record.bus << 8 | devfn
        if self.ivrs.segments[record.segment].get(rid, Mapping(rid)).requestor == rid:
            self._free_table(record.segment, rid)
        return 0

    def _share_table(self, segment: int, rid: int) -> None:
        """A function that is taken for its function 0's gets that one's mapping whole: its table, too."""
        table = self.ivrs.tables.get((segment, rid & ~FUNCTIONS))
        if table is not None:
            self.ivrs.tables[segment, rid] = table

    def _free_table(self, segment: int, rid: int) -> None:
        """`amd_iommu_free_intremap_table`: later functions of the slot forget a table that they share,
        earlier ones do not. They free it again when they go."""
        tables = self.ivrs.tables
        table = tables.pop((segment, rid), None)
        if table is None:
            return
        if table.freed:
            where = f"{segment:04x}:{rid >> 8:02x}:{rid >> 3 & 31:02x}.{rid & 7}"
            cause = f"the interrupt table of {where} is freed again, after a function that shared it"
            raise stop("BUG", cause, "§2.10")
        table.freed = True
        for later in range(rid + 1, (rid | FUNCTIONS) + 1):
            if tables.get((segment, later)) is table:
                del tables[segment, later]

    def quarantine(self, record: Record) -> int:
        """0: without unity maps there is nothing to make ready; but the requester is looked up."""
        self._requestor(record.segment, record.rid)
        return 0

    def assign(self, record: Record, domain: int, devfn: int, relaxed: bool) -> int:
        """0, or -ENODEV (no IOMMU for the device)."""
        self._requestor(record.segment, record.bus << 8 | devfn)
        return self._known(record)

    def reassign(self, record: Record, domain: int, devfn: int) -> int:
        return self._known(record)

    def _known(self, record: Record) -> int:
        return 0 if self.unit_of(record.segment, record.rid) is not None else -Errno.ENODEV

    def group(self, segment: int, bus: int, devfn: int) -> int | None:
        """The requester id, where the table reaches so far."""
        rid = bus << 8 | devfn
        return self._requestor(segment, rid) if rid < self.ivrs.entries else rid

    def _requestor(self, segment: int, rid: int) -> int:
        """`get_dma_requestor_id`; of a segment without IOMMU there is no table to look into."""
        known = self.ivrs.segments.get(segment)
        if known is None:
            cause = (
                f"the requester of {segment:04x}:{rid >> 8:02x}:{rid >> 3 & 31:02x}.{rid & 7} is looked up"
            )
            raise stop("page fault", f"{cause} in a segment that IVRS does not have", "§2.9")
        own = known.get(rid, Mapping(rid))
        used = known.get(own.requestor, Mapping(own.requestor))
        return rid if own.valid and used.valid else own.requestor


def units_of_ivrs(table: Table) -> frozenset[tuple[int, int]]:
    """The (segment, requester id) of each unit's own function, which Xen keeps for itself."""
    return frozenset((ivhd.segment, ivhd.device_id) for ivhd in table.used)


def told_by(table: Table) -> Ivrs:
    """What the table says of each requester (`parse_ivhd_block`)."""
    made = Ivrs()
    for ivhd in table.used:
        for ids in ivhd.ids:
            for rid in range(ids.first, ids.last + 1):
                made.say((ivhd.segment, ivhd.device_id), rid, ids.alias)
    return made


def _has_messages(record: Record) -> bool:
    return record.msix is not None or record.msi is not None


def assumed_ivrs(core: Core, unit: tuple[int, int]) -> Ivrs:
    """Where no IVRS is known: what a firmware writes of the devices that it finds, as QEMU does. Each
    function for itself, the whole bus below a port, what is below a conventional bridge with that
    bridge's id, and the I/O APIC."""
    made = Ivrs()
    _say_bus(core, made, unit, 0)
    made.say(unit, IOAPIC, table=True)
    return made


def _say_bus(core: Core, made: Ivrs, unit: tuple[int, int], bus: int) -> None:
    segment = unit[0]
    for devfn in present_on(core, segment, bus):
        rid = bus << 8 | devfn
        made.say(unit, rid)
        if core.access.read(segment, bus, devfn, 0x0E, 1) & 0x7F != HEADER_BRIDGE:
            continue
        secondary = core.access.read(segment, bus, devfn, 0x19, 1)
        subordinate = core.access.read(segment, bus, devfn, 0x1A, 1)
        if not bus < secondary <= subordinate:
            continue
        kind = kind_of(Function(core, segment, bus, devfn))
        if kind in (Kind.PCIE_TO_PCI, Kind.LEGACY_BRIDGE):
            alias = secondary << 8 if kind is Kind.PCIE_TO_PCI else rid
            for below in range(secondary << 8, (subordinate << 8 | 0xFF) + 1):
                made.say(unit, below, alias, table=True)
        elif secondary == subordinate:
            for below in range(secondary << 8, (secondary << 8 | 0xFF) + 1):
                made.say(unit, below)
        else:
            _say_bus(core, made, unit, secondary)
