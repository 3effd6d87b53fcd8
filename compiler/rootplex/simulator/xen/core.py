"""What the parts of a running Xen share: its records, bridges, domains, IOMMU and console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct, field

from rootplex.simulator.inputs import Settings
from rootplex.simulator.xen.access import ConfigAccess
from rootplex.simulator.xen.bridges import Routes
from rootplex.simulator.xen.mcfg import McfgWindows
from rootplex.simulator.xen.outcome import Notice
from rootplex.simulator.xen.records import DOM0, DOMID_IO, Record, Records
from rootplex.source.place import Place

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
    `requestors` the IVRS aliases (segment, rid) → rid; `shared_rmrr` the (segment, rid) of devices
    that share a reserved memory region with another; `hidden` those that Xen keeps for itself."""

    phantom: tuple[PhantomOption, ...] = ()
    quirks: bool = True
    quarantine: bool = True
    msi: bool = True
    mmcfg: bool = True
    bios_year: int = 2020
    reserved: tuple[tuple[int, int], ...] = ()
    x86_iommu: Literal["vtd", "amd"] = "vtd"
    requestors: dict[tuple[int, int], int] = field(default_factory=dict)
    shared_rmrr: frozenset[tuple[int, int]] = frozenset()
    hidden: frozenset[tuple[int, int]] = frozenset()


class Iommu(Protocol):
    """An IOMMU driver's hooks for PCI. Results are 0 or a negative errno; a hook that takes Xen
    down raises `Stopped`."""

    def add(self, record: Record) -> int: ...

    def remove(self, record: Record) -> int: ...

    def assign(self, record: Record, domain: int, relaxed: bool) -> int: ...

    def reassign(self, record: Record, domain: int) -> int: ...

    def group(self, records: Records, record: Record) -> int | None:
        """The group id as bus << 8 | devfn; None: this driver has no such hook."""
        ...


class VirtualPci(Protocol):
    """vPCI as device records see it."""

    def attach(self, record: Record) -> int: ...

    def detach(self, record: Record) -> None: ...


class Domain(Struct):
    """A domain. `iommu`: its devices are translated."""

    number: int
    name: str
    iommu: bool = True
    dying: bool = False
    crashed: bool = False


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
    def x86(self) -> bool:
        return self.settings.arch == "x86_64"

    def notice(self, slug: str, text: str, at: Place | None = None, *, printed: bool = True) -> None:
        self.notices.append(Notice(slug, text, at, printed))

    def domain(self, number: int) -> Domain | None:
        return self.domains.get(number)

    def is_guest(self, number: int) -> bool:
        return number not in (DOM0, DOMID_IO)
