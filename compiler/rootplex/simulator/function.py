"""A PCI function as the running Dom0 knows it: the common currency of scan, groups and Xen.

Made by `dom0` from configuration accesses alone; filled further by the grouping and routing
passes. Identity is the object: comparisons are by `is`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct, field

from rootplex.formats.pci import ACS_BITS, PcieType, sbdf_text
from rootplex.source.place import Place

ACS_SV, ACS_TB, ACS_RR, ACS_CR, ACS_UF, ACS_EC, ACS_DT = ACS_BITS.values()
"""ACS capability and control bits (PCIe 6.0 §7.7.11)."""

ACS_CONTROL = 6
"""Where the ACS capability has its control register (PCIe 6.0 §7.7.11.3)."""

AcsAnswer: TypeAlias = Literal["isolated", "shared", "southbridge"]
"""What Linux answers by a device's id (`pci_dev_specific_acs_enabled`): it isolates; it does not; it does as
one of several functions on a root bus (`pci_quirk_amd_sb_acs`)."""

ACS_REQUIRED = ACS_SV | ACS_RR | ACS_CR | ACS_UF
"""What Linux wants on for isolation (`REQ_ACS_FLAGS`)."""

ROOT_PORT, UPSTREAM, DOWNSTREAM = PcieType.ROOT_PORT, PcieType.UPSTREAM_PORT, PcieType.DOWNSTREAM_PORT
PCIE_TO_PCI, PCI_TO_PCIE = PcieType.PCIE_TO_PCI_BRIDGE, PcieType.PCI_TO_PCIE_BRIDGE
INTEGRATED, EVENT_COLLECTOR = PcieType.INTEGRATED_ENDPOINT, PcieType.EVENT_COLLECTOR


class Bar(Struct, eq=False):
    """One sized BAR. `pci` and `cpu` are None while unassigned; `index` 6 is the ROM, 7-12 the
    VF BARs of a PF (Linux's resource numbers). `size` in bytes (VF BAR: of one VF)."""

    index: int
    space: str
    prefetchable: bool
    size: int
    pci: int | None = None
    cpu: int | None = None


class Sriov(Struct, eq=False):
    """A PF's SR-IOV capability as Dom0 read it: where it is, and how many VFs a driver will enable
    (what firmware left enabled). `reserve` is the last bus number that its VFs may need, in 8 bits.
    `refused` says why enabling them failed, None where it did not: no place for their BARs, or the bus that
    they reach and the last that they may."""

    capability: int
    total: int
    vf_device: int
    wanted: int
    reserve: int
    refused: Literal["no-place"] | tuple[int, int] | None = None


class Bus(Struct, eq=False):
    """A bus that Dom0 made. `number` is what its registers and addresses hold, 8 bits; `start` is what the
    kernel counts from, larger by a multiple of 0x100 where bus numbers went around. `last` is the end of
    the bus numbers that it may use, `primary` what the bridge's primary register is given.

    `bridge` is the function above it: None on a root bus and on the virtual bus of SR-IOV VFs (then
    `virtual` is true and `parent` the PF's bus). `extended`: configuration space beyond 256 bytes can pass.
    `children` are the buses made below it; `inserted` tells that its numbers are free ones of the
    parent's (`pci_bus_insert_busn_res`)."""

    root: int
    segment: int
    number: int
    last: int
    bridge: Function | None = None
    parent: Bus | None = None
    virtual: bool = False
    extended: bool = True
    start: int = 0
    primary: int = 0
    inserted: bool = False
    children: list[Bus] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)

    @property
    def is_root(self) -> bool:
        return self.parent is None

    def at(self, devfn: int) -> Function | None:
        """The function that was found at a devfn."""
        return next((function for function in self.functions if function.devfn == devfn), None)


class Function(Struct, eq=False):
    """One present function.

    `root` indexes the list of Dom0's root bridges. `page` is the hardware page that answered. `pcie_type` is
    None for conventional functions. `acs` is (capability bits, control bits) or None. `multifunction` is
    what the kernel believes. `aliases` are devfns the function also
    uses on its bus, `acs_quirk` what the kernel answers of its isolation whatever its capability says:
    `known_by_id` holds `acs` and `alias` where that comes of its id, and not of the hardware image.
    `bridge_alias`: what a bridge known by id puts on requests from behind it (`known/linux.yaml`).
    `acs_control`: the offset of the control register in its ACS capability; `acs_hidden`: bits of it that
    the kernel leaves alone; `acs_elsewhere`: it leaves the whole register alone, and sets others instead.
    `ats_is_off`: this kernel does not use its ATS. `ari`: it has the ARI capability; `ari_forwarding`: ARI
    is switched on in this port. `bars` are sized ones only. `pcie_capability`, `acs_capability`,
    `ari_capability`: their offsets, 0 for none. `hotplug`: a hot-plug slot. `external_facing`: firmware
    says so of this port; `tunnels`: it is a port of a USB4 host; `untrusted`: it is behind such a port, and
    the kernel does not take it for a part of the machine. `gone`: it answered while buses were numbered,
    and does no longer at the end. `windows`: those that a bridge has, of `io`, `mem`, `pref32`, `pref64`."""

    root: int
    bus: Bus
    devfn: int
    page: str
    vendor: int
    device: int
    class_code: int
    revision: int
    header: int
    multifunction: bool
    subsystem: tuple[int, int] | None = None
    pcie_type: int | None = None
    acs: tuple[int, int] | None = None
    acs_quirk: AcsAnswer | None = None
    aliases: tuple[int, ...] = ()
    known_by_id: frozenset[str] = frozenset()
    acs_control: int = ACS_CONTROL
    acs_hidden: int = 0
    acs_elsewhere: bool = False
    gone: bool = False
    bridge_alias: str | None = None
    external_facing: bool = False
    tunnels: bool = False
    untrusted: bool = False
    secondary: int | None = None
    subordinate: int | None = None
    child_bus: Bus | None = None
    ari: bool = False
    ari_forwarding: bool = False
    physfn: Function | None = None
    virtual_functions: list[Function] = field(default_factory=list)
    pin: int = 0
    disintx: bool = False
    msi: int = 0
    msix: int = 0
    ats: bool = False
    ats_is_off: bool = False
    config_size: int = 4096
    pcie_capability: int = 0
    acs_capability: int = 0
    ari_capability: int = 0
    hotplug: bool = False
    windows: tuple[str, ...] = ()
    sriov: Sriov | None = None
    bars: list[Bar] = field(default_factory=list)
    group: int | None = None
    group_at_boot: bool = False

    @property
    def segment(self) -> int:
        return self.bus.segment

    @property
    def rid(self) -> int:
        """bus << 8 | devfn."""
        return self.bus.number << 8 | self.devfn

    @property
    def parent(self) -> Function | None:
        """The bridge above, or None on a root bus; a VF's is that of its PF."""
        return self.physfn.parent if self.physfn is not None else self.bus.bridge

    @property
    def sbdf(self) -> str:
        bus, devfn = self.bus.number, self.devfn
        return sbdf_text(self.segment, bus, devfn)

    @property
    def id(self) -> str:
        """`8086:1533`."""
        return f"{self.vendor:04x}:{self.device:04x}"

    @property
    def under_ari(self) -> bool:
        """Whether ARI is active on the function's bus (`pci_ari_enabled`)."""
        bridge = self.bus.bridge
        return bridge is not None and bridge.ari_forwarding

    @property
    def is_bridge(self) -> bool:
        return self.header == 1


class Root(Protocol):
    """A root bridge, as far as it is needed to find it in the firmware."""

    @property
    def path(self) -> str: ...

    @property
    def segment(self) -> int | None: ...

    @property
    def first_bus(self) -> int: ...

    @property
    def places(self) -> Mapping[str, Place]: ...


class Scan(Protocol):
    """What a kernel found: its root bridges, and all present functions in discovery order. Indexes of
    `root_bridges` are what `Function.root` counts."""

    @property
    def root_bridges(self) -> Sequence[Root]: ...

    @property
    def functions(self) -> Sequence[Function]: ...
