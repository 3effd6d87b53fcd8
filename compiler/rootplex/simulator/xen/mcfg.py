"""Xen's MCFG windows on x86: what boot made of the table (§3.1), and Dom0's word on it (§3.2)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.readers.acpi.mcfg import Mcfg
from rootplex.simulator.xen.outcome import Notice
from rootplex.source.place import Place

VIRTUAL_SLOT = 512 << 30
"""The address space that Xen has for mapping all windows."""
SMALLEST_SHRUNK = 16 << 20
RESERVED_FLAG = 1

ReservedCheck = Callable[[int, int], bool]
"""Whether (base, size) is known not to be RAM, as the BIOS date wants it known."""


class McfgWindow(Struct):
    """One entry. `base` is the address of bus 0; `end` may be less than the table's (shrunk)."""

    base: int
    segment: int
    start: int
    end: int
    enabled: bool = False
    place: Place | None = None


class McfgWindows(Struct):
    """All entries, in table order. `valid`: every one of them came up."""

    windows: list[McfgWindow] = field(default_factory=list)
    valid: bool = False

    def base_of(self, segment: int, bus: int) -> int | None:
        """The base (of bus 0) of the first window with this bus; None where that one is not enabled,
        whatever others there are (`get_virt`)."""
        for window in self.windows:
            if window.segment == segment and window.start <= bus <= window.end:
                return window.base if window.enabled else None
        return None

    @property
    def state(self) -> tuple[bool, ...]:
        """Which windows are enabled."""
        return tuple(window.enabled for window in self.windows)

    def fits(self, index: int) -> bool:
        """Whether entry `index` finds room to be mapped: one slot an entry, as large as the
        largest end bus needs."""
        bits = max(window.end for window in self.windows).bit_length()
        return (index + 1) << (20 + bits) <= VIRTUAL_SLOT

    def reserved(self, address: int, segment: int, start: int, end: int, flags: int) -> int:
        """`PHYSDEVOP_pci_mmcfg_reserved`: 0, -EINVAL (a flag other than bit 0), -EIO (the entry's
        address differs), -ENODEV (no entry with exactly this segment and bus range), -ENOMEM (no
        room to map it)."""
        if flags & ~RESERVED_FLAG:
            return -Errno.EINVAL
        for index, window in enumerate(self.windows):
            if (window.segment, window.start, window.end) != (segment, start, end):
                continue
            if window.base != address:
                return -Errno.EIO
            if flags and not window.enabled and not self.fits(index):
                return -Errno.ENOMEM
            window.enabled = bool(flags)
            return 0
        return -Errno.ENODEV


def refused_entry(mcfg: Mcfg, bios_year: int) -> int | None:
    """The first entry above 4 GiB that Xen does not trust: its index, or None. It takes the
    OEM id `SGI`, or a table revision of at least 1 with a BIOS of 2010 or later."""
    table = mcfg.table
    if table.oem_id[:3] == b"SGI" or (table.revision >= 1 and bios_year >= 2010):
        return None
    return next((entry.index for entry in mcfg.entries if entry.base >= 1 << 32), None)


def read_windows(
    mcfg: Mcfg | None, bios_year: int, is_reserved: ReservedCheck
) -> tuple[McfgWindows, tuple[int, ...], list[Notice]]:
    """The windows after boot, the segments that the table creates, and what Xen says on the way."""
    if mcfg is None or not mcfg.entries:
        at = None if mcfg is None else mcfg.table.place()
        return McfgWindows(), (), [Notice("mcfg-empty", at=at)]
    refused = refused_entry(mcfg, bios_year)
    if refused is not None:
        entry = mcfg.entries[refused]
        segments = tuple(dict.fromkeys(earlier.segment for earlier in mcfg.entries[:refused]))
        return McfgWindows(), segments, [Notice("mcfg-above-4g", at=entry.place)]
    segments = tuple(dict.fromkeys(entry.segment for entry in mcfg.entries))
    if mcfg.entries[0].base == 0:
        return McfgWindows(), segments, [Notice("mcfg-base-zero", at=mcfg.entries[0].place)]
    made = McfgWindows(
        [
            McfgWindow(entry.base, entry.segment, entry.start_bus, entry.end_bus, place=entry.place)
            for entry in mcfg.entries
        ]
    )
    notices = [notice for index in range(len(made.windows)) for notice in _bring_up(made, index, is_reserved)]
    made.valid = all(window.enabled for window in made.windows)
    return made, segments, notices


def _bring_up(made: McfgWindows, index: int, is_reserved: ReservedCheck) -> list[Notice]:
    """Check and map one entry: the area may be halved, down to 16 MiB, until it is reserved."""
    window = made.windows[index]
    base = window.base + (window.start << 20)
    size = full = max(0, window.end - window.start + 1) << 20
    while not is_reserved(base, size):
        size >>= 1
        if size < SMALLEST_SHRUNK:
            break
    if size != full and size < SMALLEST_SHRUNK:
        return [Notice("mcfg-not-reserved", at=window.place)]
    notices = []
    if size != full:
        window.end = window.start + (size >> 20) - 1
        notices.append(Notice("mcfg-shrunk", at=window.place))
    if not made.fits(index):
        return [*notices, Notice("mcfg-no-room", at=window.place)]
    window.enabled = True
    return notices
