"""The IOMMU drivers' hooks for PCI devices on Arm: SMMU and IPMMU (§1.9, §2.5)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.formats.errno import Errno
from rootplex.readers.tree import Tree
from rootplex.simulator.xen.bridges import Routes, XenHostBridge
from rootplex.simulator.xen.drivers import IommuDriver, iommu_driver, is_claimable
from rootplex.simulator.xen.outcome import Notice, stop
from rootplex.simulator.xen.records import DOM0, DOMID_IO, Record, Streams
from rootplex.source.place import DtPlace, Place

StreamBits = Callable[[XenHostBridge], int]
"""How many bits the stream table behind a host bridge has (SMMU_IDR1.SIDSIZE)."""

Translate = Callable[[XenHostBridge, Record], tuple[int, Streams | None]]
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


def _map_of(bridge: XenHostBridge) -> Place | None:
    """Where a bridge of the device tree is given its streams; of other firmware, the bridge."""
    at = bridge.at
    return replace(at, property="iommu-map", cell=None) if isinstance(at, DtPlace) else at


class ArmIommu(Struct):
    """SMMUv3 or IPMMU, and what SMMUv1/2 has in common with them. `live`: (IOMMU path, stream) → the record
    whose translation stands in that stream's entry; a quarantined device has none. How many stream
    matching groups and contexts there are is not modelled."""

    driver: IommuDriver
    driven: frozenset[str]
    routes: Routes
    translate: Translate
    stream_bits: StreamBits
    notices: list[Notice]
    quarantines: bool = True
    live: dict[tuple[str, int], Record] = field(default_factory=dict)
    relists: bool = True

    def add(self, record: Record, devfn: int) -> int:
        """0; -EEXIST (data of an earlier failed add was still attached; now it is not); -ENODEV, with
        SMMUv1/2 -ENXIO (no bridge, no IOMMU that Xen drives); the errors of `streams.translate`;
        -ERANGE. A stream that is live for another function of the same SMMUv3 is a BUG."""
        if devfn != record.devfn:
            return 0
        if record.streams is not None:
            record.streams = None
            return -Errno.EEXIST
        bridge = self.routes.find(record.segment, record.bus)
        if bridge is None:
            self.notices.append(Notice("no-bridge-for", record.sbdf))
            return -Errno.ENODEV
        error, record.streams = self.translate(bridge, record)
        if error:
            return error
        if record.streams is None or record.streams.iommu not in self.driven:
            return -self.driver.unknown
        if any(stream >> self.stream_bits(bridge) for stream in record.streams.ids):
            return -Errno.ERANGE
        self._attach(record)
        return 0

    def gives(self, error: int) -> bool:
        return not error

    def _entries(self, record: Record) -> list[tuple[str, int]]:
        streams = record.streams
        if streams is None or streams.iommu is None:
            return []
        return [(streams.iommu, stream & self.driver.id_mask) for stream in streams.ids]

    def _attach(self, record: Record) -> None:
        """`arm_smmu_attach_dev`: write the entries of a device's streams."""
        self._detach(record)
        for entry in self._entries(record):
            holder = self.live.setdefault(entry, record)
            if holder is not record and self.driver.exclusive:
                bridge = self.routes.find(record.segment, record.bus)
                gone = ", which was freed" if holder.freed else ""
                cause = f"stream {entry[1]:#x} of {record.sbdf} is already that of {holder.sbdf}{gone}"
                raise stop("BUG", cause, "§1.9, XP-33", None if bridge is None else _map_of(bridge))

    def _detach(self, record: Record) -> None:
        for entry in self._entries(record):
            if self.live.get(entry) is record:
                del self.live[entry]

    def remove(self, record: Record, devfn: int) -> int:
        """0 where the driver has the hook; else the jump to address 0."""
        if not self.driver.removes:
            cause = f"removing {record.sbdf}: the {self.driver.name} driver has no remove hook"
            raise stop("jump to address 0", cause, "§2.5, XP-39")
        if devfn == record.devfn:
            self._detach(record)
        return 0

    def quarantine(self, record: Record) -> int:
        """0: no Arm driver has the hook."""
        return 0

    def assign(self, record: Record, domain: int, devfn: int, relaxed: bool) -> int:
        """Always 0: the streams are pointed at the new domain's tables, in quarantine at none."""
        if devfn == record.devfn and domain != DOMID_IO:
            self._attach(record)
        elif devfn == record.devfn and self.quarantines:
            self._detach(record)
        return 0

    def reassign(self, record: Record, domain: int, devfn: int) -> int:
        """Taking the device back: 0 for Dom0 and the quarantine domain, -EPERM for any other."""
        if domain not in (DOM0, DOMID_IO):
            return -Errno.EPERM
        return self.assign(record, domain, devfn, relaxed=False)

    def group(self, segment: int, bus: int, devfn: int) -> int | None:
        """None: no Arm driver has the hook, so Xen has no groups on Arm at all."""
        return None


class SmmuV2(ArmIommu):
    """SMMUv1 and SMMUv2 (`drivers/passthrough/arm/smmu.c`). `contexts`: the domain that a device is attached
    to. Only a detached one is attached, and `assign_device` detaches none, so that a device of Dom0's goes to
    a guest by way of the quarantine alone; but the refused one is in the guest's list."""

    contexts: dict[Record, int] = field(default_factory=dict)

    def gives(self, error: int) -> bool:
        return error in (0, -Errno.EEXIST)

    def add(self, record: Record, devfn: int) -> int:
        """As of the others; then it is attached to the owner's context."""
        error = super().add(record, devfn)
        if error == 0 and devfn == record.devfn and record.owner is not None:
            self.contexts[record] = record.owner
        return error

    def _attach(self, record: Record) -> None:
        """The last one to write an entry has it."""
        self.live.update(dict.fromkeys(self._entries(record), record))

    def _detach(self, record: Record) -> None:
        for entry in self._entries(record):
            self.live.pop(entry, None)

    def remove(self, record: Record, devfn: int) -> int:
        if devfn == record.devfn:
            self.contexts.pop(record, None)
        return super().remove(record, devfn)

    def assign(self, record: Record, domain: int, devfn: int, relaxed: bool) -> int:
        """`arm_smmu_assign_dev`: -EEXIST for one that is attached; into quarantine it is detached."""
        if devfn != record.devfn:
            return 0
        if domain == DOMID_IO:
            if self.quarantines and record in self.contexts:
                self._leave(record)
            return 0
        if record in self.contexts:
            return -Errno.EEXIST
        self.contexts[record] = domain
        self._attach(record)
        return 0

    def reassign(self, record: Record, domain: int, devfn: int) -> int:
        """`arm_smmu_reassign_dev`: -EPERM for a guest, -ESRCH for a device that its owner's context does not
        have."""
        if domain not in (DOM0, DOMID_IO):
            return -Errno.EPERM
        if devfn != record.devfn or domain == record.owner:
            return 0
        if record.owner != DOMID_IO:
            if self.contexts.get(record) != record.owner:
                return -Errno.ESRCH
            self._leave(record)
        return self.assign(record, domain, devfn, relaxed=False)

    def _leave(self, record: Record) -> None:
        self._detach(record)
        del self.contexts[record]


KINDS: dict[str, type[ArmIommu]] = {"smmu-v3": ArmIommu, "smmu-v2": SmmuV2, "ipmmu-vmsa": ArmIommu}
"""By the name of the driver."""
