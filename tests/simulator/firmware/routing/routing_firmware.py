"""Firmware for the routing tests: a device tree by `dtc`, tables laid out as the specifications say."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from rootplex.formats.devicetree import MapCells
from rootplex.readers.acpi.aml import Namespace
from rootplex.readers.acpi.header import Table, read_table
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, dt_firmware
from rootplex.simulator.function import Function
from rootplex.simulator.linux.rootbridge import RootBridge

NODE = "/pcie@4010000000"
SMMU, ITS = "/smmuv3@9050000", "/intc@8000000/its@8080000"
GIC_PHANDLE = 1


@dataclass
class Scanned:
    """What Dom0 found, for the routers."""

    functions: list[Function]
    root_bridges: list[RootBridge] = field(
        default_factory=lambda: [RootBridge(0, NODE, {}, segment=0, first_bus=0)]
    )


def interrupt_map(devices: int = 4) -> str:
    """The standard swizzle: SPIs 3-6, rotated by device number (mask 0x1800 0 0 7)."""
    rows = [
        f"<{dev << 11:#x} 0 0 {pin} &gic 0 0 0 {3 + (pin - 1 + dev) % 4} 4>"
        for dev in range(devices)
        for pin in range(1, 5)
    ]
    return f"interrupt-map-mask = <0x1800 0 0 7>; interrupt-map = {', '.join(rows)};"


def device_tree(
    bridge: str = "",
    *,
    smmu: str = "",
    below: str = "",
    label: str = "",
    compatible: str = "pci-host-ecam-generic",
) -> DtFirmware:
    """A machine with GIC, ITS and SMMUv3 and one host bridge with these properties and children."""
    text = f"""/dts-v1/;
/ {{
    #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
    gic: intc@8000000 {{
        compatible = "arm,gic-v3"; reg = <0 0x8000000 0 0x10000>, <0 0x80a0000 0 0xf60000>;
        #interrupt-cells = <3>; #address-cells = <2>; #size-cells = <2>; interrupt-controller; ranges;
        its: its@8080000 {{
            compatible = "arm,gic-v3-its"; reg = <0 0x8080000 0 0x20000>; msi-controller; #msi-cells = <1>;
        }};
    }};
    smmu: smmuv3@9050000 {{
        compatible = "arm,smmu-v3"; reg = <0 0x9050000 0 0x20000>; #iommu-cells = <1>; {smmu}
    }};
    {label}pcie@4010000000 {{
        compatible = "{compatible}"; device_type = "pci"; reg = <0x40 0x10000000 0 0x10000000>;
        #address-cells = <3>; #size-cells = <2>; #interrupt-cells = <1>;
        bus-range = <0 0xff>; linux,pci-domain = <0>;
        ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>;
        {bridge}
        {below}
    }};
}};
"""
    return dt_firmware(read_dtb(compile_dts(text, "x.dts"), "x.dtb"), MapCells.TARGET)


def table(signature: str, revision: int, body: bytes) -> Table:
    """A table with a right length and checksum (ACPI 6.5 §5.2.6)."""
    head = struct.pack(
        "<4sIBB6s8sI4sI",
        signature.encode(),
        36 + len(body),
        revision,
        0,
        b"VENDOR",
        b"BOARD   ",
        1,
        b"INTL",
        1,
    )
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return read_table(bytes(data), f"{signature.lower()}.aml")


Mapping = tuple[int, int, int, int, int]
"""Input base, id count (number minus one), output base, output reference, flags."""

ITS_AT = 48
SMMU_AT = ITS_AT + 24


def _node(type: int, body: bytes, mappings: Iterable[Mapping]) -> bytes:
    packed = b"".join(struct.pack("<5I", *mapping) for mapping in mappings)
    offset = 16 + len(body)
    head = struct.pack("<BHBIII", type, offset + len(packed), 1, 0, len(packed) // 20, offset)
    return head + body + packed


def iort(root: Iterable[Mapping], *, segment: int = 0, type: int = 4, to_its: int = 0) -> Table:
    """ITS group (ITS 0) at 48, SMMU at 72 whose ids reach the ITS at `to_its`, root complex."""
    its = _node(0, struct.pack("<II", 1, 0), [])
    if type == 4:
        # All GSIVs are wired, so no mapping is the SMMU's own.
        body = struct.pack("<QIIQIIIIIII", 0x9050000, 1, 0, 0, 0, 9, 9, 9, 9, 0, 0)
    else:
        body = struct.pack("<QQIIIIIII", 0x9050000, 0x20000, 1, 0, 0, 0, 0, 0, 0)
    smmu = _node(type, body, [(0, 0xFFFF, to_its, ITS_AT, 0)])
    complex_ = _node(2, struct.pack("<IBHBIIBBH", 1, 0, 0, 3, 0, segment, 48, 0, 0), root)
    nodes = its + smmu + complex_
    return table("IORT", 3, struct.pack("<III", 3, 48, 0) + nodes)


def madt(*, its: Iterable[int] = (), gicd: bool = True, ioapic: bool = False) -> Table:
    """MADT with ITSs (ids) at 0x8080000, a distributor, or an I/O APIC."""
    entries = b""
    if gicd and not ioapic:
        entries += struct.pack("<BBHIQIB3x", 12, 24, 0, 0, 0x8000000, 0, 3)
    for id in its:
        entries += struct.pack("<BBHIQI", 15, 20, 0, id, 0x8080000, 0)
    if ioapic:
        entries += struct.pack("<BBBBII", 1, 12, 0, 0, 0xFEC00000, 0)
    return table("APIC", 4, struct.pack("<II", 0xFEE00000, 1) + entries)


def dmar(*drhds: bytes, width: int = 38) -> Table:
    return table("DMAR", 1, struct.pack("<BB10x", width, 1) + b"".join(drhds))


def drhd(base: int, *scopes: bytes, all: bool = False, segment: int = 0) -> bytes:
    body = b"".join(scopes)
    return struct.pack("<HHBBHQ", 0, 16 + len(body), all, 0, segment, base) + body


def scope(type: int, bus: int, *path: tuple[int, int]) -> bytes:
    hops = b"".join(bytes(hop) for hop in path)
    return struct.pack("<BBBBBB", type, 6 + len(hops), 0, 0, 0, bus) + hops


def acpi(*tables: Table, namespace: Namespace | None = None) -> AcpiFirmware:
    """The facts of some tables; without a namespace there are no devices."""
    return AcpiFirmware(tables, namespace or Namespace("dsdt.aml", (), (), ()))
