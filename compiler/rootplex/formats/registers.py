"""The names of configuration space registers: header, capabilities, extended capabilities.

Sources: PCIe 6.0 §7.5.1 (headers), §7.5.3 (PCI Express), §7.7.1 (MSI), §7.7.2 (MSI-X), §7.7.11 (ACS), §7.8.7
(ARI), §9.3.3 (SR-IOV), §10.5.1 (ATS); PCI-to-PCI Bridge 1.2 §3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from rootplex.formats.pci import Capability, ExtendedCapability, SriovRegister

Registers: TypeAlias = Mapping[int, tuple[int, str]]
"""Offset → (size in bytes, name)."""

_COMMON: Registers = {
    0x00: (2, "vendor id"),
    0x02: (2, "device id"),
    0x04: (2, "command"),
    0x06: (2, "status"),
    0x08: (1, "revision"),
    0x09: (3, "class"),
    0x0C: (1, "cache line size"),
    0x0D: (1, "latency timer"),
    0x0E: (1, "header type"),
    0x0F: (1, "BIST"),
    0x34: (1, "capability list"),
    0x3C: (1, "interrupt line"),
    0x3D: (1, "interrupt pin"),
}

_HEADERS: tuple[Registers, Registers] = (
    {
        **_COMMON,
        **{0x10 + 4 * i: (4, f"BAR {i}") for i in range(6)},
        0x28: (4, "CardBus CIS"),
        0x2C: (2, "subsystem vendor id"),
        0x2E: (2, "subsystem id"),
        0x30: (4, "ROM BAR"),
        0x3E: (2, "latency"),
    },
    {
        **_COMMON,
        0x10: (4, "BAR 0"),
        0x14: (4, "BAR 1"),
        0x18: (1, "primary bus"),
        0x19: (1, "secondary bus"),
        0x1A: (1, "subordinate bus"),
        0x1B: (1, "secondary latency timer"),
        0x1C: (1, "I/O base"),
        0x1D: (1, "I/O limit"),
        0x1E: (2, "secondary status"),
        0x20: (2, "memory base"),
        0x22: (2, "memory limit"),
        0x24: (2, "prefetchable base"),
        0x26: (2, "prefetchable limit"),
        0x28: (4, "prefetchable base, upper half"),
        0x2C: (4, "prefetchable limit, upper half"),
        0x30: (2, "I/O base, upper half"),
        0x32: (2, "I/O limit, upper half"),
        0x38: (4, "ROM BAR"),
        0x3E: (2, "bridge control"),
    },
)

_CAPABILITIES: Mapping[int, tuple[str, Registers]] = {
    Capability.POWER_MANAGEMENT: (
        "power management",
        {0x02: (2, "capabilities"), 0x04: (2, "control and status")},
    ),
    Capability.MSI: ("MSI", {0x02: (2, "control"), 0x04: (4, "address"), 0x08: (8, "address or data")}),
    Capability.PCIX: ("PCI-X", {0x02: (2, "command"), 0x04: (4, "status")}),
    Capability.SUBSYSTEM: ("subsystem", {0x04: (2, "vendor id"), 0x06: (2, "id")}),
    Capability.EXPRESS: (
        "PCI Express",
        {
            0x02: (2, "capabilities"),
            0x04: (4, "device capabilities"),
            0x08: (2, "device control"),
            0x0A: (2, "device status"),
            0x0C: (4, "link capabilities"),
            0x10: (2, "link control"),
            0x12: (2, "link status"),
            0x14: (4, "slot capabilities"),
            0x18: (2, "slot control"),
            0x1A: (2, "slot status"),
            0x1C: (2, "root control"),
            0x1E: (2, "root capabilities"),
            0x20: (4, "root status"),
            0x24: (4, "device capabilities 2"),
            0x28: (2, "device control 2"),
            0x2A: (2, "device status 2"),
            0x2C: (4, "link capabilities 2"),
            0x30: (2, "link control 2"),
            0x32: (2, "link status 2"),
        },
    ),
    Capability.MSIX: ("MSI-X", {0x02: (2, "control"), 0x04: (4, "table"), 0x08: (4, "pending bits")}),
    Capability.ADVANCED_FEATURES: ("advanced features", {}),
    Capability.ENHANCED_ALLOCATION: ("enhanced allocation", {}),
}

_EXTENDED: Mapping[int, tuple[str, Registers]] = {
    ExtendedCapability.AER: ("AER", {0x04: (4, "uncorrectable status"), 0x08: (4, "uncorrectable mask")}),
    ExtendedCapability.ACS: ("ACS", {0x04: (2, "capability"), 0x06: (2, "control")}),
    ExtendedCapability.ARI: ("ARI", {0x04: (2, "capability"), 0x06: (2, "control")}),
    ExtendedCapability.ATS: ("ATS", {0x04: (2, "capability"), 0x06: (2, "control")}),
    ExtendedCapability.SRIOV: (
        "SR-IOV",
        {
            each.value: (4 if each.name in ("CAPABILITIES", "PAGE_SIZES", "SYSTEM_PAGE_SIZE") else 2, name)
            for each in SriovRegister
            if each is not SriovRegister.VF_BARS
            for name in [each.name.lower().replace("_", " ").replace("vfs", "VFs").replace("vf ", "VF ")]
        }
        | {SriovRegister.VF_BARS + 4 * i: (4, f"VF BAR {i}") for i in range(6)},
    ),
}

EXTENDED_START = 0x100
POINTER = 0x34


class Names:
    """What the registers of one function are called, as far as reads have shown where its capabilities
    are. Another function in its place begins anew."""

    def __init__(self) -> None:
        self._ids: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._bridge = 0
        self._starts: dict[int, int | None] = {EXTENDED_START: None}

    def read(self, register: int, size: int, value: int) -> None:
        """Learn from a value that was read."""
        if register == 0 and size == 4 and value != self._ids:
            self._ids = value
            self._begin()
        elif register == 0x0E and size == 1:
            self._bridge = int(value & 0x7F == 1)
        elif register == POINTER:
            self._starts.setdefault(value & 0xFC, None)
        elif register in self._starts:
            self._learn(register, size, value)
        elif register - 1 in self._starts and size == 1 and register < EXTENDED_START:
            self._starts.setdefault(value & 0xFC, None)

    def _learn(self, start: int, size: int, value: int) -> None:
        if start < EXTENDED_START:
            self._starts[start] = value & 0xFF
            if size > 1:
                self._starts.setdefault(value >> 8 & 0xFC, None)
        elif size == 4:
            self._starts[start] = value & 0xFFFF
            self._starts.setdefault(value >> 20 & 0xFFC, None)

    def of(self, register: int, size: int) -> str:
        """The names of the registers that an access touches; empty where nothing is known of them."""
        if register < 0x40:
            return ", ".join(_touched(_HEADERS[self._bridge].items(), register, size))
        start = max((each for each in self._starts if 0x40 <= each <= register), default=None)
        id_ = None if start is None else self._starts[start]
        if start is None or (start < EXTENDED_START <= register):
            return ""
        if id_ is None:
            return "capability header" if register < start + 4 else ""
        known = (_CAPABILITIES if start < EXTENDED_START else _EXTENDED).get(id_)
        if known is None:
            return "" if id_ in (0, 0xFF, 0xFFFF) else f"capability {id_:#04x}"
        name, registers = known
        header: Registers = {0: (2 if start < EXTENDED_START else 4, "header")}
        touched = _touched({**header, **registers}.items(), register - start, size)
        return f"{name}: {', '.join(touched) or f'+{register - start:#x}'}"


def _touched(registers: Iterable[tuple[int, tuple[int, str]]], first: int, size: int) -> Iterator[str]:
    for offset, (length, name) in registers:
        if offset < first + size and first < offset + length:
            yield name
