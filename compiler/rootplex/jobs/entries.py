"""What a board's tables of ids and its maps say, entry by entry: for `diff`, where no function is known that
would show what follows from them.

The fields are those of the readers; what refers to another structure by its offset names that one instead, so
that a structure more or less before it changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import fields

from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.tables import AcpiTables
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.phandles import PhandleRef
from rootplex.readers.ridmap import RidMapEntry

_READ = ("mcfg", "iort", "dmar", "ivrs", "viot", "rimt")
"""The tables, as `AcpiTables` calls them."""
_PASSED_OVER = {
    "table", "place", "problems", "fields", "index", "offset", "length", "wires", "node_count", "node_offset",
    "mapping_count", "mapping_offset", "remainder", "identifier", "data",
}  # fmt: skip
"""Where something lies, and what is counted by what is there."""
_REFERENCES = ("output_reference", "node_reference", "unit")
"""Offsets of another structure."""
_ACRONYMS = ("drhd", "rmrr", "atsr", "ivhd", "ivmd", "smmu", "its", "pmcg", "rmr", "iwb")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_KNOWN_BY = ("base", "ids", "segment", "device_name")
"""What tells a structure from others of its kind; the first that it has."""

BYTES = "bytes that no field here has, with all others: SHA-256 "
_HEADER = 36
"""Revisions and makers are no entries."""

Entries: TypeAlias = Mapping[tuple[str, str | None], tuple[str, ...]]
"""The entries, as text, of each table (`IORT`, None) and of each map of a bridge (`iommu-map`, its path)."""


def acpi_entries(tables: Sequence[Table]) -> Entries:
    """Of the tables that tell of configuration space and ids."""
    known = AcpiTables(tuple(tables))
    found = {each: getattr(known, each) for each in _READ}
    return {
        (name.upper(), None): (*_of_table(each), *_remainder(known, name.upper()))
        for name, each in found.items()
        if each is not None
    }


def _remainder(known: AcpiTables, signature: str) -> Iterator[str]:
    """What is behind the header, for the bytes that no field above has."""
    if (table := known.first(signature)) is not None:
        yield f"{BYTES}{sha256(table.data[_HEADER:]).hexdigest()[:16]}"


def dt_entries(bridges: Iterable[DtHostBridge]) -> Entries:
    """Of the maps of each host bridge, and of what it says in a map's place."""
    return {
        (name, bridge.path): entries for bridge in bridges for name, entries in _of_bridge(bridge) if entries
    }


def _of_bridge(bridge: DtHostBridge) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, found in (("iommu-map", bridge.iommu_map), ("msi-map", bridge.msi_map)):
        if found is not None:
            yield name, tuple(_of_map(each) for each in found.entries)
            yield f"{name}-mask", (f"{found.mask:#x}",)
    yield "msi-parent", tuple(map(_of_parent, bridge.msi_parent))
    yield "iommus", tuple(map(_of_parent, bridge.iommus))


def _of_map(entry: RidMapEntry) -> str:
    ids = " ".join(f"{cell:#x}" for cell in entry.output)
    return f"{entry.length:#x} from {entry.rid_base:#x} to {ids} of {entry.target or 'no node'}"


def _of_parent(parent: PhandleRef) -> str:
    return " ".join((parent.target or "no node", *(f"{cell:#x}" for cell in parent.arguments)))


def _of_table(read: Struct) -> Iterator[str]:
    """An entry for the table's own fields, where it has any, and one for each structure."""
    names = {each.offset: _name(each) for each in _below(read) if hasattr(each, "offset")}
    own = _fields(read, names)
    if own:
        yield f"the table: {own}"
    for each in _below(read):
        yield f"{_kind(each)}: {_fields(each, names)}"
        for below in _below(each):
            yield f"{_name(each)}, {_kind(below)}: {_fields(below, names)}"


def _kind(each: Struct) -> str:
    return _words(type(getattr(each, "data", each)).__name__)


def _name(each: Struct) -> str:
    """A structure by its kind and what tells it from others of that."""
    data = getattr(each, "data", each)
    known = next((key for key in _KNOWN_BY if getattr(data, key, None) is not None), None)
    return _kind(each) if known is None else f"{_kind(each)} {_value(getattr(data, known))}"


def _below(each: Struct) -> Iterator[Struct]:
    data = getattr(each, "data", None)
    if isinstance(data, Struct):
        yield from _below(data)
    for field in fields(each):
        value = getattr(each, field.name)
        if isinstance(value, tuple) and field.name not in _PASSED_OVER:
            yield from (one for one in value if isinstance(one, Struct))


def _fields(each: Struct, names: Mapping[int, str]) -> str:
    data = getattr(each, "data", None)
    told = [*_told(each, names), *(_told(data, names) if isinstance(data, Struct) else ())]
    return ", ".join(told)


def _told(each: Struct, names: Mapping[int, str]) -> Iterator[str]:
    for field in fields(each):
        value = getattr(each, field.name)
        if field.name in _PASSED_OVER or value is None or isinstance(value, Struct | Table):
            continue
        if isinstance(value, tuple) and (not value or isinstance(value[0], Struct)):
            continue
        if field.name in _REFERENCES and value in names:
            yield f"{field.name.split('_', maxsplit=1)[0]} {names[value]}"
        else:
            yield f"{field.name.replace('_', ' ')} {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:#x}"
    if isinstance(value, tuple):
        return " ".join(map(_value, value)) or "none"
    return value.hex() if isinstance(value, bytes) else str(value)


def _words(name: str) -> str:
    """`RootComplex`: `root complex`; `ItsGroup`: `ITS group`."""
    words = (word.lower() for word in _WORD.split(name))
    return " ".join(word.upper() if word in _ACRONYMS else word for word in words)


def changed(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """What went and what came: in pairs where both are of one kind, as they stand; None where there is
    nothing. The bytes as a whole are told where no field tells of a change."""
    gone, come = _without(before, after), _without(after, before)
    if any(not each.startswith(BYTES) for each in (*gone, *come)):
        gone, come = ([each for each in side if not each.startswith(BYTES)] for side in (gone, come))
    matches: dict[str, deque[str]] = {}
    for each in come:
        matches.setdefault(_head(each), deque()).append(each)
    for each in gone:
        same = matches.get(_head(each))
        yield each, same.popleft() if same else None
    for each in come:
        left = matches[_head(each)]
        if left and left[0] == each:
            yield None, left.popleft()


def _without(entries: Sequence[str], others: Sequence[str]) -> list[str]:
    """The entries that the others have not, or not so often."""
    left = Counter(others)
    found = []
    for each in entries:
        left[each] -= 1
        if left[each] < 0:
            found.append(each)
    return found


def _head(entry: str) -> str:
    head, colon, _ = entry.partition(": ")
    return head if colon else ""
