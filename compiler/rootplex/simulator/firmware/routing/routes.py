"""What routing finds: where an id or a pin ends, and which bytes of the firmware decided it.

A result always says one of two things: where it ends, or the `cause` why it ends nowhere. `steps` are the
firmware entries on the way, in order; `place` is that of the last of them, or of what is missing.
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


CauseKind: TypeAlias = Literal[
    "no-node",  # of the host bridge in the device tree
    "no-device",  # of the host bridge in the namespace
    "no-map",  # a host bridge without `iommu-map`
    "no-msi",  # a host bridge with neither `msi-map` nor `msi-parent`
    "no-parent",  # an empty `msi-parent`
    "no-iort",
    "no-imsic",  # on RISC-V: there is no MADT, or none of its processors has one
    "no-table",  # neither IORT nor one that says which unit translates a function
    "no-cca",
    "not-mapped",  # by the map `of`, as its reader tells
    "disabled",  # where the map `of` leads
    "no-driver",  # likewise; `told` by the device tree's reader
    "parent-missing",  # `msi-parent` with a phandle, `id`, of no node
    "parent-lacking",  # `msi-parent` without `id` cells of its specifier
    "parent-disabled",
    "parent-takes-none",  # the host bridge `name`, whose driver takes no messages
    "group-empty",  # an ITS group of IORT without an ITS
    "its-unknown",  # an ITS that MADT does not have
    "registers-taken",  # two units of a table have them at `id`
    "no-unit",  # a table has none for the function in its segment
    "itself",  # it is an IOMMU
    "no-own-function",  # the one called `name`, of the unit at `id`
    "behind-itself",  # the unit `name` is a function that is mapped to it, and whose driver waits for it
    "unit-not-there",  # a unit that is the function `name`
    "viot-unit-not-there",
    "unit-without-function",  # a unit, the node `name`, where no function is
    "no-root-complex",
    "no-root-complex-node",
    "no-mapping",
    "no-range",
    "mapping-nowhere",
    "alias-lost",  # the requester id `id` that goes with its own, for another cause
    "alias-elsewhere",  # it goes to another IOMMU
    "kernel-without-driver",
    "pin-not-mapped",  # as the reader of `interrupt-map` tells
    "pin-without-driver",  # of the interrupt controller
    "no-prt",
    "no-prt-entry",  # for the device `id` and the pin `name`
]


class Cause(Struct, frozen=True):
    """Why something ends nowhere, with what belongs to it: the table or property that says so, a segment, an
    id or another number, a name; what a reader tells; and the cause behind it. Its sentence is made in
    `report.causes`."""

    kind: CauseKind
    of: str = ""
    segment: int = 0
    id: int = 0
    name: str = ""
    told: str = ""
    behind: Cause | None = None


StepKind: TypeAlias = Literal[
    "map-entry",  # of the property `of`: `count` ids from `number` on, to `name`
    "msi-parent",
    "own-messages",  # no `msi-parent`: the driver of the bridge `name` takes them
    "interrupt-map",
    "iort-mapping",  # `count` of the node at `number`
    "iort-last-id",  # likewise; its last id, taken since no range starts there
    "dmar-scope",
    "dmar-rest",  # the unit that takes all the rest
    "ivrs-entry",
    "ivrs-alias",
    "viot-range",
    "rimt-mapping",
    "msi-frame",
    "local-apic",
    "imsic",
    "prt-entry",  # of the device `number`, to `name`
]


class Step(Struct, frozen=True):
    """One firmware entry on the way: what it is, the id that came in, and the id that went out (None:
    dropped). Its words are in `report.causes`."""

    kind: StepKind
    id_in: int
    id_out: int | None
    place: Place
    of: str = ""
    number: int = 0
    count: int = 0
    name: str = ""


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
    cause: Cause | None
    place: Place | None


class DeviceStreams(Struct, frozen=True):
    """All requester ids of a function, its own first. `unit` is set where every one of them
    reaches one and the same IOMMU; else Linux leaves the device without an IOMMU, `cause` says
    why and `place` what decided it."""

    function: Function
    routes: tuple[StreamRoute, ...]
    unit: FirmwareUnit | None
    cause: Cause | None
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
    cause: Cause | None
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
    cause: Cause | None
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
