"""The QEMU machine that takes the place of a described one, its configuration space in guest memory.

What is taken on each: memory and devices, by QEMU's memory maps (hw/arm/virt.c; hw/i386/pc.c and pc_q35.c;
hw/riscv/virt.c), and on x86 what a PC's kernel claims for itself (arch/x86/kernel/setup.c, e820.c).
"""

from __future__ import annotations

from msgspec import Struct

from rootplex.model.bridge import Window
from rootplex.model.numbers import Region
from rootplex.model.platform import Arch, Base

GIB, MIB = 1 << 30, 1 << 20


class StandIn(Struct, frozen=True, kw_only=True):
    """One machine, and how a kernel on it is kept to the configuration space in memory.

    Linux is given `ram`. Configuration space begins at `config`, in the last stretch of QEMU's memory, which
    begins at `stretch`; `before` bytes of memory lie lower. `least` is the smallest memory, `room` what
    firmware needs behind configuration space. `devices` are addresses that windows cannot have, `ports`
    stretches of ports that a window has whole or not at all. `append` is for the kernel's command line, with
    `{size}` for the bytes of that last stretch.
    """

    base: Base
    arch: Arch
    machine: str
    controllers: str
    ram: Region
    config: int
    stretch: int
    before: int = 0
    least: int
    room: int = 0
    devices: tuple[Region, ...]
    ports: tuple[Region, ...] = ()
    machine_options: tuple[str, ...] = ()
    iommu_device: str | None = None
    append: tuple[str, ...] = ()
    iommu_since: tuple[int, int] = (0, 0)
    """The first QEMU whose machine has an IOMMU."""

    def memory(self, end: int) -> int:
        """Bytes of QEMU's memory, whole GiB, for configuration space that ends at `end`."""
        return max(self.least, -(-(self.before + end + self.room - self.stretch) // GIB) * GIB)

    def is_free(self, window: Window, memory: int) -> bool:
        """Whether a host bridge can have the window beside the machine's memory of that size and devices."""
        place = Region(window.cpu, window.size)
        if window.space == "io" and self.ports:
            return all(not place.overlaps(each) or _contains(place, each) for each in self.ports)
        taken = (Region(self.stretch, memory - self.before), *self.devices)
        return not any(place.overlaps(each) for each in taken)

    def words(self, end: int) -> tuple[str, ...]:
        """What the kernel's command line needs for configuration space that ends at `end`."""
        size = self.memory(end) - self.before
        return tuple(word.format(size=f"{size:#x}") for word in self.append)


def _contains(outer: Region, inner: Region) -> bool:
    return outer.base <= inner.base and inner.end <= outer.end


VIRT = StandIn(
    base="qemu-virt",
    arch="arm64",
    machine="virt",
    controllers="GIC, ITS and SMMU",
    ram=Region(0x4000_0000, GIB),
    config=0x9000_0000,
    stretch=0x4000_0000,
    least=4 * GIB,
    room=GIB,  # UEFI has the end of memory to itself
    devices=(Region(0, 256 * MIB),),
    ports=(),  # a window of ports is one of addresses
    append=("mem=1G",),
)

# QEMU's own functions are reached through the ports CF8h-CFFh alone. A kernel that finds them taken
# (`reserve=`) has no first way to segment 0 (arch/x86/pci/direct.c:pci_direct_probe) and uses ECAM for all of
# it (common.c:raw_pci_read). Low memory ends at 1 GiB, so that windows have room below 4 GiB.
Q35 = StandIn(
    base="qemu-q35",
    arch="x86_64",
    machine="q35",
    controllers="IO-APIC and VT-d unit",
    ram=Region(0, GIB),
    config=4 * GIB,
    stretch=4 * GIB,
    before=GIB,
    least=2 * GIB,
    devices=(
        Region(0, 0xA_0000),
        Region(0xC_0000, GIB - 0xC_0000),
        Region(0xB000_0000, 256 * MIB),  # the chipset's own ECAM
        Region(0xFEC0_0000, 4 * GIB - 0xFEC0_0000),
        Region(0xFD_0000_0000, 12 * GIB),  # HyperTransport, reserved for processors of AMD's kind
    ),
    ports=(Region(0, 0x400), Region(0x600, 0x80), Region(0xCF8, 8)),
    machine_options=("max-ram-below-4g=1G",),
    iommu_device="intel-iommu,intremap=off",
    append=("reserve=0xcf8,8", "memmap={size}$0x100000000"),
)

RISCV_VIRT = StandIn(
    base="qemu-riscv-virt",
    arch="riscv64",
    machine="virt",
    controllers="PLIC and IOMMU",
    iommu_since=(10, 0),
    ram=Region(0x8000_0000, GIB),
    config=0xC000_0000,
    stretch=0x8000_0000,
    least=4 * GIB,
    devices=(Region(0, 0x3000_0000),),
    ports=(),
    append=(),  # QEMU leaves the memory of a tree that it is given as it is
)

STAND_INS: dict[Arch, StandIn] = {"arm64": VIRT, "arm": VIRT, "x86_64": Q35, "riscv64": RISCV_VIRT}
"""By the described platform's architecture."""
