"""A whole description to the model; the document has passed the schema."""

from __future__ import annotations

from typing import Literal

from rootplex.frontends.description import controllers
from rootplex.frontends.description.bridges import U32, Surroundings, build_bridge
from rootplex.frontends.description.values import Fields
from rootplex.known.kernels import DEFAULT
from rootplex.known.xen import DEFAULT as DEFAULT_XEN
from rootplex.model.numbers import Sbdf
from rootplex.model.platform import (
    Aia,
    Boot,
    Dom0,
    Expect,
    ExpectWhen,
    Guest,
    Memory,
    Platform,
    Suppression,
    Xen,
)
from rootplex.source.node import Node

_FIRMWARE = {"arm64": ("dt", "acpi"), "x86_64": ("acpi",), "arm": ("dt",), "riscv64": ("dt",)}
_BASE_MEMORY = {"qemu-virt": (0x4000_0000, 1 << 30), "qemu-riscv-virt": (0x8000_0000, 1 << 30)}

# QEMU's own tables carry these ids with OEM revision 1; a table replaces them only with a greater one.
_QEMU_OEM = ("BOCHS ", "BXPC    ", 2)
_OWN_OEM = ("RTPLEX", "ROOTPLEX", 1)
_VMALLOC = 240 << 20


def build_platform(top: Fields, file: str) -> Platform:
    """The model of the description in `file`."""
    head = top.map("platform") or Fields(Node({}, top.node.place), top.faults)
    arch = head.text("arch") or "arm64"
    base = head.text("base") or "none"
    firmware = head.texts("firmware") or _FIRMWARE[arch]
    virtualization = _virtualization(top, head, base)
    aia = _aia(top, head, base)
    interrupt_controllers = controllers.interrupt_controllers(
        top, base, virtualization=virtualization, aia=aia
    )
    iommus = controllers.iommus(top, base, aia=aia)
    bridges = frozenset(fields.text("name") or "" for fields in top.maps("host_bridges"))
    around = Surroundings(interrupt_controllers, iommus, bridges)
    oem_id, oem_table_id, oem_revision = _oem(head, base)
    return Platform(
        places=head.places(),
        file=file,
        name=head.text("name") or "",
        title=head.text("title"),
        arch=arch,  # type: ignore[arg-type]  # the schema's enum
        vendor=head.text("vendor"),
        model=head.text("model"),
        compatible=head.texts("compatible") or (),
        firmware=firmware,  # type: ignore[arg-type]
        base=base,  # type: ignore[arg-type]
        aia=aia,
        virtualization=virtualization,
        oem_id=oem_id,
        oem_table_id=oem_table_id,
        oem_revision=oem_revision,
        bootargs=head.text("bootargs"),
        console=head.text("console"),
        memory=_memory(top, base),
        interrupt_controllers=interrupt_controllers,
        msi_controllers=controllers.msi_controllers(top, base, aia=aia),
        iommus=iommus,
        host_bridges=tuple(
            build_bridge(fields, index, around) for index, fields in enumerate(top.maps("host_bridges"))
        ),
        boot=_boot(top.map("boot")),
        hypervisor=None if _is_off(top.get("xen")) else "xen",
        for_xen=_is_for_xen(top),
        xen=_linux(top, arch, firmware) if _is_off(top.get("xen")) else _xen(top, arch, firmware),
        expect=_expect(top.map("expect")),
        suppress=tuple(
            Suppression(
                places=fields.places(),
                code=fields.text("code") or "",
                subject=fields.text("at"),
                reason=fields.text("reason") or "",
            )
            for fields in top.maps("suppress")
        ),
    )


def _virtualization(top: Fields, head: Fields, base: str) -> bool:
    """QEMU's machine with virtualization=on: as it is said, else where the author speaks of Xen."""
    written = head.get("virtualization")
    if base == "qemu-virt":
        return head.flag("virtualization", default=_is_for_xen(top))
    if written is not None:
        top.faults.value(
            written.place,
            "'virtualization' is for the base machine qemu-virt",
            help="say what a hypervisor needs where it is: a GIC's is 'maintenance'",
        )
    return False


def _aia(top: Fields, head: Fields, base: str) -> Aia:
    """The interrupt controllers of QEMU's RISC-V machine."""
    written = head.get("aia")
    if written is not None and base != "qemu-riscv-virt":
        top.faults.value(
            written.place,
            "'aia' is for the base machine qemu-riscv-virt",
            help="describe the board's own controllers in interrupt_controllers and msi_controllers",
        )
    return head.text("aia") or "none"  # type: ignore[return-value]  # the schema's enum


def _oem(head: Fields, base: str) -> tuple[str, str, int]:
    ident, table, revision = _QEMU_OEM if base.startswith("qemu-") else _OWN_OEM
    own = head.map("oem")
    if own is None:
        return ident, table, revision
    written = own.number("revision", 0, U32)
    return (
        (own.text("id") or ident).ljust(6),
        (own.text("table_id") or table).ljust(8),
        revision if written is None else written,
    )


def _memory(top: Fields, base: str) -> tuple[Memory, ...]:
    written = tuple(
        Memory(places=each.places(), base=each.number("base") or 0, size=each.number("size") or 0)
        for each in top.maps("memory")
    )
    if written or base not in _BASE_MEMORY:
        return written
    start, size = _BASE_MEMORY[base]
    return (Memory(base=start, size=size),)


def _boot(fields: Fields | None) -> Boot | None:
    if fields is None:
        return None
    return Boot(
        places=fields.places(),
        device=fields.text("device") or "",
        placement=fields.text("placement") or "mcfg",  # type: ignore[arg-type]  # the schema's enum
    )


def _is_off(xen: Node | None) -> bool:
    """`xen: false`: there is no hypervisor."""
    return xen is not None and xen.value is False


def _is_for_xen(top: Fields) -> bool:
    """Whether there is a key `xen` that does not switch it off."""
    xen = top.get("xen")
    return xen is not None and not _is_off(xen)


def _linux(top: Fields, arch: str, firmware: tuple[str, ...]) -> Xen:
    """Linux on bare metal: `linux` and `guests` stand at the top."""
    linux = top.map("linux") or _nothing(top)
    return Xen(
        places=top.places(),
        version=DEFAULT_XEN,
        discovery="dom0",
        pci_passthrough=True,
        iommu=True,
        vpci=False,
        pci_phantom=(),
        dom0=_dom0(linux, arch, firmware),
        guests=_guests(top),
    )


def _nothing(fields: Fields) -> Fields:
    """A map without keys, where the author wrote none."""
    return Fields(Node({}, fields.node.place), fields.faults)


def _xen(top: Fields, arch: str, firmware: tuple[str, ...]) -> Xen:
    for key, below in (("linux", "xen.dom0"), ("guests", "xen.guests")):
        node = top.get(key)
        if node is not None:
            top.faults.value(
                node.place,
                f"'{key}' at the top is for a machine without Xen",
                help=f"write it as {below}, or say 'xen: false'",
            )
    fields = top.map("xen") or _nothing(top)
    return Xen(
        places=fields.places(),
        version=fields.text("version") or DEFAULT_XEN,
        discovery=fields.text("discovery") or "dom0",  # type: ignore[arg-type]
        pci_passthrough=fields.flag("pci_passthrough", default=True),
        iommu=fields.flag("iommu", default=True),
        vpci=fields.flag("vpci", default=False),
        pci_phantom=tuple(_phantom(each) for each in fields.texts("pci_phantom") or ()),
        dom0=_dom0(fields.map("dom0") or _nothing(fields), arch, firmware),
        guests=_guests(fields),
    )


def _phantom(text: str) -> tuple[int, int, int, int]:
    """Xen's `[segment:]bus:device,stride`, hexadecimal but for the stride."""
    slot, _, stride = text.partition(",")
    segment, bus, device = (int(each, 16) for each in ("0:" + slot).split(":")[-3:])
    return segment, bus, device, int(stride)


def _dom0(fields: Fields, arch: str, firmware: tuple[str, ...]) -> Dom0:
    """The kernel that owns the machine: Dom0's, or Linux's own."""
    registers: Literal["before-scan", "after-scan", "after-first-device"]
    registers = fields.text("registers") or "before-scan"  # type: ignore[assignment]
    default_firmware = "dt" if "dt" in firmware else "acpi"
    return Dom0(
        places=fields.places(),
        bits=fields.number("bits", 32, 64) or (32 if arch == "arm" else 64),  # type: ignore[arg-type]
        kernel=fields.text("kernel") or DEFAULT,
        firmware=fields.text("firmware") or default_firmware,  # type: ignore[arg-type]
        memory=fields.number("memory"),
        probe_order=fields.texts("probe_order"),
        registers=registers,
        lpae=fields.flag("lpae", default=False),
        vmalloc=fields.number("vmalloc") or _VMALLOC,
    )


def _guests(fields: Fields) -> tuple[Guest, ...]:
    return tuple(
        Guest(places=each.places(), name=each.text("name") or "", devices=each.texts("devices") or ())
        for each in fields.maps("guests")
    )


def _expect(fields: Fields | None) -> Expect:
    if fields is None:
        return Expect()
    addresses, segments = fields.get("addresses"), fields.get("segments")
    boot = fields.text("boot")
    return Expect(
        places=fields.places(),
        addresses=()
        if addresses is None
        else tuple((name, Sbdf.parse(str(node.value))) for name, node in _entries(addresses)),
        segments=()
        if segments is None
        else tuple((name, fields.bounded(node, name, 0, 0xFFFF)) for name, node in _entries(segments)),
        groups=_lists(fields.get("groups")),
        isolated=fields.texts("isolated") or (),
        shared=_lists(fields.get("shared")) or (),
        boot=None if boot is None else Sbdf.parse(boot),
        findings=fields.texts("findings") or (),
        when=tuple(_when(each) for each in fields.maps("when")),
    )


def _when(fields: Fields) -> ExpectWhen:
    return ExpectWhen(
        places=fields.places(),
        firmware=fields.text("firmware"),  # type: ignore[arg-type]  # the schema's enum
        kernels=fields.texts("kernels"),
        expect=_expect(fields),
    )


def _entries(node: Node) -> list[tuple[str, Node]]:
    return list(node.value.items()) if isinstance(node.value, dict) else []


def _lists(node: Node | None) -> tuple[tuple[str, ...], ...] | None:
    if node is None:
        return None
    return tuple(tuple(str(item.value) for item in group.items) for group in node.items)
