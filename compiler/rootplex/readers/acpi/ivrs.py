"""IVRS: AMD's IOMMUs, what they translate for, and memory that devices use (AMD I/O Virtualization 3.08,
§5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.formats.acpi import (
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
from rootplex.readers.acpi.structures import made, read_head, structures
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


_LAYOUTS = {**IVHD_HEADS, **dict.fromkeys(IVMD_TYPES, IVMD)}


def read_ivrs(table: Table) -> Ivrs:
    """All blocks; one that does not fit ends the reading with a problem."""
    problems = list(table.problems)
    info = read_head(table, IVRS_HEAD, "blocks", problems)["info"]
    ivhds: list[Ivhd] = []
    ivmds: list[Ivmd] = []
    for each in structures(table, IVRS_HEAD, IVRS_BLOCK, _LAYOUTS, problems, called="block", types="#x"):
        if each.type in IVHD_HEADS:
            ids = tuple(_entries(table, each.offset + size_of(IVHD_HEADS[each.type]), each.end, problems))
            ivhds.append(made(Ivhd, each, ids=ids))
        elif each.type in IVMD_TYPES:
            first, last = _ivmd_ids(each.type, each.fields["device_id"], each.fields["auxiliary"])
            ivmds.append(made(Ivmd, each, first=first, last=last))
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
            if begun is not None:  # its beginning is forgotten (`init_iommu_from_acpi`, devid_start)
                problems.append(Problem("count", table.place(begun[2]), "a range that has no end"))
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
