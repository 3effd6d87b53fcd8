"""What the host bridges refer to by name: interrupt controllers, MSI controllers, IOMMUs."""

from __future__ import annotations

from typing import ClassVar

from rootplex.model.numbers import Region
from rootplex.model.part import Part


class Controller(Part, frozen=True, kw_only=True):
    """What all of them have. `built_in`: it came with `base: qemu-virt`, nobody described it."""

    name: str
    enabled: bool = True
    built_in: bool = False


class Gic(Controller, frozen=True, kw_only=True):
    """`maintenance` is the PPI of its virtual CPU interface; None: it has none for a hypervisor."""

    distributor: Region
    maintenance: int | None = None


class GicV3(Gic, frozen=True, kw_only=True):
    redistributors: Region


class GicV2(Gic, frozen=True, kw_only=True):
    cpu_interface: Region


class IoApic(Controller, frozen=True, kw_only=True):
    base: int
    gsi_base: int


class Its(Controller, frozen=True, kw_only=True):
    """`id` is the identifier that MADT and IORT use for it."""

    base: int
    size: int
    id: int
    device_id_bits: int


class GicV2m(Controller, frozen=True, kw_only=True):
    """`spi_base` is the interrupt ID as MSI_TYPER has it (SPI + 32)."""

    base: int
    size: int
    spi_base: int
    spi_count: int


class SmmuV3(Controller, frozen=True, kw_only=True):
    """Interrupts are SPI numbers, edge; None where the unit has no such line. `device_id` is the DeviceID of
    its own messages at `msi_controller`."""

    base: int
    size: int
    eventq: int | None
    priq: int | None
    cmdq_sync: int | None
    gerror: int | None
    msi_controller: str | None
    stream_id_bits: int
    device_id: int = 0


class SmmuV2(Controller, frozen=True, kw_only=True):
    """Of version 1 too: `model` is what it is, as a device tree has it behind `arm,`."""

    base: int
    size: int
    interrupts: tuple[int, ...]
    stream_id_bits: int
    model: str = "smmu-v2"


class RidIommu(Controller, frozen=True, kw_only=True):
    """An IOMMU whose streams are requester ids, so that there is no map to it. `called`: in messages."""

    called: ClassVar[str]
    base: int


class IntelVtd(RidIommu, frozen=True, kw_only=True):
    called: ClassVar[str] = "VT-d unit"
    segment: int


class AmdIommu(RidIommu, frozen=True, kw_only=True):
    """`devfn` is the unit's own function on the first bus behind it, `capability` where its capability is
    there. `scopes` names the functions that it translates, bridges with all below; none: all of its
    bridges."""

    called: ClassVar[str] = "AMD IOMMU"
    devfn: int = 0
    capability: int = 0x40
    scopes: tuple[str, ...] = ()


class RiscvIommu(Controller, frozen=True, kw_only=True):
    """RISC-V's: with registers at `base`, or the function `devfn` of the first bus of the bridge `parent`.
    `interrupts` are its wires, edge; `msi_controller` takes its messages."""

    base: int | None
    size: int
    interrupts: tuple[int, ...] = ()
    msi_controller: str | None = None
    parent: str | None = None
    devfn: int | None = None


class DtNode(Controller, frozen=True, kw_only=True):
    """A vendor's own controller that only the device tree can say.

    `cells` is its #interrupt-cells, #msi-cells or #iommu-cells by the list it stands in;
    `controller` the interrupt parent; `parent` the bridge whose child node it is, and `devfn` which function
    of that bridge's first bus, where it is one. `node` is the node's name without its address; None: by what
    it is."""

    compatible: tuple[str, ...]
    base: int | None
    size: int | None
    cells: int | None
    address_cells: int | None
    interrupts: tuple[int, ...]
    controller: str | None
    parent: str | None
    devfn: int | None = None
    node: str | None = None


InterruptController = GicV3 | GicV2 | IoApic | DtNode
MsiController = Its | GicV2m | DtNode
Iommu = SmmuV3 | SmmuV2 | IntelVtd | AmdIommu | RiscvIommu | DtNode
