"""How Xen, Dom0's kernel, its initrd and both command lines come into the machine.

Arm: the modules lie in RAM, and `/chosen` of the very blob that was compiled says where (Xen's
docs/misc/arm/device-tree/booting.txt). x86: they are multiboot modules, as QEMU's `-initrd` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fdt
from msgspec import Struct

from rootplex.model.numbers import Region
from rootplex.model.platform import Platform
from rootplex.tools.runner import ToolError

MIB = 1 << 20
MODULES = 144 * MIB
"""From the start of RAM: behind Xen and behind the tree, which QEMU puts at 128 MiB (hw/arm/boot.c)."""
_ALIGNED = 2 * MIB
_CX16 = "cx16"
"""Xen's VT-d wants it; Linux is kept from it, as on bare metal (backends/qemu/machines.py)."""
DOM0_MEMORY = 512 * MIB
SMALLEST = 256 * MIB
"""Of Dom0's memory: Debian's kernel and an initrd do not run with less."""


class Module(Struct, frozen=True):
    """A file that Xen's loader puts into RAM: its kind (of `multiboot,…`), where it lies, what it is."""

    kind: str
    at: Region
    file: Path


def dom0_memory(platform: Platform) -> int:
    """Bytes of RAM for Dom0: as described, else half of the machine's and at most 512 MiB.

    ToolError where the machine has too little for both.
    """
    whole = sum(each.size for each in platform.memory)
    asked = platform.xen.dom0.memory
    memory = min(whole // 2, DOM0_MEMORY) if asked is None else asked
    if memory < SMALLEST or memory > whole - SMALLEST:
        raise ToolError(
            f"{platform.name} has {whole // MIB} MiB of RAM, of which Dom0 is to have {memory // MIB}: "
            f"Xen and its Dom0 need {SMALLEST // MIB} each"
        )
    return memory


def xen_words(platform: Platform) -> str:
    """Xen's command line: the description's switches, every message; no restart, so that an end is seen."""
    xen = platform.xen
    words = ["noreboot", "loglvl=all", "guest_loglvl=all", "bootscrub=0"]
    words.append(f"dom0_mem={dom0_memory(platform) // MIB}M")
    words.append("iommu=verbose" if xen.iommu else "iommu=off")
    words += [f"pci-phantom={s:x}:{b:02x}:{d:02x},{n}" for s, b, d, n in xen.pci_phantom]
    if platform.arch == "x86_64":
        return " ".join([*words, "console=com1", "com1=115200", f"dom0-cpuid=no-{_CX16}"])
    return " ".join([*words, f"pci-passthrough={'on' if xen.pci_passthrough else 'off'}"])


def modules(platform: Platform, kernel: Path, initrd: Path) -> tuple[Module, ...]:
    """The kernel and the initrd in the first stretch of RAM; ToolError where they do not fit."""
    ram = platform.memory[0]
    at, found = ram.base + MODULES, []
    for kind, file in (("kernel", kernel), ("ramdisk", initrd)):
        size = file.stat().st_size
        found.append(Module(kind, Region(at, size), file))
        at += -(-size // _ALIGNED) * _ALIGNED
    if at > ram.base + ram.size:
        raise ToolError(f"Dom0's kernel and initrd do not fit into the RAM at {ram.base:#x}")
    return tuple(found)


def chosen(blob: bytes, parts: Sequence[Module], xen: str, dom0: str) -> bytes:
    """The tree with what Xen's loader says in `/chosen`: command lines and modules, all else as it was."""
    tree = fdt.parse_dtb(blob)
    if not tree.exist_node("/chosen"):
        tree.add_item(fdt.Node("chosen"), "/")
    node = tree.get_node("/chosen")
    for name, value in (("#address-cells", 2), ("#size-cells", 2)):
        node.set_property(name, value)
    node.set_property("xen,xen-bootargs", xen)
    node.set_property("xen,dom0-bootargs", dom0)
    for part in parts:
        module = fdt.Node(f"module@{part.at.base:x}")
        module.set_property("compatible", [f"multiboot,{part.kind}", "multiboot,module"])
        module.set_property("reg", [*_wide(part.at.base), *_wide(part.at.size)])
        node.append(module)
    data: bytes = tree.to_dtb(version=17)
    return data


def _wide(value: int) -> tuple[int, int]:
    return value >> 32, value & 0xFFFF_FFFF


def arm_arguments(image: Path, blob: Path, parts: Sequence[Module]) -> list[str]:
    """QEMU's: Xen as the kernel, the tree, and a loader for each module."""
    argv = ["-kernel", str(image), "-dtb", str(blob)]
    for part in parts:
        argv += ["-device", f"loader,file={_escaped(part.file)},addr={part.at.base:#x},force-raw=on"]
    return argv


def with_processor(argv: Sequence[str]) -> list[str]:
    """QEMU's arguments with the instruction that the machine otherwise does without."""
    return [each.removesuffix(f",-{_CX16}") for each in argv]


def x86_arguments(image: Path, kernel: Path, initrd: Path, xen: str, dom0: str) -> list[str]:
    """QEMU's: Xen by multiboot, and `-initrd FILE WORDS,FILE` (hw/i386/multiboot.c)."""
    modules = f"{_escaped(kernel)} {dom0.replace(',', ',,')},{_escaped(initrd)}"
    return ["-kernel", str(image), "-append", xen, "-initrd", modules]


def _escaped(path: Path) -> str:
    """A comma in a value of QEMU's is written twice."""
    return str(path).replace(",", ",,")
