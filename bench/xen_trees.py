"""QEMU's arm64 tree with another host bridge or IOMMU than QEMU has, for a real Xen to boot on.

What Xen asks of them while it boots and answers calls is there. The ZynqMP bridge's configuration space is
ECAM. An SMMUv2 is memory that holds its identification registers (Arm IHI 0062 §10), since what a driver
writes it reads again. So are R-Car's registers, with a root port's configuration space, and its window shows
one and the same function of QEMU's wherever it is pointed to. Nothing is translated.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import fdt

DOM0 = 0x4900_0000
MEMORY, MEMORY_SIZE = 0x4000_0000, 0x1E00_0000
SPARE, SMMU, SMMU_SIZE = 0x5E00_0000, 0x5E80_0000, 0x2_0000
"""Memory that the tree does not tell of."""
CONTEXTS = 8
STAGE_2, STREAM_MATCH, COHERENT_WALK, STREAM_BITS, MATCHES = 1 << 29, 1 << 27, 1 << 14, 15 << 9, 64
PAGES_OF_128K = 3 << 28
SIZES_48_BIT, PAGES_4K = 0x555, 0x1000
REGISTERS = {
    0x20: STAGE_2 | STREAM_MATCH | COHERENT_WALK | STREAM_BITS | MATCHES,
    0x24: PAGES_OF_128K | CONTEXTS,
    0x28: PAGES_4K | SIZES_48_BIT,
}
"""SMMU_IDR0 to 2 of an SMMUv2 with stage 2 only, by offset."""
ECAM, ROOT_PORT, SHOWN = 0x40_1000_0000, 0x08, 0x18
"""QEMU's configuration space, and two functions there."""

Pages = Mapping[int, bytes]


def zynqmp(tree: fdt.FDT) -> None:
    """The host bridge as Xilinx's, whose configuration space is the third entry of `reg`."""
    node = tree.get_node("/pcie@10000000")
    own = list(node.get_property("reg"))
    node.set_property("compatible", "xlnx,nwl-pcie-2.11")
    node.set_property("reg-names", ["breg", "pcireg", "cfg"])
    node.set_property("reg", [0, SPARE, 0, 0x1000, 0, SPARE + 0x1000, 0, 0x1000, *own])


def rcar(tree: fdt.FDT) -> None:
    """The host bridge as Renesas', whose root bus and other buses have windows of their own."""
    node = tree.get_node("/pcie@10000000")
    node.set_property("compatible", "renesas,r8a779f0-pcie")
    node.set_property("reg-names", ["dbi", "atu", "app", "config"])
    registers = [(SPARE, 0x10_0000), (SPARE + 0x10_0000, 0x1_0000), (SPARE + 0x20_0000, 0x1000)]
    window = ECAM + (SHOWN << 12)
    cells = [cell for base, size in registers for cell in (0, base, 0, size)]
    node.set_property("reg", [*cells, window >> 32, window & 0xFFFF_FFFF, 0, 0x10_0000])


def rcar_pages(pages: Pages) -> dict[int, bytes]:
    """What R-Car's root bus has: one port."""
    return dict.fromkeys(range(1, 256), bytes(4096)) | {0: pages[ROOT_PORT], 0x100: pages[SHOWN]}


def rcar_memory(pages: Pages) -> dict[int, bytes]:
    return {SPARE: pages[ROOT_PORT]}


def smmu_v2_memory(pages: Pages) -> dict[int, bytes]:
    return {SMMU + at: value.to_bytes(4, "little") for at, value in REGISTERS.items()}


def loaded(memory: Mapping[int, bytes]) -> str:
    """QEMU's arguments for what is in memory at the start, by address."""
    words = {
        base + at: word
        for base, data in memory.items()
        for at in range(0, len(data), 4)
        if (word := int.from_bytes(data[at : at + 4], "little"))
    }
    return "".join(f" -device loader,addr={at:#x},data={word:#x},data-len=4" for at, word in words.items())


def smmu_v2(tree: fdt.FDT) -> None:
    """An SMMUv2 with the handle of QEMU's SMMUv3 in its place."""
    handle = tree.get_node("/smmuv3@9050000").get_property("phandle").value
    tree.remove_node("smmuv3@9050000")
    node = fdt.Node(f"smmu@{SMMU:x}")
    node.set_property("compatible", ["arm,mmu-500", "arm,smmu-v2"])
    node.set_property("reg", [0, SMMU, 0, SMMU_SIZE])
    node.set_property("#global-interrupts", 1)
    node.set_property("interrupts", [cell for line in range(100, 101 + CONTEXTS) for cell in (0, line, 4)])
    node.set_property("#iommu-cells", 1)
    node.set_property("phandle", handle)
    tree.add_item(node)


def bootable(dtb: bytes, edit: Callable[[fdt.FDT], None]) -> bytes:
    """The tree with the edit, memory that leaves the registers out, and Dom0's module in `/chosen`."""
    tree = fdt.parse_dtb(dtb)
    edit(tree)
    tree.get_node(f"/memory@{MEMORY:x}").set_property("reg", [0, MEMORY, 0, MEMORY_SIZE])
    chosen = tree.get_node("/chosen")
    chosen.set_property("#address-cells", 2)
    chosen.set_property("#size-cells", 2)
    module = fdt.Node(f"module@{DOM0:x}")
    module.set_property("compatible", ["multiboot,kernel", "multiboot,module"])
    module.set_property("reg", [0, DOM0, 0, 0x10_0000])
    module.set_property("bootargs", "x")
    chosen.append(module)
    version = struct.unpack_from(">I", dtb, 20)[0]
    return bytes(tree.to_dtb(version))
