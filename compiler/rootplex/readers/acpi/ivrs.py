"""IVRS: AMD's IOMMUs, what they translate for, and memory that devices use (AMD I/O Virtualization 3.08,
§5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.formats.acpi import (
    HEADER,
    IVHD_HEADS,
    IVHD_HID,
    IVHD_SPECIAL,
    IVHD_WIDE,
    IVMD,
    IVMD_TYPES,
    IVRS_BLOCK,
    IVRS_HEAD,
    IvhdEntry,
    ivhd_entry_size,
    size_of,
)
from rootplex.readers.acpi.fields import read_fields
from rootplex.readers.acpi.header import Table
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace

LAST_ID = 0xFFFF
_ALIASES = (IvhdEntry.ALIAS_SELECT, IvhdEntry.ALIAS_RANGE)
_RANGES = (IvhdEntry.RANGE, IvhdEntry.ALIAS_RANGE, IvhdEntry.WIDE_RANGE)
_SELECTS = (IvhdEntry.SELECT, IvhdEntry.ALIAS_SELECT, IvhdEntry.WIDE_SELECT)


class IvhdIds(Struct, frozen=True):
    """Requester ids from `first` to `last` that a unit translates; `alias` is the id that their requests
    carry, None where it is their own. `special`: (handle, variety) of an I/O APIC (1) or HPET (2) with the
    one id; `name`: (`_HID`, `_UID`) of a device of the namespace with it."""

    first: int
    last: int
    flags: int
    place: TablePlace
    alias: int | None = None
    special: tuple[int, int] | None = None
    name: tuple[str, str] | None = None


class Ivhd(Struct, frozen=True):
    """One block of a unit: `device_id` is the requester id of the unit's own function, `type` says by which
    edition of the table the block is written."""

    type: int
    flags: int
    device_id: int
    capability: int
    base: int
    segment: int
    ids: tuple[IvhdIds, ...]
    place: TablePlace


class Ivmd(Struct, frozen=True):
    """Memory that the devices `first` to `last` use without the system's knowledge, or may not reach."""

    type: int
    flags: int
    segment: int
    first: int
    last: int
    base: int
    size: int
    place: TablePlace

    @property
    def is_mapped(self) -> bool:
        """A unity map (flag 0), or an exclusion range (flag 3), which Linux takes for one."""
        return bool(self.flags & 0b1001)


class Ivrs(Struct, frozen=True):
    """The whole table; `info` is IVinfo."""

    table: Table
    info: int
    ivhds: tuple[Ivhd, ...]
    ivmds: tuple[Ivmd, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def used(self) -> tuple[Ivhd, ...]:
        """The blocks that Linux takes: those of the highest type that the first unit has
        (`get_highest_supported_ivhd_type`)."""
        if not self.ivhds:
            return ()
        first = self.ivhds[0]
        types = [each.type for each in self.ivhds if each.device_id == first.device_id]
        return tuple(each for each in self.ivhds if each.type == types[-1])


BLOCKS_AT = size_of(HEADER, IVRS_HEAD)
_LEAST = size_of(IVRS_BLOCK)


def read_ivrs(table: Table) -> Ivrs:
    """All blocks; one that does not fit ends the reading with a problem."""
    problems = list(table.problems)
    info = 0
    if table.length < BLOCKS_AT:
        text = f"{table.length} bytes, {BLOCKS_AT} precede the blocks"
        problems.append(Problem("size", table.place(4, 4), text))
    else:
        info = read_fields(IVRS_HEAD, table.data, size_of(HEADER))["info"]
    ivhds: list[Ivhd] = []
    ivmds: list[Ivmd] = []
    at = BLOCKS_AT
    while at < table.length:
        left = table.length - at
        own = read_fields(IVRS_BLOCK, table.data, at) if left >= _LEAST else {"type": 0, "length": 0}
        type, length = own["type"], own["length"]
        if not _LEAST <= length <= left:
            problems.append(Problem("length", table.place(at), f"block of {length} bytes, {left} are left"))
            break
        place = table.place(at, length)
        layout = IVHD_HEADS.get(type) or (IVMD if type in IVMD_TYPES else None)
        if layout is not None and length < (size := size_of(layout)):
            problems.append(
                Problem("length", place, f"block of type {type:#x} has {length} bytes, not {size}")
            )
        elif layout is not None:
            it = read_fields(layout, table.data, at)
            if type in IVHD_HEADS:
                ids = tuple(_entries(table, at + size_of(layout), at + length, problems))
                ivhds.append(
                    Ivhd(
                        type,
                        it["flags"],
                        it["device_id"],
                        it["capability"],
                        it["base"],
                        it["segment"],
                        ids,
                        place,
                    )
                )
            else:
                first, last = _ivmd_ids(type, it["device_id"], it["auxiliary"])
                ivmds.append(
                    Ivmd(type, it["flags"], it["segment"], first, last, it["base"], it["size"], place)
                )
        at += length
    return Ivrs(table, info, tuple(ivhds), tuple(ivmds), tuple(problems))


def _ivmd_ids(type: int, device: int, last: int) -> tuple[int, int]:
    """All devices (20h), one (21h), or from one to another (22h)."""
    if type == IVMD_TYPES[0]:
        return 0, LAST_ID
    return device, last if type == IVMD_TYPES[2] else device


def _entries(table: Table, start: int, end: int, problems: list[Problem]) -> Iterator[IvhdIds]:
    """A unit's entries; a range is one, from where it begins to its end."""
    at = start
    begun: tuple[int, int, int, int | None] | None = None
    while at < end:
        type = table.data[at]
        size = ivhd_entry_size(table.data[at:end])
        if size is None or size > end - at:
            left = end - at
            problems.append(
                Problem("length", table.place(at), f"entry of type {type:#x}, {left} bytes are left")
            )
            return
        it = read_fields(IVHD_WIDE if size >= size_of(IVHD_WIDE) else IVHD_WIDE[:3], table.data, at)
        device, flags, place = it["device_id"], it["flags"], table.place(at, size)
        alias = it["data"] >> 8 & LAST_ID if type in _ALIASES else None
        if type in _RANGES:
            begun = device, flags, at, alias
        elif type == IvhdEntry.RANGE_END:
            if begun is None:
                problems.append(Problem("count", place, "the end of a range that has no beginning"))
            else:
                first, flags, since, alias = begun
                yield IvhdIds(first, device, flags, table.place(since, at + size - since), alias)
            begun = None
        elif type in _SELECTS:
            yield IvhdIds(device, device, flags, place, alias)
        elif type == IvhdEntry.ALL:
            yield IvhdIds(0, LAST_ID, flags, place)
        elif type == IvhdEntry.SPECIAL:
            own = read_fields(IVHD_SPECIAL, table.data, at)
            yield IvhdIds(
                own["used_id"], own["used_id"], flags, place, special=(own["handle"], own["variety"])
            )
        elif type == IvhdEntry.HID:
            yield IvhdIds(device, device, flags, place, name=_name(table, at))
        at += size
    if begun is not None:
        problems.append(Problem("count", table.place(begun[2]), "a range that has no end"))


def _name(table: Table, at: int) -> tuple[str, str]:
    """`_HID` and `_UID` of a device of the namespace; a number as its digits."""
    it = read_fields(IVHD_HID, table.data, at)
    start = at + size_of(IVHD_HID)
    raw = table.data[start : start + it["uid_length"]]
    uid = str(int.from_bytes(raw, "little")) if it["uid_format"] == 1 else _text(raw)
    return _text(it["hid"].to_bytes(8, "little")), uid


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1")
