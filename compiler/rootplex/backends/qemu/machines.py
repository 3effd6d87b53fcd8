"""QEMU's machines with PCI Express, as far as a description can contradict them.

Sources: QEMU 7.2, hw/arm/virt.c (`base_memmap`, `extended_memmap`, `a15irqmap`, `create_pcie`),
hw/pci-host/q35.c, hw/i386/pc_q35.c, and hw/riscv/virt.c (`virt_memmap`, `VIRT64_HIGH_PCIE_MMIO_SIZE`).
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from rootplex.model.controllers import AmdIommu
from rootplex.model.device import Space
from rootplex.model.numbers import BusRange, Region
from rootplex.model.platform import Platform

MIB = 1 << 20


class Abilities(Struct, frozen=True):
    """What the QEMU at hand can do; by default the one of Debian 12."""

    version: tuple[int, int] = (7, 2)

    def has(self, since: object) -> bool:
        """Whether it has what came with version `since` ("8.0")."""
        major, _, minor = str(since).partition(".")
        return self.version >= (int(major), int(minor or 0))


class MachineWindow(Struct, frozen=True):
    """Addresses that every root bus of the machine shares; PCI address = CPU address - `offset`."""

    space: Space
    region: Region
    offset: int = 0


class Machine(Struct, frozen=True, kw_only=True):
    """One machine. `irqs` are INTA…INTD of device 0 on the first root bus; None where firmware chooses.

    `expands`: it can have further root buses (pxb-pcie). `reserved` are the
    functions of bus 0 that the machine makes by itself, with their models.
    """

    name: str
    options: tuple[str, ...]
    with_iommu: tuple[str, ...]
    with_virtualization: tuple[str, ...] = ()
    iommu_device: str | None = None
    cpu: str
    ram: int
    ecam: int
    buses: BusRange = BusRange(0, 0xFF)
    windows: tuple[MachineWindow, ...]
    irqs: tuple[int, ...] | None
    units: tuple[tuple[str, int], ...]
    reserved: tuple[tuple[int, int, str], ...]
    more: tuple[str, ...] = ()
    expands: bool = True

    def option(self, *more: str, iommu: bool, virtualization: bool) -> str:
        """What stands behind `-machine`."""
        words = [*self.options, *more]
        words += self.with_iommu if iommu else ()
        words += self.with_virtualization if virtualization else ()
        return ",".join(words)


VIRT = Machine(
    name="virt",
    options=("virt", "gic-version=3"),
    with_iommu=("iommu=smmuv3",),
    with_virtualization=("virtualization=on",),
    cpu="cortex-a57",
    ram=0x4000_0000,
    ecam=0x40_1000_0000,
    windows=(
        MachineWindow("io", Region(0x3EFF_0000, 0x1_0000), offset=0x3EFF_0000),
        MachineWindow("mem32", Region(0x1000_0000, 0x2EFF_0000)),
        MachineWindow("mem64", Region(0x80_0000_0000, 0x80_0000_0000)),
    ),
    irqs=(3, 4, 5, 6),
    units=(("GicV3", 0x0800_0000), ("Its", 0x0808_0000), ("SmmuV3", 0x0905_0000)),
    reserved=((0, 0, "qemu:gpex-root"),),
)

Q35 = Machine(
    name="q35",
    options=("q35",),
    with_iommu=("kernel-irqchip=split",),
    iommu_device="intel-iommu,intremap=on",
    # Without cmpxchg16b: a fault in it spoils the flags under TCG, and a newer kernel's allocator panics.
    cpu="qemu64,-cx16",
    ram=0,
    ecam=0xB000_0000,
    windows=(
        MachineWindow("io", Region(0, 0x1_0000)),
        MachineWindow("mem32", Region(0xC000_0000, 0x3EC0_0000)),
        MachineWindow("mem64", Region(0x1_0000_0000, 0xFF_0000_0000)),
    ),
    irqs=None,
    units=(("IntelVtd", 0xFED9_0000),),
    reserved=(
        (0x00, 0, "qemu:q35-mch"),
        (0x1F, 0, "qemu:ich9-lpc"),
        (0x1F, 2, "qemu:ich9-ahci"),
        (0x1F, 3, "qemu:ich9-smbus"),
    ),
    # Otherwise QEMU's own DSDT has methods that a replaced one lacks.
    more=("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"),
)

AMD_Q35 = replace(
    Q35,
    iommu_device="amd-iommu,intremap=on",
    # Linux's driver asks for cmpxchg16b (drivers/iommu/amd/init.c, early_amd_iommu_init).
    cpu="qemu64",
    units=(("AmdIommu", 0xFED8_0000),),
    reserved=(*Q35.reserved, (0x01, 0, "qemu:amdvi-pci")),
)
"""The same with AMD's IOMMU, whose own function takes the first free slot."""

RISCV_VIRT = Machine(
    name="riscv64 virt",
    options=("virt",),
    with_iommu=("iommu-sys=on",),
    cpu="rv64",
    ram=0x8000_0000,
    ecam=0x3000_0000,
    windows=(
        MachineWindow("io", Region(0x0300_0000, 0x1_0000), offset=0x0300_0000),
        MachineWindow("mem32", Region(0x4000_0000, 0x4000_0000)),
        MachineWindow("mem64", Region(0x4_0000_0000, 0x4_0000_0000)),
    ),
    irqs=(0x20, 0x21, 0x22, 0x23),
    units=(("RiscvIommu", 0x0301_0000),),
    reserved=((0, 0, "qemu:gpex-root"),),
    expands=False,
)

MACHINES = {"qemu-virt": VIRT, "qemu-q35": Q35, "qemu-riscv-virt": RISCV_VIRT}


def machine_of(platform: Platform) -> Machine | None:
    """QEMU's machine for a platform; None where its base is none of QEMU's."""
    machine = MACHINES.get(platform.base)
    amd = any(isinstance(platform.controller(name), AmdIommu) for name in platform.units_named)
    if machine is RISCV_VIRT:
        return _riscv(platform)
    return AMD_Q35 if machine is Q35 and amd else machine


def _riscv(platform: Platform) -> Machine:
    """The machine with the described controllers. Its 64-bit window is the first 16 GiB, by their size, that
    lie above its memory (virt.c: virt_machine_init)."""
    *lower, high = RISCV_VIRT.windows
    size = high.region.size
    end = max((memory.region.end for memory in platform.memory), default=RISCV_VIRT.ram)
    above = replace(high, region=Region(-(-end // size) * size, size))
    options = (*RISCV_VIRT.options, *(() if platform.aia == "none" else (f"aia={platform.aia}",)))
    return replace(RISCV_VIRT, options=options, windows=(*lower, above))
