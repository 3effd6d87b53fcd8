"""What texts show of a function's addresses: its BARs and ROM, and what a bridge forwards; by lspci's lines
and by the kernel's.

Source: pciutils, lspci.c (`show_bases`, `show_rom`, `show_range`); the kernel's drivers/pci/probe.c
(`__pci_read_base`, `pci_read_bridge_windows`), which says `reg 0x10: [mem ...]` up to 6.8 and `BAR 0 [mem
...]` from 6.9 on.
"""

from __future__ import annotations

import re
from typing import Literal

from rootplex.capture.pasted.facts import Forwarded, PastedBar

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_SIZE = r"\[size=(\d{1,6})([KMGT]?)\]"
_REGION = re.compile(
    r"^(?:Region (\d): )?(?:\[virtual\] )?(Memory|I/O ports) at ([0-9a-f]{1,16}|<[a-z0-9-]+>)"
    rf"(?: \(([^)\n]{{0,60}})\))?[^\n]{{0,80}}?{_SIZE}",
    re.MULTILINE,
)
_EXPANSION = re.compile(
    rf"^(?:\[virtual\] )?Expansion ROM at ([0-9a-f]{{1,16}}|<[a-z]+>)[^\n]{{0,60}}?{_SIZE}", re.MULTILINE
)
_BEHIND = re.compile(
    r"^(I/O|Memory|Prefetchable memory) behind bridge: ([0-9a-f]{4,16})-([0-9a-f]{4,16})([^\n]{0,60})",
    re.MULTILINE,
)
_SHADOW = 0xC0000
"""Where a PC's firmware leaves a copy of the ROM of its display: what is shown there is none of the BAR's."""

_KERNELS = re.compile(
    r"(?:reg 0x([0-9a-f]{2}):|(BAR|VF BAR) (\d{1,2})|(ROM)) "
    r"\[(mem|io) +(?:(size) )?0x([0-9a-f]+)(?:-0x([0-9a-f]+))?([^\]]{0,40})\]"
)
_WINDOW = re.compile(r" *bridge window \[(mem|io) +0x([0-9a-f]+)-0x([0-9a-f]+)([^\]]{0,40})\]")
_FIRST, _ROM_REGISTERS, _VF = 0x10, (0x30, 0x38), 7
_SIZES = {"io": (4, 256), "mem32": (16, 1 << 31), "mem64": (16, 1 << 63), "rom": (2 << 10, 16 << 20)}


def bars_of(said: str) -> tuple[PastedBar, ...]:
    """Of what lspci prints of a function before its capabilities, a line each without indentation."""
    found = []
    for match in _REGION.finditer(said):
        index, what, at, kind, count, unit = match.groups()
        wide, prefetchable = "64-bit" in (kind or ""), "non-prefetchable" not in (kind or "non-prefetchable")
        base = None if at.startswith("<") else int(at, 16) or None
        size = int(count) << _UNITS[unit]
        bar = _bar(None if index is None else int(index), what == "Memory", wide, size, prefetchable, base)
        found += [bar] if bar is not None else []
    return tuple(found)


def rom_of(said: str) -> int:
    """Bytes of its ROM; 0 where the text does not tell them."""
    match = _EXPANSION.search(said)
    if match is None or (not match[1].startswith("<") and int(match[1], 16) == _SHADOW):
        return 0
    size = int(match[2]) << _UNITS[match[3]]
    return size if _fits("rom", size) else 0


def forwarded_of(said: str) -> tuple[Forwarded, ...]:
    """The windows that are open."""
    return tuple(
        Forwarded("io" if what == "I/O" else "mem", what.startswith("Pref"), int(first, 16), int(last, 16))
        for what, first, last, rest in _BEHIND.findall(said)
        if "[disabled]" not in rest and int(first, 16) < int(last, 16)
    )


def kernels_bar(text: str) -> PastedBar | int | None:
    """A BAR that the kernel sized, or the bytes of a ROM; None of another message."""
    match = _KERNELS.fullmatch(text)
    if match is None:
        return None
    register, name, number, rom, space, unassigned, first, last, flags = match.groups()
    size = int(first, 16) if last is None else int(last, 16) - int(first, 16) + 1
    if rom or (register and int(register, 16) in _ROM_REGISTERS):
        return size if _fits("rom", size) else None
    if register:
        index = (int(register, 16) - _FIRST) // 4
    else:
        index = int(number) + (_VF if name == "VF BAR" else 0)
    base = None if unassigned or last is None else int(first, 16) or None
    return _bar(index, space == "mem", "64bit" in flags, size, "pref" in flags, base)


def kernels_window(text: str) -> Forwarded | None:
    """A window that a bridge has as firmware left it; None of another message."""
    match = _WINDOW.fullmatch(text)
    if match is None or int(match[2], 16) >= int(match[3], 16):
        return None
    return Forwarded(
        "io" if match[1] == "io" else "mem", "pref" in match[4], int(match[2], 16), int(match[3], 16)
    )


def _fits(kind: str, size: int) -> bool:
    """Whether a register can be of that size (RPX0022)."""
    least, most = _SIZES[kind]
    return least <= size <= most and not size & (size - 1)


def _bar(
    index: int | None, memory: bool, wide: bool, size: int, prefetchable: bool, base: int | None
) -> PastedBar | None:
    """None for what no BAR can be: then the text is damaged, or shows another resource."""
    space: Literal["io", "mem32", "mem64"] = "mem64" if memory and wide else "mem32" if memory else "io"
    if not _fits(space, size):
        return None
    return PastedBar(index, space, size, prefetchable and memory, base)
