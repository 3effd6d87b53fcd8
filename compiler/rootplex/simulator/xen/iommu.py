"""The IOMMU drivers' hooks for PCI devices: SMMU and IPMMU on Arm (§1.9, §2.5), VT-d and AMD (§2.9)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.readers.tree import Tree
from rootplex.simulator.xen.bridges import HostBridge, Routes
from rootplex.simulator.xen.drivers import IommuDriver, iommu_driver, is_claimable
from rootplex.simulator.xen.errno import Errno
from rootplex.simulator.xen.outcome import Notice, stop
from rootplex.simulator.xen.records import DOM0, DOMID_IO, Kind, Record, Records, Streams, upstream_bridge
from rootplex.source.place import DtPlace, Place

StreamBits = Callable[[HostBridge], int]
"""How many bits the stream table behind a host bridge has (SMMU_IDR1.SIDSIZE)."""

Translate = Callable[[HostBridge, Record], tuple[int, Streams | None]]
"""From a record behind a bridge to its streams: `streams.translate` with its tree."""


def driven_iommus(tree: Tree) -> tuple[IommuDriver, frozenset[str]] | None:
    """The driver that owns I/O virtualisation and the paths of the nodes it drives: the driver of
    the first node in document order, since Xen takes the operations of one driver only."""
    driver: IommuDriver | None = None
    paths = []
    for node in tree.walk():
        found = iommu_driver(node) if is_claimable(node) else None
        if found is None or (driver is not None and found is not driver):
            continue
        driver = found
        paths.append(node.path)
    return None if driver is None else (driver, frozenset(paths))


def _map_of(bridge: HostBridge) -> Place | None:
    """Where a bridge of the device tree is given its streams; of other firmware, the bridge."""
    at = bridge.at
    return replace(at, property="iommu-map", cell=None) if isinstance(at, DtPlace) else at


class ArmIommu(Struct):
    """SMMUv3, SMMUv1/2 or IPMMU. `used`: (IOMMU path, stream) → the record that has it. What limits
    SMMUv1/2 and IPMMU besides (stream matching groups, contexts) is not modelled."""

    driver: IommuDriver
    driven: frozenset[str]
    routes: Routes
    translate: Translate
    stream_bits: StreamBits
    notices: list[Notice]
    used: dict[tuple[str, int], Record] = field(default_factory=dict)

    def add(self, record: Record) -> int:
        """0; -EEXIST (data of an earlier failed add is still attached); -ENODEV (no bridge, no
        IOMMU that Xen drives); the errors of `streams.translate`; -ERANGE. A stream that another
        function has on the same SMMUv3 is a BUG."""
        if record.streams is not None:
            return -Errno.EEXIST
        bridge = self.routes.find(record.segment, record.bus)
        if bridge is None:
            text = f"no bridge for {record.sbdf}"
            self.notices.append(Notice("no-bridge-for", text))
            return -Errno.ENODEV
        error, record.streams = self.translate(bridge, record)
        if error or record.streams is None:
            return error
        iommu, ids = record.streams.iommu, record.streams.ids
        if iommu is None or iommu not in self.driven:
            return -Errno.ENODEV
        if any(stream >> self.stream_bits(bridge) for stream in ids):
            return -Errno.ERANGE
        for stream in ids:
            holder = self.used.setdefault((iommu, stream), record)
            if holder is not record and self.driver.exclusive:
                cause = f"stream {stream:#x} of {record.sbdf} is already that of {holder.sbdf}"
                raise stop("BUG", cause, "§1.9, XP-33", _map_of(bridge))
        return 0

    def remove(self, record: Record) -> int:
        """0 where the driver has the hook; else the jump to address 0."""
        if not self.driver.removes:
            cause = f"removing {record.sbdf}: the {self.driver.name} driver has no remove hook"
            raise stop("jump to address 0", cause, "§2.5, XP-39")
        self.used = {stream: holder for stream, holder in self.used.items() if holder is not record}
        return 0

    def assign(self, record: Record, domain: int, relaxed: bool) -> int:
        """Always 0: the stream is pointed at the new domain's tables."""
        return 0

    def reassign(self, record: Record, domain: int) -> int:
        """Taking the device back: 0 for Dom0 and the quarantine domain, -EPERM for any other."""
        return 0 if domain in (DOM0, DOMID_IO) else -Errno.EPERM

    def group(self, records: Records, record: Record) -> int | None:
        """None: no Arm driver has the hook, so Xen has no groups on Arm at all."""
        return None


class VtdIommu(Struct):
    """Intel VT-d. `shared_rmrr`: (segment, rid) of devices that share a reserved region."""

    shared_rmrr: frozenset[tuple[int, int]] = frozenset()

    def add(self, record: Record) -> int:
        return 0

    def remove(self, record: Record) -> int:
        return 0

    def assign(self, record: Record, domain: int, relaxed: bool) -> int:
        """-EPERM for a guest's host bridge, or a shared RMRR that is not relaxed."""
        guest = domain not in (DOM0, DOMID_IO)
        if guest and record.kind is Kind.HOST_BRIDGE:
            return -Errno.EPERM
        if guest and not relaxed and (record.segment, record.rid) in self.shared_rmrr:
            return -Errno.EPERM
        return 0

    def reassign(self, record: Record, domain: int) -> int:
        return 0

    def group(self, records: Records, record: Record) -> int | None:
        """The topmost conventional bridge above, else the device itself; -ENODEV for a loop."""
        reached = upstream_bridge(records, record.segment, record.bus, record.devfn)
        return -Errno.ENODEV if reached is None else reached[0] << 8 | reached[1]


class AmdIommu(Struct):
    """AMD-Vi with the aliases of its IVRS: (segment, rid) → requestor id. A device that IVRS does
    not cover (`covered` None: it covers all) has no IOMMU; one marked invalid is refused."""

    requestors: dict[tuple[int, int], int]
    covered: frozenset[tuple[int, int]] | None = None
    invalid: frozenset[tuple[int, int]] = frozenset()

    def add(self, record: Record) -> int:
        """0, -ENODEV (no IOMMU for the device) or -EPERM (IVRS marks it invalid)."""
        key = (record.segment, record.rid)
        if self.covered is not None and key not in self.covered:
            return -Errno.ENODEV
        return -Errno.EPERM if key in self.invalid else 0

    def remove(self, record: Record) -> int:
        return 0

    def assign(self, record: Record, domain: int, relaxed: bool) -> int:
        return self.add(record)

    def reassign(self, record: Record, domain: int) -> int:
        return 0

    def group(self, records: Records, record: Record) -> int | None:
        return self.requestors.get((record.segment, record.rid), record.rid)
