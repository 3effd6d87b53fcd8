"""A PCI host bridge: its segment, buses, configuration space, windows, interrupts and id maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec.structs import replace

from rootplex.formats.acpi import EXPRESS_ROOT_BRIDGE, OSC_DEFAULT, ROOT_BRIDGE
from rootplex.formats.pci import BUS_SIZE
from rootplex.model.device import Device, Pin, Space
from rootplex.model.numbers import BusRange, Region
from rootplex.model.part import Part

ConfigKind: TypeAlias = Literal["ecam", "cam", "windowed", "quirk"]
Firmware: TypeAlias = Literal["dt", "acpi"]


class Special(Part, frozen=True, kw_only=True):
    """A place where a `quirk` bridge departs from ECAM; `bus` is absolute, `first` resolved."""

    bus: int
    dev: int | None
    behaviour: Literal["hidden", "single-device", "all-ones", "elsewhere"]
    register: int | None


class Register(Part, frozen=True, kw_only=True):
    """One entry of `reg` and `reg-names`."""

    name: str
    base: int
    size: int


class ConfigSpace(Part, frozen=True, kw_only=True):
    """How configuration space is reached. `base` is that of the first bus of the bus range
    (the device tree's convention); for `windowed` base and size are the register block."""

    kind: ConfigKind
    base: int
    size: int
    sizes: tuple[int, ...]
    sizes_root_bus: tuple[int, ...] | None
    special: tuple[Special, ...]
    compatible: tuple[str, ...]
    registers: tuple[Register, ...]

    @property
    def region(self) -> Region:
        return Region(self.base, self.size)

    @property
    def is_ecam(self) -> bool:
        """Whether MCFG can describe it (`ecam` and `quirk`; never `cam` and `windowed`)."""
        return self.kind in {"ecam", "quirk"}


class Window(Part, frozen=True, kw_only=True):
    """Addresses that the bridge passes down: PCI side, CPU side, bytes."""

    space: Space
    pci: int
    cpu: int
    size: int
    prefetchable: bool


class DmaWindow(Part, frozen=True, kw_only=True):
    """Memory that devices below reach: PCI side, CPU side, bytes."""

    pci: int
    cpu: int
    size: int


class IntxEntry(Part, frozen=True, kw_only=True):
    """One wire: device number on the first bus (None: every device), pin A…D, interrupt number."""

    dev: int | None
    pin: Pin
    irq: int


class Intx(Part, frozen=True, kw_only=True):
    """Legacy interrupts: four lines rotated by device number, or the same four for each, or a map."""

    controller: str
    irqs: tuple[int, ...]
    swizzle: bool
    map: tuple[IntxEntry, ...]
    trigger: str


class IdMapEntry(Part, frozen=True, kw_only=True):
    """`count` requester ids from `rid` become ids from `id` at `target` (an MSI controller or IOMMU)."""

    rid: int
    id: int
    count: int
    target: str


class MsiMap(Part, frozen=True, kw_only=True):
    """RID → DeviceID. `entries` are always explicit (the identity is filled in). `controller` may be a host
    bridge, which then takes the messages itself; that is always by `parent`."""

    controller: str
    entries: tuple[IdMapEntry, ...]
    mask: int
    parent: bool


class IommuMap(Part, frozen=True, kw_only=True):
    """RID → StreamID. With `intel-vtd` `entries` is empty: the stream is the RID."""

    unit: str
    entries: tuple[IdMapEntry, ...]
    mask: int
    ats: bool
    pri: bool


class Override(Part, frozen=True, kw_only=True):
    """What one firmware says differently. None: as the bridge; "none": not said at all."""

    present: bool = True
    segment: int | Literal["none"] | None = None
    bus_range: BusRange | None = None
    config: ConfigSpace | None = None
    windows: tuple[Window, ...] | None = None
    msi: MsiMap | Literal["none"] | None = None
    iommu: IommuMap | Literal["none"] | None = None
    enabled: bool | None = None


class AcpiView(Override, frozen=True, kw_only=True):
    """The `acpi` key: overrides and what only ACPI has.

    `mcfg` True, False, or the bus range of the entry; `osc` the granted features."""

    uid: int | str | None = None
    hid: str = EXPRESS_ROOT_BRIDGE
    cid: tuple[str, ...] = (ROOT_BRIDGE,)
    osc: tuple[str, ...] = OSC_DEFAULT
    mcfg: bool | BusRange = True
    cba: bool = False


class DtView(Override, frozen=True, kw_only=True):
    """The `dt` key: overrides, a label, and vendor properties (name → value) for the node."""

    label: str | None = None
    properties: tuple[tuple[str, object], ...] = ()


class HostBridge(Part, frozen=True, kw_only=True):
    """One PCI host bridge and its tree. `index` is its place in the file, from 0."""

    index: int
    name: str
    segment: int | None
    bus_range: BusRange
    config: ConfigSpace
    windows: tuple[Window, ...]
    dma_windows: tuple[DmaWindow, ...] | None
    intx: Intx | None
    msi: MsiMap | None
    iommu: IommuMap | None
    dma_coherent: bool
    proximity: int | None
    hot_pluggable: bool
    enabled: bool
    preserve_boot_config: bool
    acpi: AcpiView
    dt: DtView
    devices: tuple[Device, ...]

    def as_seen_by(self, firmware: Firmware) -> HostBridge | None:
        """The bridge as one firmware describes it: its overrides applied, their places kept.

        None where that firmware does not have the bridge at all. An overridden bus range does
        not move the configuration space; write `config` for that.
        """
        view: Override = self.acpi if firmware == "acpi" else self.dt
        if not view.present:
            return None
        changes: dict[str, object] = {}
        for key in ("segment", "bus_range", "config", "windows", "msi", "iommu", "enabled"):
            value = getattr(view, key)
            if value is not None:
                changes[key] = None if value == "none" else value
        if not changes:
            return self
        return replace(self, places=self.places.replaced(changes, view.places), **changes)

    @property
    def msi_maps(self) -> tuple[MsiMap, ...]:
        """Every `msi` that is written of it: its own, and what a firmware says differently."""
        return tuple(each.msi for each in (self, self.acpi, self.dt) if isinstance(each.msi, MsiMap))

    @property
    def iommu_maps(self) -> tuple[IommuMap, ...]:
        """Every `iommu` that is written of it, likewise."""
        return tuple(each.iommu for each in (self, self.acpi, self.dt) if isinstance(each.iommu, IommuMap))

    def walk(self) -> Iterator[Device]:
        """Every function below, parents before children, in the order of the file."""
        for device in self.devices:
            yield from device.walk()

    @property
    def configuration_size(self) -> int:
        """Bytes that the bus range needs: buses × 1 MiB (CAM: 64 KiB); windowed: its block."""
        per_bus = BUS_SIZE.get(self.config.kind)
        return self.config.size if per_bus is None else self.bus_range.count * per_bus
