"""What the parts of a running Xen share: its records, bridges, domains, IOMMU and console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from msgspec import Struct, field

from rootplex.known.xen import XenVersion, version
from rootplex.simulator.inputs import Settings
from rootplex.simulator.xen.access import ConfigAccess
from rootplex.simulator.xen.bridges import Routes
from rootplex.simulator.xen.lists import ListHead
from rootplex.simulator.xen.mcfg import McfgWindows
from rootplex.simulator.xen.outcome import Notice, NoticeKind, Stopped
from rootplex.simulator.xen.records import DOM0, DOMID_IO, Record, Records

Tracer = Callable[[str, int, int, int], None]
"""Called with what happens, as (kind, address, size, value): `trap-read` and `trap-write` at a CPU
address; `forward-read` and `forward-write` at segment << 28 | bus << 20 | devfn << 12 | register;
`hypercall` with its index in `Xen.calls` for an address, size 0, and its result (0 in a crash)."""


class PhantomOption(Struct, frozen=True):
    """`pci-phantom=[segment:]bus:device,stride`; Xen takes up to 8 of them."""

    segment: int
    bus: int
    device: int
    stride: int

    @property
    def key(self) -> tuple[int, int, int]:
        return (self.segment, self.bus, self.device)


class Options(Struct, frozen=True, kw_only=True):
    """Xen's command line and the x86 firmware's facts, as far as they matter here and no artifact
    says them. `reserved` are (base, size) of the E820's reserved areas; `bios_year` is DMI's;
    `hidden` are the (segment, rid) of devices that Xen keeps for itself; `physical_bits` are the width of
    addresses, beyond which nothing is mapped (the most that x86 can have)."""

    phantom: tuple[PhantomOption, ...] = ()
    quirks: bool = True
    quarantine: bool = True
    msi: bool = True
    mmcfg: bool = True
    bios_year: int = 2020
    reserved: tuple[tuple[int, int], ...] = ()
    x86_iommu: Literal["vtd", "amd"] = "vtd"
    hidden: frozenset[tuple[int, int]] = frozenset()
    physical_bits: int = 52


class Iommu(Protocol):
    """An IOMMU driver's hooks for PCI, each for one devfn: the record's own or one of its phantoms.
    Results are 0 or a negative errno; a hook that takes Xen down raises `Stopped`."""

    @property
    def relists(self) -> bool:
        """Whether a device leaves its owner's list and comes back first in it where the owner stays."""
        ...

    def gives(self, error: int) -> bool:
        """Whether the device is the new domain's after a hook has answered this."""
        ...

    def add(self, record: Record, devfn: int) -> int: ...

    def remove(self, record: Record, devfn: int) -> int: ...

    def quarantine(self, record: Record) -> int:
        """Make ready what a quarantined device is given."""
        ...

    def assign(self, record: Record, domain: int, devfn: int, relaxed: bool) -> int:
        """Translate for that domain from now on; it becomes the owner where `gives` says so."""
        ...

    def reassign(self, record: Record, domain: int, devfn: int) -> int:
        """The same on the way back to Dom0 or into quarantine."""
        ...

    def group(self, segment: int, bus: int, devfn: int) -> int | None:
        """The group id as bus << 8 | devfn; None: this driver has no such hook."""
        ...


class VirtualPci(Protocol):
    """vPCI as device records see it."""

    def attach(self, record: Record) -> int: ...

    def detach(self, record: Record) -> None: ...

    def look_again(self, record: Record) -> None: ...


class Domain(Struct):
    """A domain. `iommu`: its devices are translated; `devices` is the list of them, newest first."""

    number: int
    name: str
    iommu: bool = True
    dying: bool = False
    crashed: bool = False
    devices: ListHead[Record] = field(default_factory=ListHead)


class Core(Struct):
    """The state of a running Xen. `iommu` None: I/O virtualisation is off. `vpci` None: no domain
    has vPCI (today's Arm, and x86 PV)."""

    settings: Settings
    options: Options
    access: ConfigAccess
    records: Records
    routes: Routes
    windows: McfgWindows
    domains: dict[int, Domain]
    iommu: Iommu | None = None
    vpci: VirtualPci | None = None
    passthrough: bool = True
    notices: list[Notice] = field(default_factory=list)
    refusing: set[int] = field(default_factory=set)
    """x86 domains that cannot take a device: memory sharing, paging, log-dirty."""
    trap_area: Callable[[int, int, int, int], int] | None = None
    """Where Dom0 is PVH: (address, segment, start, end) of an MCFG area to trap → errno (§3.2)."""
    admit: Callable[[int, int, int], int] | None = None
    """The 2017 protocol's word on a device before it is added: (segment, bus, devfn) → errno."""

    @property
    def version(self) -> XenVersion:
        """What this Xen does as its version does it."""
        return version(self.settings.xen)

    @property
    def x86(self) -> bool:
        return self.settings.arch == "x86_64"

    def notice(self, kind: NoticeKind, about: str) -> None:
        self.notices.append(Notice(kind, about))

    def domain(self, number: int) -> Domain | None:
        return self.domains.get(number)

    def is_guest(self, number: int) -> bool:
        return number not in (DOM0, DOMID_IO)

    def translates(self, record: Record) -> bool:
        """`is_iommu_enabled` of the owner."""
        owner = None if record.owner is None else self.domains.get(record.owner)
        return self.iommu is not None and owner is not None and owner.iommu

    def group_of(self, record: Record) -> int | None:
        """The requester id that its group is called after: by IVRS, or by the bridges above. None for no
        group; also where the query would end Xen (AMD's driver in a segment that IVRS does not have): what
        is told here asks nothing of the machine, and no toolstack of today does."""
        try:
            return None if self.iommu is None else self.iommu.group(record.segment, record.bus, record.devfn)
        except Stopped:
            return None

    def give(self, record: Record, domain: int) -> None:
        """Make a domain the owner: the first in its list."""
        record.owner = domain
        record.in_domain.add(self.domains[domain].devices)

    def move(self, record: Record, domain: int) -> None:
        """Another owner, in whose list the device is the first then."""
        if record.owner != domain or (self.iommu is not None and self.iommu.relists):
            self.take(record)
            self.give(record, domain)

    def take(self, record: Record) -> None:
        """Take a record out of its owner's list; `owner` is left to the caller."""
        record.in_domain.delete(checked=self.version.debug)

    def devices_of(self, domain: Domain) -> Iterator[Record]:
        """A domain's devices, the newest first."""
        return domain.devices.members(x86=self.x86)
