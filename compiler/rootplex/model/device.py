"""A PCI function in the tree below a host bridge, with everything that its registers say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from rootplex.formats.pci import PcieType
from rootplex.model.part import Part

DeviceType: TypeAlias = Literal[
    "root-port", "upstream-port", "downstream-port", "endpoint", "legacy-endpoint",
    "integrated-endpoint", "event-collector", "pcie-to-pci-bridge", "pci-to-pcie-bridge",
    "pci-bridge", "pci", "host-bridge-function",
]  # fmt: skip

PCIE_TYPE: dict[str, int] = {type.word: type.value for type in PcieType}
"""Device/Port Type of the PCIe capability (PCIe 6.0 §7.5.3.2); the other types have none."""

BRIDGE_TYPES: frozenset[DeviceType] = frozenset(
    {
        "root-port", "upstream-port", "downstream-port",
        "pcie-to-pci-bridge", "pci-to-pcie-bridge", "pci-bridge",
    }
)  # fmt: skip
"""Types with a type 1 header and a bus below."""

PORT_TYPES: frozenset[DeviceType] = frozenset({"root-port", "downstream-port"})
"""Ports with a link below them: only device 0 is there (unless ARI)."""

Space: TypeAlias = Literal["io", "mem32", "mem64"]
Pin: TypeAlias = Literal["A", "B", "C", "D"]


class Bar(Part, frozen=True, kw_only=True):
    """One base address register; `index` 0-5 (0-1 on bridges), a mem64 takes two."""

    index: int
    space: Space
    size: int
    prefetchable: bool


class Sriov(Part, frozen=True, kw_only=True):
    """SR-IOV: TotalVFs, First VF Offset, VF Stride, the VFs' device id, VFs switched on. `bars` are those of
    one VF. `acs` is a VF's capability where it has one of its own (`own_acs`), `msix` its vectors; else the
    PF's."""

    total: int
    offset: int
    stride: int
    vf_id: int
    enabled: int
    bars: tuple[Bar, ...] = ()
    own_acs: bool = False
    acs: tuple[str, ...] | None = None
    msix: int | None = None


class Alias(Part, frozen=True, kw_only=True):
    """A further requester id that the device uses on its own bus."""

    dev: int
    fn: int

    @property
    def devfn(self) -> int:
        return self.dev << 3 | self.fn


class Device(Part, frozen=True, kw_only=True):
    """One function. `key` is its position in the file (`0.2.1`), unique, for those without a name.

    Absent capabilities are None, False or 0. `acs` is None without the capability and a
    (possibly empty) tuple of `sv tb rr cr uf ec dt` with it: what the capability offers.
    `multifunction` is header bit 7 as the hardware shows it. `acs_quirk`, `aliases`: None where nothing is
    said, so that what Linux knows by the id holds."""

    key: str
    name: str | None
    dev: int
    fn: int
    type: DeviceType
    model: str | None
    vendor: int
    device: int
    subsystem: tuple[int, int] | None
    revision: int
    class_code: int
    multifunction: bool
    acs: tuple[str, ...] | None
    acs_quirk: Literal["isolated", "none"] | None
    aliases: tuple[Alias, ...] | None
    ari: bool
    ats: bool
    flr: bool
    pm: bool
    msi: int
    msix: int
    pin: Pin | None
    disintx: bool
    dma_bits: int
    bars: tuple[Bar, ...]
    rom: int | None
    sriov: Sriov | None
    slot: int | None
    hotplug: bool
    external_facing: bool
    bus: tuple[int, int] | None
    present: bool
    properties: tuple[tuple[str, object], ...]
    devices: tuple[Device, ...]

    @property
    def devfn(self) -> int:
        """Device and function as one byte; with ARI the function number alone (0-255)."""
        return self.dev << 3 | self.fn

    @property
    def is_bridge(self) -> bool:
        return self.type in BRIDGE_TYPES

    @property
    def pcie_type(self) -> int | None:
        return PCIE_TYPE.get(self.type)

    @property
    def label(self) -> str:
        """What messages call it: its name, else its position."""
        return self.name or f"device {self.dev:02x}.{self.fn:x}"

    def walk(self) -> Iterator[Device]:
        """This function and everything below it, parents first, in the order of the file."""
        yield self
        for child in self.devices:
            yield from child.walk()
