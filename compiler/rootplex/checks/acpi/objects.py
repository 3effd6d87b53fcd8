"""Objects of a host bridge in AML that are missing, cannot be used, or are taken."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.acpi import EXPRESS_ROOT_BRIDGE, ROOT_BRIDGE
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.source.finding import Finding, Level


@check("RPX0734", Level.ERROR, covers=("LNX-40", "XP-04"))
def segment_object_unusable(facts: Facts) -> Iterator[Finding]:
    """What it finds: a `_SEG` that does not evaluate, has more than 16 bits, or reads a region.
    Why it matters: Linux drops a bridge whose `_SEG` does not evaluate, and cuts a longer number to 16 bits.
    One that reads a region (a warning) may be evaluated before that region can be read.
    Example: `Name (_SEG, 0x10000)`.
    What to do: let `_SEG` be a plain number up to 0xffff.
    Source: ACPI 6.5 §6.5.6; Linux drivers/acpi/pci_root.c, acpi_pci_root_add.
    Sources that prove it: AML.
    """
    for bridge in bridges(facts):
        value = bridge.seg
        name = facts.name_of(bridge.path)
        if value.state == "failed":
            text, level = f"_SEG of {name} has no value: {value.reason}", Level.ERROR
        elif value.state == "unknown":
            text, level = f"_SEG of {name} is {value.reason}", Level.WARNING
        elif value.known is not None and value.known > 0xFFFF:
            text, level = f"_SEG of {name} is {value.known:#x}, more than 16 bits", Level.ERROR
        else:
            continue
        yield segment_object_unusable.rule.finding(
            value.place,
            text,
            level=level,
            help="let _SEG be a number up to 0xffff",
            subject=name,
        )


@check("RPX0790", Level.ERROR)
def status_object_unusable(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose `_STA` does not evaluate.
    Why it matters: Linux then takes the bridge for absent, and its devices are missing without a line in the
    log.
    Example: a `_STA` that calls a method which another table was to bring.
    What to do: let `_STA` return 0x0f, or leave it out.
    Source: ACPI 6.5 §6.3.7; Linux drivers/acpi/scan.c, acpi_scan_init_status.
    Sources that prove it: AML.
    """
    for bridge in facts.acpi_bridges:
        if bridge.sta.state == "failed":
            name = facts.name_of(bridge.path)
            yield status_object_unusable.rule.finding(
                bridge.sta.place,
                f"_STA of {name} has no value: {bridge.sta.reason}",
                notes=["Linux takes the bridge for absent"],
                help="let _STA return 0x0f, or leave it out",
                subject=name,
            )


@check("RPX0731", Level.ERROR, covers=("LNX-39",))
def cca_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: on Arm and RISC-V, a host bridge without `_CCA`.
    Why it matters: Linux then gives no device below it any DMA, and no IOMMU group.
    Example: a PNP0A08 device without `_CCA`.
    What to do: add `_CCA` with 1 (coherent) or 0.
    Source: ACPI 6.5 §6.2.17; Linux drivers/acpi/scan.c, acpi_init_coherency and acpi_get_dma_attr.
    Sources that prove it: AML.
    """
    for bridge in bridges(facts) if facts.arch in ("arm64", "riscv64") else ():
        if bridge.cca.state == "absent":
            name = facts.name_of(bridge.path)
            nested = bridge.path.count(".") > 1
            yield cca_missing.rule.finding(
                bridge.place,
                f"{name} has no _CCA",
                level=Level.WARNING if nested else Level.ERROR,
                notes=("a device above it may have one",) if nested else ("no device below it gets any DMA",),
                help="add _CCA: 1 where DMA is coherent, 0 where not",
                subject=name,
                about=with_maps(name),
            )


@check("RPX0710", Level.ERROR, covers=("LNX-28",))
def root_bridge_ids(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge of AML that is not PNP0A03 in `_HID` or `_CID`; one with ECAM that is not
    PNP0A08.
    Why it matters: Linux binds to PNP0A03 only: the bridge is not found. Without PNP0A08 it is taken for
    conventional PCI, and no PCIe service is negotiated.
    Example: `acpi: {hid: PNP0A08, cid: []}`.
    What to do: write `hid: PNP0A08` and `cid: [PNP0A03]`, which are the defaults.
    Source: Linux drivers/acpi/pci_root.c, root_device_ids and acpi_pci_root_add.
    Sources that prove it: AML.
    """
    for bridge in bridges(facts):
        name = facts.name_of(bridge.path)
        at = replace(bridge.place, path=f"{bridge.path}._CID")
        if ROOT_BRIDGE not in (bridge.hid, *bridge.cids):
            yield root_bridge_ids.rule.finding(
                at,
                f"{name} is {bridge.hid}, without PNP0A03 among its ids",
                notes=("Linux looks for host bridges by PNP0A03, in _HID or _CID",),
                help="add PNP0A03 to 'acpi.cid'",
                subject=name,
            )
        elif (
            facts.described is not None
            and bridge.hid != EXPRESS_ROOT_BRIDGE
            and _has_ecam(facts, bridge.path)
        ):
            yield root_bridge_ids.rule.finding(
                replace(at, path=f"{bridge.path}._HID"),
                f"{name} has ECAM and is {bridge.hid}, not PNP0A08",
                level=Level.WARNING,
                notes=("Linux takes it for conventional PCI and asks _OSC for no PCIe service",),
                help="write 'hid: PNP0A08'",
                subject=name,
            )


def _has_ecam(facts: Facts, path: str) -> bool:
    joined = facts.joined(path)
    return joined is not None and bool(joined.mcfg)


@check("RPX0732", Level.WARNING)
def uid_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: two host bridges with the same `_HID` and the same `_UID`.
    Why it matters: both together name a device; a quirk or a tool that looks a bridge up by them meets the
    first. Windows has been seen to stop at it (0xA5).
    Example: `acpi: {uid: 0}` on two bridges.
    What to do: give every bridge a `_UID` of its own.
    Source: ACPI 6.5 §6.1.12.
    Sources that prove it: AML, where the value does not depend on memory.
    """
    seen: dict[tuple[str | None, int | str], AcpiHostBridge] = {}
    for bridge in bridges(facts):
        uid = bridge.uid.known
        if uid is None:
            continue
        first = seen.setdefault((bridge.hid, uid), bridge)
        if first is not bridge:
            name = facts.name_of(bridge.path)
            yield uid_twice.rule.finding(
                bridge.uid.place,
                f"{name} has the _UID of {facts.name_of(first.path)}, {uid}",
                related=[(first.uid.place, "taken here")],
                notes=(f"both are {bridge.hid}",),
                help="give every bridge a _UID of its own",
                subject=name,
            )
