"""A topology written by hand as configuration space in guest RAM, under a device tree or ACPI tables.

Two segments behind QEMU's one SMMUv3. Offsets and values are those of PCI Express Base 6.0 chapter 7
(7.5.1 headers, 7.5.3 the PCI Express capability, 7.7.11 ACS), put down without any code of the project;
what a kernel makes of it is told by the vectors V01, V02 and V13 of the reference on Linux.

    0000:00:00.0 host bridge           0001:20:00.0 integrated endpoint, function 0, no ACS
    0000:00:01.0 root port, ACS        0001:20:00.2                      function 2, no ACS
      0000:01:00.0 endpoint            0001:20:00.6                      function 6, ACS
    0000:00:02.0 root port, no ACS
      0000:02:00.0, .1 endpoint of two functions
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent

RAM = 0x9000_0000  # where configuration space lies; Linux is told to stay below 0x8000_0000
ECAM = {0: RAM, 1: RAM + (16 << 20)}  # each of 16 buses; segment 1 starts at bus 0x20
FIRST_BUS = {0: 0x00, 1: 0x20}
SIZE = 32 << 20

ROOT_PORT, ENDPOINT, INTEGRATED = 4, 0, 9
FULL_ACS = 0x1F

FUNCTIONS = {
    (0, 0x00, 0x00): (0x1B36, 0x0008, 0x060000, None, None, False),
    (0, 0x00, 0x08): (0x1B36, 0x000C, 0x060400, ROOT_PORT, FULL_ACS, False),
    (0, 0x01, 0x00): (0x1234, 0x0001, 0x020000, ENDPOINT, None, False),
    (0, 0x00, 0x10): (0x1B36, 0x000C, 0x060400, ROOT_PORT, None, False),
    (0, 0x02, 0x00): (0x1234, 0x0002, 0x020000, ENDPOINT, None, True),
    (0, 0x02, 0x01): (0x1234, 0x0003, 0x020000, ENDPOINT, None, True),
    (1, 0x20, 0x00): (0x1234, 0x0004, 0x078000, INTEGRATED, None, True),
    (1, 0x20, 0x02): (0x1234, 0x0005, 0x078000, INTEGRATED, None, True),
    (1, 0x20, 0x06): (0x1234, 0x0006, 0x078000, INTEGRATED, FULL_ACS, True),
}
"""(segment, bus, devfn) to vendor, device, class, PCI Express type, ACS capability, multifunction."""

GROUPS = {
    frozenset({"0000:00:00.0"}),
    frozenset({"0000:00:01.0"}),
    frozenset({"0000:01:00.0"}),
    frozenset({"0000:00:02.0", "0000:02:00.0", "0000:02:00.1"}),
    frozenset({"0001:20:00.0", "0001:20:00.2"}),
    frozenset({"0001:20:00.6"}),
}


def name(function: tuple[int, int, int]) -> str:
    segment, bus, devfn = function
    return f"{segment:04x}:{bus:02x}:{devfn >> 3:02x}.{devfn & 7}"


def page(
    vendor: int, device: int, class_code: int, kind: int | None, acs: int | None, multifunction: bool
) -> bytes:
    """The 4096 bytes of one function: no BARs, no interrupt, bus numbers zero."""
    data = bytearray(4096)
    header = (1 if class_code == 0x060400 else 0) | (0x80 if multifunction else 0)
    struct.pack_into("<HHHH", data, 0, vendor, device, 0, 0x10 if kind is not None else 0)
    struct.pack_into("<I", data, 8, class_code << 8)
    data[0x0E] = header
    if kind is not None:
        data[0x34] = 0x40
        struct.pack_into("<BBH", data, 0x40, 0x10, 0, 2 | kind << 4)
    if acs is not None:
        struct.pack_into("<IHH", data, 0x100, 0x0001_000D, acs, 0)
    return bytes(data)


def memory() -> bytes:
    """What is loaded at `RAM`. Zero where no function is, which Linux takes for absent."""
    data = bytearray(SIZE)
    for (segment, bus, devfn), facts in FUNCTIONS.items():
        at = ECAM[segment] - RAM + (bus - FIRST_BUS[segment] << 20) + (devfn << 12)
        data[at : at + 4096] = page(*facts)
    return bytes(data)


def device_tree(qemu: str) -> str:
    """QEMU's own tree (DTS text) with these two host bridges in place of its own."""
    found = re.search(r"smmuv3@\w+ \{[^}]*?phandle = <(0x\w+)>", qemu)
    assert found is not None
    bridges = "".join(
        f"""
        pcie@{ECAM[segment]:x} {{
            compatible = "pci-host-ecam-generic";
            device_type = "pci";
            #address-cells = <3>;
            #size-cells = <2>;
            linux,pci-domain = <{segment}>;
            bus-range = <{FIRST_BUS[segment]:#x} {FIRST_BUS[segment] + 15:#x}>;
            reg = <0x0 {ECAM[segment]:#x} 0x0 0x1000000>;
            ranges = <0x2000000 0x0 {window:#x} 0x0 {window:#x} 0x0 0x8000000>;
            iommu-map = <{FIRST_BUS[segment] << 8:#x} {found[1]} {stream:#x} 0x1000>;
            dma-coherent;
        }};"""
        for segment, window, stream in ((0, 0x1000_0000, 0), (1, 0x2000_0000, 0x8000))
    )
    return f"{qemu}\n/ {{\n    /delete-node/ pcie@10000000;{bridges}\n}};\n"


def tables(compile_asl: Callable[[Path], bytes], machine: str) -> list[tuple[str, bytes]]:
    """The ACPI tables of a machine, `virt` or `q35`, compiled from the sources in its folder."""
    return [(f"{source.stem}.aml", compile_asl(source)) for source in sorted((HERE / machine).glob("*.asl"))]
