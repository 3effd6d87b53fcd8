"""The facts of a snapshot: what a running kernel shows of its PCI host bridges and functions.

Sizes are bytes, addresses are the CPU's, and numbers of groups tell groups apart within one
snapshot only. Bytes that the script masked are zero; `masked` says how many it changed. Sources: the
kernel's Documentation/ABI/testing/sysfs-bus-pci and sysfs-kernel-iommu_groups.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from rootplex.model.numbers import BusRange, Sbdf
from rootplex.source.place import Span


class Resource(Struct, frozen=True):
    """A line of sysfs `resource`: its index (0–5 BARs, 6 the ROM, 7… an SR-IOV function's or a bridge's
    windows), the CPU addresses first…last, and the kernel's flags."""

    index: int
    start: int
    end: int
    flags: int


class KernelFunction(Struct, frozen=True, kw_only=True):
    """One function as the kernel shows it in sysfs. `parent` is the bridge above it, None on a root
    bus; `subsystem` is (vendor, device); `config` is what could be read, 64 to 4096 bytes; `node` is
    its own device tree node and `acpi` its own ACPI path, where it has one; `msi` is (`msi` or `msix`,
    vectors). `group` holds once every function was offered a driver, where `Snapshot.offers` says so."""

    sbdf: Sbdf
    place: Span
    path: str
    bridge: str
    parent: Sbdf | None
    vendor: int
    device: int
    subsystem: tuple[int, int]
    revision: int
    class_code: int
    config: bytes
    masked: int
    resources: tuple[Resource, ...]
    driver: str | None
    group: int | None
    group_at_boot: int | None
    offered: bool
    unit: str | None
    physfn: Sbdf | None
    node: str | None
    acpi: str | None
    irq: int
    ari: bool
    msi: tuple[str, int] | None


class KernelWindow(Struct, frozen=True):
    """A window of a host bridge: first…last CPU address, and the PCI address of its first byte."""

    space: Literal["mem", "io"]
    prefetchable: bool
    start: int
    end: int
    pci: int


class KernelHostBridge(Struct, frozen=True, kw_only=True):
    """A root bus: where sysfs has it, its DT node or ACPI device, and what the kernel's messages say
    of its buses and windows (None and empty where the log has lost them)."""

    segment: int
    bus: int
    place: Span
    path: str
    node: str | None
    acpi: str | None
    hid: str | None
    uid: str | None
    buses: BusRange | None
    windows: tuple[KernelWindow, ...]


class KernelGroup(Struct, frozen=True):
    """An IOMMU group: the names of its members, PCI functions and others, and its domain type."""

    number: int
    members: tuple[str, ...]
    type: str | None


RESERVED = re.compile(r"Reserved$|PCI (ECAM|MMCONFIG) ")
BY_MEMORY_MAP = re.compile(
    r"\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\].* reserved (?:as|in) (?:E820|EfiMemoryMappedIO)"
)


class Range(Struct, frozen=True):
    """A line of /proc/iomem or /proc/ioports; `depth` 0 lies in no other."""

    depth: int
    start: int
    end: int
    name: str


class Message(Struct, frozen=True):
    """A line of the kernel's log that is about PCI, ACPI or an IOMMU; seconds since the start."""

    time: float | None
    text: str


class Block(Struct, frozen=True):
    """Bytes of the firmware: `dtb`, or the name of an ACPI table as /sys/firmware/acpi/tables has it."""

    name: str
    data: bytes
    masked: int


class Snapshot(Struct, frozen=True, kw_only=True):
    """A whole snapshot. `offers` says whether functions without a group were offered a driver."""

    file: str
    release: str
    machine: str
    firmware: Literal["dt", "acpi"] | None
    hypervisor: str | None
    arguments: tuple[str, ...]
    offers: bool
    bridges: tuple[KernelHostBridge, ...]
    functions: tuple[KernelFunction, ...]
    units: tuple[str, ...]
    groups: tuple[KernelGroup, ...]
    memory: tuple[Range, ...]
    ports: tuple[Range, ...]
    messages: tuple[Message, ...]
    dtb: Block | None
    tables: tuple[Block, ...]

    @property
    def reserved(self) -> tuple[tuple[int, int], ...]:
        """(base, end) of what the firmware's memory map reserves, or the kernel has taken for ECAM: by
        /proc/iomem, and by what it said of MCFG (arch/x86/pci/mmconfig-shared.c, `is_mmconf_reserved`)."""
        lines = ((each.start, each.end + 1) for each in self.memory if RESERVED.match(each.name) and each.end)
        said = (found for each in self.messages if (found := BY_MEMORY_MAP.search(each.text)))
        return (*lines, *((int(found[1], 16), int(found[2], 16) + 1) for found in said))
