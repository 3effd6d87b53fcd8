"""What Xen remembers of devices: records by (segment, bus, devfn), and the table of conventional
buses that groups climb (§2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct, field

from rootplex.formats.pci import sbdf_text
from rootplex.simulator.xen.lists import ListHead

DOM0, DOMID_FIRST_RESERVED = 0, 0x7FF0
DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_INVALID = 0x7FF0, 0x7FF1, 0x7FF2, 0x7FF4
"""Domain ids (`public/xen.h`): the quarantine domain is DOMID_IO, hidden devices are DOMID_XEN's."""


class Kind(StrEnum):
    """Xen's device types."""

    PCIE_ENDPOINT = "PCIe endpoint"
    PCIE_BRIDGE = "PCIe bridge"
    PCIE_TO_PCI = "PCIe-to-PCI bridge"
    PCI_TO_PCIE = "PCI-to-PCIe bridge"
    LEGACY_BRIDGE = "PCI bridge"
    HOST_BRIDGE = "PCI host bridge"
    PCI = "PCI device"
    UNKNOWN = "unknown device"


CONVENTIONAL_BRIDGES = frozenset({Kind.LEGACY_BRIDGE, Kind.PCIE_TO_PCI, Kind.PCI_TO_PCIE})

VF_BARS = 6
"""How many BARs an SR-IOV capability gives all virtual functions."""


class Streams(Struct):
    """IOMMU data attached to a record: the IOMMU's node path (None: no IOMMU was found, the id is
    the requester id) and the stream ids of the function and its phantoms."""

    iommu: str | None
    ids: tuple[int, ...]


class Record(Struct, eq=False):
    """One `struct pci_dev`. `owner` None: ownerless. `phantom_stride` 0: no phantom functions. Offsets
    are of the capability in configuration space.

    `extfn`, `virtfn` and `physfn_rid` are `info`, what the last report said. `pf` is the link to a
    VF's PF, made once; it lies where the size of the PF's own first VF BAR lies (`vf_sizes[0]`, in
    bytes), so whoever asks for one may find the other (`has_first_word`). `vf_list` is the list of a
    PF's VFs, and the entry of a VF in that of its PF. `in_domain` is the entry in the owner's list.
    `msix_used` counts vectors in use; `freed`: Xen has given the memory back, and it is `heir`'s now.
    """

    segment: int
    bus: int
    devfn: int
    kind: Kind
    pcie: int | None = None
    msi: int | None = None
    msix: int | None = None
    extended: bool = False
    phantom_stride: int = 0
    owner: int | None = None
    extfn: bool = False
    virtfn: bool = False
    physfn_rid: int = 0
    pf: Record | None = None
    vf_sizes: list[int] = field(default_factory=lambda: [0] * VF_BARS)
    streams: Streams | None = None
    broken: bool = False
    quarantine: bool = False
    quarantine_tables: bool = False
    msix_used: int = 0
    freed: bool = False
    heir: Record | None = None
    vf_list: ListHead[Record] = field(default_factory=ListHead)
    in_domain: ListHead[Record] = field(default_factory=ListHead)

    def __post_init__(self) -> None:
        self.vf_list.owner = self.in_domain.owner = self

    @property
    def rid(self) -> int:
        return self.bus << 8 | self.devfn

    @property
    def sbdf(self) -> str:
        return sbdf_text(self.segment, self.bus, self.devfn)

    @property
    def has_first_word(self) -> bool:
        """Whether the memory shared by `pf` and `vf_sizes[0]` is other than zero."""
        return self.pf is not None or self.vf_sizes[0] != 0

    def functions(self) -> Iterator[int]:
        """The devfn and those of its phantom functions, in order, within the slot."""
        yield self.devfn
        if self.phantom_stride:
            yield from range(self.devfn + self.phantom_stride, (self.devfn | 7) + 1, self.phantom_stride)

    def phantoms(self) -> Iterator[int]:
        """The devfns of its phantom functions alone."""
        found = self.functions()
        next(found)
        return found


class Segment(Struct):
    """The bookkeeping of one segment. `upstream` is the bus table: bus → (bus, devfn) of the
    conventional bridge above, as the bridges' bus numbers stood when their records came and went."""

    number: int
    devices: dict[int, Record] = field(default_factory=dict)
    upstream: dict[int, tuple[int, int]] = field(default_factory=dict)

    def put_below(self, secondary: int, subordinate: int, above: tuple[int, int]) -> None:
        """The buses of a bridge whose record is made."""
        for bus in range(secondary, subordinate + 1):
            self.upstream[bus] = above

    def take_out(self, secondary: int, subordinate: int, bus: int) -> None:
        """The buses of a bridge on `bus` whose record goes: they get what that bus has."""
        for below in range(secondary, subordinate + 1):
            above = self.upstream.get(bus)
            if above is None:
                self.upstream.pop(below, None)
            else:
                self.upstream[below] = above


class Records(Struct):
    """All segments. One that exists is never freed. `memory`: records that were freed and whose memory
    nobody has yet; the last one's goes first, as Xen's allocator has it among blocks of one size."""

    segments: dict[int, Segment] = field(default_factory=dict)
    memory: list[Record] = field(default_factory=list)

    def segment(self, number: int) -> Segment:
        """The segment's bookkeeping, created where it is new."""
        return self.segments.setdefault(number, Segment(number))

    def find(self, segment: int, bus: int, devfn: int) -> Record | None:
        """The record, whoever owns it."""
        known = self.segments.get(segment)
        return None if known is None else known.devices.get(bus << 8 | devfn)

    def add(self, record: Record) -> None:
        """Remember a new record, in memory that was another's where there is such."""
        self.segment(record.segment).devices[record.rid] = record
        if self.memory:
            before = self.memory.pop()
            before.heir = record
            record.vf_list, record.in_domain = before.vf_list, before.in_domain
            record.vf_list.reuse(record)
            record.in_domain.reuse(record)

    def forget(self, record: Record) -> None:
        """The record's memory is given back."""
        del self.segments[record.segment].devices[record.rid]
        record.freed = True
        self.memory.append(record)

    def __iter__(self) -> Iterator[Record]:
        return (record for segment in self.segments.values() for record in segment.devices.values())


MAX_BUSES = 256


def upstream_bridge(records: Records, segment: int, bus: int, devfn: int) -> tuple[int, int, int] | None:
    """`find_upstream_bridge` (§2.9, §4.1): the (bus, devfn) reached by climbing the bus table, and the
    last secondary bus on the way; the device's own with -1 where nothing is above. None: unknown
    segment, or a loop. A device on bus 0 does not climb; a climb that comes to bus 0 goes on."""
    if bus == 0:
        return bus, devfn, -1
    known = records.segments.get(segment)
    if known is None:
        return None
    secondary = -1
    for _ in range(MAX_BUSES):
        if bus not in known.upstream:
            return bus, devfn, secondary
        secondary = bus
        bus, devfn = known.upstream[bus]
    return None if bus in known.upstream else (bus, devfn, secondary)
