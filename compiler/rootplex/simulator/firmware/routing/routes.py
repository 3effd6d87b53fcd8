"""What routing finds: where an id or a pin ends, and which bytes of the firmware decided it.

A result always says one of two things: where it ends, or the `reason` why it ends nowhere (lower
case, no full stop). `steps` are the firmware entries on the way, in order; `place` is that of the
last of them, or of what is missing.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.simulator.function import Function
from rootplex.source.place import Place

UnitKind: TypeAlias = Literal[
    "smmu-v3",
    "smmu-v2",
    "vt-d",
    "amd-vi",
    "virtio-iommu",
    "riscv-iommu",
    "iommu",
    "its",
    "v2m",
    "msi",
    "lapic",
    "bridge",
]
"""What translates or takes messages; `iommu` and `msi` are those of no kind known here, `bridge` a host
bridge that takes messages itself."""


class FirmwareUnit(Struct, frozen=True):
    """An IOMMU or MSI controller. `name` is its DT node path or what ACPI calls it; `base` its
    first register address where known, by which one unit is recognised in both firmwares."""

    kind: UnitKind
    name: str
    base: int | None
    place: Place


class Step(Struct, frozen=True):
    """One firmware entry on the way: the id that came in, the id that went out (None: dropped),
    and what the entry is, in words."""

    text: str
    id_in: int
    id_out: int | None
    place: Place


class StreamRoute(Struct, frozen=True):
    """One requester id of `function` on its way to an IOMMU. `owner` is the function whose id it
    is: `function` itself, or a bridge above that puts its own id on what passes (a DMA alias).
    Mapped: `unit` and `id` (the StreamID, VT-d: the source id) are set."""

    function: Function
    owner: Function
    rid: int
    unit: FirmwareUnit | None
    id: int | None
    steps: tuple[Step, ...]
    reason: str | None
    place: Place | None


class DeviceStreams(Struct, frozen=True):
    """All requester ids of a function, its own first. `unit` is set where every one of them
    reaches one and the same IOMMU; else Linux leaves the device without an IOMMU, `reason` says
    why and `place` what decided it."""

    function: Function
    routes: tuple[StreamRoute, ...]
    unit: FirmwareUnit | None
    reason: str | None
    place: Place | None

    @property
    def own(self) -> StreamRoute:
        """The route of the function's own requester id."""
        return self.routes[0]


class MsiRoute(Struct, frozen=True):
    """Where message signalled interrupts of a function go. `rid` is the requester id its messages
    carry. `id` is the DeviceID; without a `controller` it is what Linux would take, the RID."""

    function: Function
    rid: int
    controller: FirmwareUnit | None
    id: int
    steps: tuple[Step, ...]
    reason: str | None
    place: Place | None


class IntxRoute(Struct, frozen=True):
    """Where the interrupt pin of a function goes. `pin` is 1-4 as its register says, `root_pin`
    what arrives at the node or `_PRT` that was asked, after the swizzle.

    Routed: `controller` (DT node path; ACPI: a link device, or None for a plain GSI) and `line`
    (specifier cells; ACPI: the GSI) are set; `irq` is the number as a description writes it: the
    SPI on a GIC, else the first cell or the GSI; None where it is not one number.
    """

    function: Function
    pin: int
    root_pin: int
    controller: str | None
    line: tuple[int, ...] | None
    irq: int | None
    steps: tuple[Step, ...]
    reason: str | None
    place: Place | None

    @property
    def is_routed(self) -> bool:
        return self.line is not None


class IntxLine(Struct, frozen=True):
    """One interrupt line and the functions whose pins end there, in discovery order."""

    controller: str | None
    line: tuple[int, ...]
    irq: int | None
    routes: tuple[IntxRoute, ...]

    @property
    def functions(self) -> tuple[Function, ...]:
        return tuple(route.function for route in self.routes)
