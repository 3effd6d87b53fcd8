"""What the simulator is given: bytes, and how the machine is run."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rootplex.known.kernels import DEFAULT
from rootplex.known.xen import DEFAULT as DEFAULT_XEN


class Blob(Struct, frozen=True):
    """An artifact: the file's name, for places, and its bytes."""

    file: str
    data: bytes


class Artifacts(Struct, frozen=True, kw_only=True):
    """The bytes of one platform. Without `config` there is no hardware, and what depends on
    devices is unknown. `tables` are whole ACPI tables, in the order the firmware lists them."""

    dtb: Blob | None = None
    tables: tuple[Blob, ...] = ()
    config: Blob | None = None
    pages: Blob | None = None


class GuestWish(Struct, frozen=True):
    """A guest and the page ids of the functions that it is to be given."""

    name: str
    pages: tuple[str, ...]


class Settings(Struct, frozen=True, kw_only=True):
    """How the machine is run: the language's `xen` key (or `linux` and `guests`, without a hypervisor) with
    names replaced by artifact places. What is only Xen's counts where there is one.

    `kernel` and `xen` name the profiles of Linux and of Xen. `boot` is the page id of the boot device.
    `probe_order` lists DT node paths (or AML paths); None is the firmware's order. `memory` are (base,
    size) of RAM where the artifacts do not say it (ACPI). `ports_taken`: an x86 kernel is told that its
    configuration ports are somebody else's (`reserve=0xcf8,8`). `address_bits` is Xen's p2m width.
    `reserved` are (base, end) that the firmware's memory map reserves, where a running machine tells.
    `pci_phantom` is (segment, bus, device, stride) of each of Xen's options of that name.
    `bootargs` is the kernel's command line where no device tree says it.
    """

    arch: Literal["arm64", "arm", "x86_64", "riscv64"]
    firmware: Literal["dt", "acpi"]
    hypervisor: Literal["xen"] | None = "xen"
    kernel: str = DEFAULT
    xen: str = DEFAULT_XEN
    bits: Literal[32, 64] = 64
    lpae: bool = False
    vmalloc: int = 240 << 20
    probe_order: tuple[str, ...] | None = None
    registers: Literal["before-scan", "after-scan", "after-first-device"] = "before-scan"
    discovery: Literal["dom0", "xen"] = "dom0"
    pci_passthrough: bool = True
    iommu: bool = True
    vpci: bool = False
    pci_phantom: tuple[tuple[int, int, int, int], ...] = ()
    guests: tuple[GuestWish, ...] = ()
    boot: str | None = None
    memory: tuple[tuple[int, int], ...] = ()
    ports_taken: bool = False
    address_bits: int = 48
    bootargs: str | None = None
    reserved: tuple[tuple[int, int], ...] = ()

    @property
    def role(self) -> Literal["bare-metal", "arm", "pv", "pvh"]:
        """What the kernel is to the hypervisor. On x86 Xen's Dom0 is PVH where it has vPCI."""
        if self.hypervisor is None:
            return "bare-metal"
        if self.arch != "x86_64":
            return "arm"
        return "pvh" if self.vpci else "pv"
