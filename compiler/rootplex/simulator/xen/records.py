"""What Xen remembers of devices: records by (segment, bus, devfn), and the table of conventional
buses that groups climb (§2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from msgspec import Struct, field

DOM0, DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_INVALID = 0, 0x7FF0, 0x7FF1, 0x7FF2, 0x7FF4
"""Domain ids (`public/xen.h`): the quarantine domain is DOMID_IO, hidden devices are DOMID_XEN's."""

Leftover = Literal["clean", "ownerless record", "ownerless record with IOMMU data"]


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
PCIE_KINDS = frozenset({Kind.PCIE_ENDPOINT, Kind.PCIE_BRIDGE, Kind.PCIE_TO_PCI, Kind.PCI_TO_PCIE})


class Streams(Struct):
    """IOMMU data attached to a record: the IOMMU's node path (None: no IOMMU was found, the id is
    the requester id) and the stream ids of the function and its phantoms."""

    iommu: str | None
    ids: tuple[int, ...]


class Record(Struct, eq=False):
    """One `struct pci_dev`. `owner` None: ownerless. `phantom_stride` 0: no phantom functions.
    `msix_prepared` counts vectors in use. Offsets are of the capability in configuration space."""

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
    physfn: Record | None = None
    virtual_functions: list[Record] = field(default_factory=list)
    vf_bars: tuple[int, ...] | None = None
    streams: Streams | None = None
    broken: bool = False
    quarantine: bool = False
    mask_all: bool = False
    msix_used: int = 0

    @classmethod
    def unknown(cls, segment: int, rid: int) -> Record:
        """A stand-in for a device that Xen has no record of: only its address is known."""
        return cls(segment, rid >> 8, rid & 0xFF, Kind.UNKNOWN)

    @property
    def rid(self) -> int:
        return self.bus << 8 | self.devfn

    @property
    def sbdf(self) -> str:
        return f"{self.segment:04x}:{self.bus:02x}:{self.devfn >> 3:02x}.{self.devfn & 7}"

    @property
    def leftover(self) -> Leftover:
        """What a failed add leaves behind; an owned record is clean."""
        if self.owner is not None:
            return "clean"
        return "ownerless record" if self.streams is None else "ownerless record with IOMMU data"

    def functions(self) -> Iterator[int]:
        """The devfn and those of its phantom functions, in order, within the slot."""
        yield self.devfn
        if self.phantom_stride:
            yield from range(self.devfn + self.phantom_stride, (self.devfn | 7) + 1, self.phantom_stride)


class Segment(Struct):
    """The bookkeeping of one segment. `upstream`: bus → (bus, devfn) of the conventional bridge
    above, as that bridge's bus numbers stood when its record was made."""

    number: int
    devices: dict[int, Record] = field(default_factory=dict)
    upstream: dict[int, tuple[int, int]] = field(default_factory=dict)


class Records(Struct):
    """All segments. One that exists is never freed."""

    segments: dict[int, Segment] = field(default_factory=dict)

    def segment(self, number: int) -> Segment:
        """The segment's bookkeeping, created where it is new."""
        return self.segments.setdefault(number, Segment(number))

    def find(self, segment: int, bus: int, devfn: int) -> Record | None:
        """The record, whoever owns it."""
        known = self.segments.get(segment)
        return None if known is None else known.devices.get(bus << 8 | devfn)

    def add(self, record: Record) -> None:
        self.segment(record.segment).devices[record.rid] = record

    def free(self, record: Record) -> None:
        """Forget a record; its bridge's entries in the bus table and its PF's list go with it."""
        segment = self.segments[record.segment]
        del segment.devices[record.rid]
        if record.kind in CONVENTIONAL_BRIDGES:
            own = (record.bus, record.devfn)
            segment.upstream = {bus: above for bus, above in segment.upstream.items() if above != own}
        if record.physfn is not None:
            record.physfn.virtual_functions.remove(record)

    def __iter__(self) -> Iterator[Record]:
        return (record for segment in self.segments.values() for record in segment.devices.values())


def upstream_bridge(records: Records, segment: int, bus: int, devfn: int) -> tuple[int, int] | None:
    """`find_upstream_bridge` (§2.9, §4.1): the (bus, devfn) reached by climbing the bus table; the
    device's own where nothing is above. None: unknown segment, or a loop of 256 steps."""
    known = records.segments.get(segment)
    if known is None:
        return None
    here = (bus, devfn)
    for _ in range(256):
        if here[0] == 0 or here[0] not in known.upstream:
            return here
        here = known.upstream[here[0]]
    return None
