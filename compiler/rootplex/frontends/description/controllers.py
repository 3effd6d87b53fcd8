"""Controllers and IOMMUs of the description to the model, and those that a base machine brings along."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from rootplex.frontends.description.values import Fields
from rootplex.model.controllers import (
    AmdIommu,
    DtNode,
    GicV2,
    GicV2m,
    GicV3,
    IntelVtd,
    InterruptController,
    IoApic,
    Iommu,
    Its,
    MsiController,
    RiscvIommu,
    SmmuV2,
    SmmuV3,
)
from rootplex.model.numbers import Region
from rootplex.model.part import Places
from rootplex.model.platform import Aia

_ITS_SIZE = 128 << 10
_SMMU_SIZE = 128 << 10
_RISCV_IOMMU_SIZE = 4 << 10

# QEMU's `virt` and `q35` machines: hw/arm/virt.c base_memmap and a15irqmap; include/hw/i386/ioapic.h and
# hw/i386/intel_iommu_internal.h. The GIC is the version 3 one, with room for 123 redistributors; its
# maintenance interrupt is there with virtualization=on (include/hw/arm/virt.h: ARCH_GIC_MAINT_IRQ).
_QEMU_VIRT_ID_BITS = 16
_QEMU_VIRT_MAINTENANCE = 9


def _qemu_riscv(name: str, *compatible: str, base: int, size: int, cells: int) -> DtNode:
    """A controller of QEMU's riscv64 `virt`; its node is the base machine's."""
    return DtNode(
        name=name,
        built_in=True,
        compatible=compatible,
        base=base,
        size=size,
        cells=cells,
        address_cells=0,
        interrupts=(),
        controller=None,
        parent=None,
    )


BUILT_IN_INTERRUPT_CONTROLLERS: dict[str, tuple[InterruptController, ...]] = {
    "qemu-virt": (
        GicV3(
            name="gic",
            built_in=True,
            distributor=Region(0x0800_0000, 0x1_0000),
            redistributors=Region(0x080A_0000, 0xF6_0000),
        ),
    ),
    "qemu-q35": (IoApic(name="ioapic", built_in=True, base=0xFEC0_0000, gsi_base=0),),
}
RISCV_INTERRUPT_CONTROLLERS: dict[Aia, InterruptController] = {
    "none": _qemu_riscv(
        "plic", "sifive,plic-1.0.0", "riscv,plic0", base=0x0C00_0000, size=0x60_0000, cells=1
    ),
    "aplic": _qemu_riscv("aplic", "qemu,aplic", "riscv,aplic", base=0x0D00_0000, size=0x8000, cells=2),
    "aplic-imsic": _qemu_riscv("aplic", "qemu,aplic", "riscv,aplic", base=0x0D00_0000, size=0x8000, cells=2),
}
"""What lines of `qemu-riscv-virt` go to, by its key `aia` (hw/riscv/virt.c: virt_memmap)."""
RISCV_IMSIC: MsiController = _qemu_riscv(
    "imsic", "qemu,imsics", "riscv,imsics", base=0x2800_0000, size=0x1000, cells=0
)
"""Where its messages go with `aia: aplic-imsic`: no id goes with them."""
BUILT_IN_MSI_CONTROLLERS: dict[str, tuple[MsiController, ...]] = {
    "qemu-virt": (
        Its(
            name="its",
            built_in=True,
            base=0x0808_0000,
            size=_ITS_SIZE,
            id=0,
            device_id_bits=_QEMU_VIRT_ID_BITS,
        ),
    ),
}
BUILT_IN_IOMMUS: dict[str, tuple[Iommu, ...]] = {
    "qemu-virt": (
        SmmuV3(
            name="smmu",
            built_in=True,
            base=0x0905_0000,
            size=_SMMU_SIZE,
            eventq=74,
            priq=75,
            cmdq_sync=76,
            gerror=77,
            msi_controller=None,
            stream_id_bits=_QEMU_VIRT_ID_BITS,
        ),
    ),
    "qemu-riscv-virt": (
        RiscvIommu(
            name="iommu",
            built_in=True,
            base=0x0301_0000,
            size=_RISCV_IOMMU_SIZE,
            interrupts=(0x24, 0x25, 0x26, 0x27),
        ),
    ),
    "qemu-q35": (IntelVtd(name="vtd", built_in=True, base=0xFED9_0000, segment=0),),
}


_AMD_DEVFN = 2
"""AMD's own processors have their IOMMU at 00.2."""


def built_in_interrupt_controllers(base: str, aia: Aia) -> tuple[InterruptController, ...]:
    """The base machine's."""
    if base == "qemu-riscv-virt":
        return (RISCV_INTERRUPT_CONTROLLERS[aia],)
    return BUILT_IN_INTERRUPT_CONTROLLERS.get(base, ())


def interrupt_controllers(
    top: Fields, base: str, *, virtualization: bool, aia: Aia
) -> tuple[InterruptController, ...]:
    """The described ones, and the base machine's whose name nobody took."""
    return _with_built_in(
        top,
        tuple(_interrupt_controller(fields) for fields in top.maps("interrupt_controllers")),
        tuple(
            replace(each, maintenance=_QEMU_VIRT_MAINTENANCE)
            if virtualization and isinstance(each, GicV3)
            else each
            for each in built_in_interrupt_controllers(base, aia)
        ),
    )


def msi_controllers(top: Fields, base: str, *, aia: Aia) -> tuple[MsiController, ...]:
    bits = _QEMU_VIRT_ID_BITS if base == "qemu-virt" else 32
    described = tuple(
        _msi_controller(fields, place, bits) for place, fields in enumerate(top.maps("msi_controllers"))
    )
    built_in = BUILT_IN_MSI_CONTROLLERS.get(base, ())
    if base == "qemu-riscv-virt" and aia == "aplic-imsic":
        built_in = (RISCV_IMSIC,)
    return _with_built_in(top, described, built_in)


def iommus(top: Fields, base: str, *, aia: Aia) -> tuple[Iommu, ...]:
    bits = _QEMU_VIRT_ID_BITS if base == "qemu-virt" else 32
    described = tuple(_iommu(fields, bits) for fields in top.maps("iommus"))
    # A PC has the IOMMU of one maker.
    amd = any(isinstance(each, AmdIommu) for each in described)
    built_in = () if amd else BUILT_IN_IOMMUS.get(base, ())
    if aia == "aplic-imsic":
        built_in = tuple(
            replace(each, msi_controller=RISCV_IMSIC.name) if isinstance(each, RiscvIommu) else each
            for each in built_in
        )
    return _with_built_in(top, described, built_in)


def _with_built_in(top: Fields, described: tuple, built_in: tuple) -> tuple:  # type: ignore[type-arg]
    """Those of the base machine stand where the base is named."""
    names = {each.name for each in described}
    base = Places(top.node.find(("platform", "base")).place)
    return (*described, *(replace(each, places=base) for each in built_in if each.name not in names))


def _region(fields: Fields | None) -> Region:
    if fields is None:
        return Region(0, 0)
    return Region(fields.number("base") or 0, fields.number("size") or 0)


def _own(fields: Fields) -> dict[str, Any]:
    """What every controller has."""
    return {
        "places": fields.places(),
        "name": fields.text("name") or "",
        "enabled": fields.flag("enabled", default=True),
    }


def _interrupt_controller(fields: Fields) -> InterruptController:
    own = _own(fields)
    match fields.text("kind"):
        case "arm-gic-v3":
            return GicV3(
                **own,
                distributor=_region(fields.map("distributor")),
                redistributors=_region(fields.map("redistributors")),
                maintenance=fields.number("maintenance", 0, 15),
            )
        case "arm-gic-v2":
            return GicV2(
                **own,
                distributor=_region(fields.map("distributor")),
                cpu_interface=_region(fields.map("cpu_interface")),
                maintenance=fields.number("maintenance", 0, 15),
            )
        case "io-apic":
            return IoApic(
                **own,
                base=fields.number("base") or 0,
                gsi_base=fields.number("gsi_base", 0, 0xFFFF_FFFF) or 0,
            )
        case _:
            return _dt_node(fields)


def _msi_controller(fields: Fields, place: int, bits: int) -> MsiController:
    own = _own(fields)
    match fields.text("kind"):
        case "arm-gic-v3-its":
            ident = fields.number("id", 0, 0xFFFF_FFFF)
            return Its(
                **own,
                base=fields.number("base") or 0,
                size=fields.number("size") or _ITS_SIZE,
                id=place if ident is None else ident,
                device_id_bits=fields.number("device_id_bits", 1, 32) or bits,
            )
        case "arm-gic-v2m":
            return GicV2m(
                **own,
                base=fields.number("base") or 0,
                size=fields.number("size") or 0x1000,
                spi_base=fields.number("spi_base", 32, 1019) or 32,
                spi_count=fields.number("spi_count", 1, 988) or 1,
            )
        case _:
            return _dt_node(fields)


def _iommu(fields: Fields, bits: int) -> Iommu:
    own = _own(fields)
    base, size = fields.number("base") or 0, fields.number("size")
    match fields.text("kind"):
        case "arm-smmu-v3":
            lines = fields.map("interrupts")
            return SmmuV3(
                **own,
                base=base,
                size=size or _SMMU_SIZE,
                eventq=None if lines is None else lines.number("eventq", 0, 987),
                priq=None if lines is None else lines.number("priq", 0, 987),
                cmdq_sync=None if lines is None else lines.number("cmdq_sync", 0, 987),
                gerror=None if lines is None else lines.number("gerror", 0, 987),
                msi_controller=fields.text("msi_controller"),
                device_id=fields.number("device_id", 0, 0xFFFF_FFFF) or 0,
                stream_id_bits=fields.number("stream_id_bits", 1, 32) or bits,
            )
        case "arm-smmu-v2":
            return SmmuV2(
                **own,
                base=base,
                size=size or 0x1_0000,
                interrupts=fields.numbers("interrupts", 0, 987) or (),
                stream_id_bits=fields.number("stream_id_bits", 1, 16) or 15,
                model=fields.text("model") or "smmu-v2",
            )
        case "intel-vtd":
            return IntelVtd(
                **own,
                base=base,
                segment=fields.number("segment", 0, 0xFFFF) or 0,
            )
        case "riscv-iommu":
            device, function = fields.number("dev", 0, 31), fields.number("fn", 0, 7)
            return RiscvIommu(
                **own,
                base=fields.number("base"),
                size=size or _RISCV_IOMMU_SIZE,
                interrupts=fields.numbers("interrupts", 0, 0xFFFF_FFFF) or (),
                msi_controller=fields.text("msi_controller"),
                parent=fields.text("parent"),
                devfn=None if device is None else device << 3 | (function or 0),
            )
        case "amd-iommu":
            device, function = fields.number("dev", 0, 31), fields.number("fn", 0, 7)
            written = device is not None or function is not None
            return AmdIommu(
                **own,
                base=base,
                devfn=(device or 0) << 3 | (function or 0) if written else _AMD_DEVFN,
                capability=fields.number("capability", 0x40, 0xFC) or 0x40,
                scopes=fields.texts("scopes") or (),
            )
        case _:
            return _dt_node(fields)


def _dt_node(fields: Fields) -> DtNode:
    device, function = fields.number("dev", 0, 31), fields.number("fn", 0, 7)
    return DtNode(
        **_own(fields),
        compatible=fields.texts("compatible") or (),
        base=fields.number("base"),
        size=fields.number("size"),
        cells=fields.number("cells", 0, 8),
        address_cells=fields.number("address_cells", 0, 4),
        interrupts=fields.numbers("interrupts", 0, 0xFFFF_FFFF) or (),
        controller=fields.text("controller"),
        parent=fields.text("parent"),
        node=fields.text("node"),
        devfn=None if device is None else device << 3 | (function or 0),
    )
