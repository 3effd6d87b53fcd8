"""The facts of a paste. What the text does not tell is None or empty, never filled in.

Sources: pciutils (lspci.c, ls-caps.c, ls-ecaps.c, ls-tree.c) for what lspci prints; the kernel's
Documentation/ABI/testing/sysfs-kernel-iommu_groups; for messages the kernel's drivers/pci/probe.c,
setup-bus.c, setup-res.c and drivers/iommu/iommu.c, of 3.x to 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

from rootplex.capture.facts import KernelWindow
from rootplex.formats.pci import sbdf_text
from rootplex.model.numbers import BusRange
from rootplex.source.place import Span

Form: TypeAlias = Literal["names", "verbose", "records", "bytes", "tree", "groups", "managed", "log"]
"""Of lspci the list, `-v`, `-vmm` (`-mm`), `-x` and `-t`; a list of groups; what Proxmox or libvirt shows; a
kernel's log."""

Shown: TypeAlias = Literal["nothing", "denied", "cut", "type", "whole"]
"""How much of a function's capabilities a text shows: none at all; none, as the reader was not root; perhaps
not all; the PCI Express type alone; all of them."""

RANK: dict[Shown, int] = {"nothing": 0, "denied": 1, "cut": 2, "type": 3, "whole": 4}

Where: TypeAlias = tuple[int, int, int]
"""Segment, bus, devfn."""


def called(where: Where) -> str:
    """`ssss:bb:dd.f`."""
    return sbdf_text(*where)


class PastedBar(Struct, frozen=True):
    """A BAR (0-5) or a VF's (7-12) as a text shows it: which register (None: `lspci -v` does not tell it),
    space, bytes, and its first address (None: it has none)."""

    index: int | None
    space: Literal["io", "mem32", "mem64"]
    size: int
    prefetchable: bool
    base: int | None


class Forwarded(Struct, frozen=True):
    """A window of a bridge: what it forwards, from the first to the last address."""

    space: Literal["io", "mem"]
    prefetchable: bool
    start: int
    end: int

    def __str__(self) -> str:
        return f"{'pref' if self.prefetchable else self.space} {self.start:#x}-{self.end:#x}"


class PastedFunction(Struct, frozen=True, kw_only=True):
    """One function by one text. `keys` are the description's, as far as the text tells them (`type` where
    it shows the PCI Express capability, or that there is none); `config` is configuration space, as far as it
    was printed. `bridge`: whether it has the header of a bridge; `buses` are its (secondary, subordinate).
    `virtual`: its name says that it is a virtual function; `amd`: that AMD made it. `acs_off`: controls of
    ACS that isolate, are offered, and are switched off. `rom`: bytes of its ROM; `forwards`: a bridge's
    windows."""

    where: Where
    place: Span
    form: Form
    shown: Shown = "nothing"
    keys: Mapping[str, object] = field(default_factory=dict)
    config: bytes = b""
    bridge: bool | None = None
    buses: tuple[int, int | None] | None = None
    virtual: bool = False
    amd: bool = False
    acs_off: tuple[str, ...] = ()
    bars: tuple[PastedBar, ...] = ()
    rom: int = 0
    forwards: tuple[Forwarded, ...] = ()


class PastedGroup(Struct, frozen=True):
    """A function's group in a list, in lspci's text or in the log (`form`)."""

    where: Where
    number: int
    form: Form
    place: Span


class PastedRoot(Struct, frozen=True, kw_only=True):
    """A root bus, where a text says that it is one. `windows` and `buses` are the log's; `node` and `acpi`
    what the log says of its firmware: a node's path, an ACPI device; `ports` where the processor has its I/O
    (by a device tree alone)."""

    segment: int
    bus: int
    place: Span
    buses: BusRange | None = None
    windows: tuple[tuple[KernelWindow, Span], ...] = ()
    node: str | None = None
    acpi: str | None = None
    ports: int | None = None
    by: Form = "log"


class Failure(Struct, frozen=True, kw_only=True):
    """A line about a resource that got no place: of a BAR (0-5, the ROM 6), a VF BAR (7-12) or a bridge's
    window (13-16; None where the line does not tell). `size` 0: not told."""

    where: Where
    index: int | None
    window: bool
    space: Literal["io", "mem"]
    prefetchable: bool
    wide: bool
    size: int
    text: str
    place: Span


class Complaint(Struct, frozen=True, kw_only=True):
    """What the kernel says is wrong with a host bridge's firmware: of which part, its words; the bridge by
    its root bus, node, device (`PNP0A08:00`), as far as the log tells. `bad`: something is lost by it."""

    part: Literal["bus_range", "config", "windows"]
    text: str
    device: str
    root: tuple[int, int] | None
    node: str | None
    bad: bool
    place: Span


class Log(Struct, frozen=True, kw_only=True):
    """The kernel's log: its release, by which firmware it booted, the words of its command line that bear on
    PCI, which kind of IOMMU it has (`intel-vtd`, `amd-iommu`, `arm-smmu-v3`, `virtio`), configuration space
    (segment, first bus, last bus, address of bus 0), lines about resources without a place, and about faults
    of firmware. `whole`: it begins where the kernel does."""

    release: str | None = None
    arch: str | None = None
    firmware: Literal["dt", "acpi"] | None = None
    arguments: tuple[str, ...] = ()
    iommu: str | None = None
    xen: bool = False
    whole: bool = False
    ecam: tuple[tuple[int, int, int, int], ...] = ()
    failures: tuple[Failure, ...] = ()
    complaints: tuple[Complaint, ...] = ()


class Paste(Struct, frozen=True, kw_only=True):
    """All of one text. `functions` holds several entries of a function where several forms tell of it."""

    file: str
    forms: frozenset[Form]
    functions: tuple[PastedFunction, ...] = ()
    groups: tuple[PastedGroup, ...] = ()
    roots: tuple[PastedRoot, ...] = ()
    parents: Mapping[tuple[int, int], Where] = field(default_factory=dict)
    log: Log = Log()
