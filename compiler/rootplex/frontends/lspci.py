"""`lspci -x[xxx]` text to a description: devices alone, a host bridge for each root bus.

Where configuration space, windows and the firmware's numbers are is not in such a text: the description
says so and has to be completed before it compiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rootplex.formats.pci import sbdf_text
from rootplex.frontends.configspace import FunctionFact, read_config
from rootplex.frontends.devices import device_list
from rootplex.frontends.document import Hex, Imported, Missing, Names, imported, leaf, listing, record, tree
from rootplex.source.finding import unreadable
from rootplex.source.node import Node
from rootplex.source.place import Span

_HEAD = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7]) (.*)")
_ROW = re.compile(r"([0-9a-f]{2,3}): ((?:[0-9a-f]{2} ?){1,16})\s*")
_HEADER = 64
_LIMIT = 4096
TEXT_LIMIT = 16 << 20


class Listed(Struct, frozen=True):
    """One function of the text: segment, bus, devfn, its configuration space as far as it was printed."""

    segment: int
    bus: int
    devfn: int
    config: bytes
    place: Span

    @property
    def key(self) -> str:
        return sbdf_text(self.segment, self.bus, self.devfn)


def is_lspci(text: str) -> bool:
    """Whether a text looks like `lspci -x`: a function's line with rows of bytes under it."""
    heads = False
    for line in text[:65536].splitlines():
        if _HEAD.match(line):
            heads = True
        elif heads and _ROW.fullmatch(line):
            return True
    return False


def read_lspci(text: str, file: str) -> tuple[Listed, ...]:
    """The functions with at least a header of bytes; Unreadable where there is none, and for more than
    16 MiB: a thousand functions whole."""
    if len(text) > TEXT_LIMIT:
        raise unreadable(file, f"lspci text of more than {TEXT_LIMIT >> 20} MiB")
    found: dict[str, Listed] = {}
    head: tuple[int, int, int, Span] | None = None
    data = bytearray()

    def keep() -> None:
        if head is not None and len(data) >= _HEADER:
            each = Listed(head[0], head[1], head[2], bytes(data), head[3])
            found.setdefault(each.key, each)

    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEAD.match(line):
            keep()
            place = Span(file, number, 1, number, len(line) + 1)
            devfn = int(match[3], 16) << 3 | int(match[4])
            head, data = (int(match[1] or "0", 16), int(match[2], 16), devfn, place), bytearray()
        elif head is not None and (row := _ROW.fullmatch(line)) and int(row[1], 16) == len(data) < _LIMIT:
            data += bytes.fromhex(row[2])
    keep()
    if not found:
        raise unreadable(
            file, "no function with the 64 bytes of its header", help="take it with `lspci -xxxx`"
        )
    return tuple(found.values())


def import_lspci(text: str, file: str) -> Imported:
    """The description: it lacks `config.base` and `windows`, which is listed."""
    functions = read_lspci(text, file)
    place = functions[0].place
    missing = [
        Missing(what, "lspci does not show it", place)
        for what in (
            "platform.arch (x86_64 is put down)",
            "config.base",
            "windows",
            "interrupts, MSI and IOMMU",
        )
    ]
    missing.append(Missing("the sizes of BARs", "they are found by writing to them", place))
    names = Names()
    records: list[Node] = []
    keys: list[str] = []
    for segment, bus, members in _roots(functions):
        facts, last = _below(bus, members)
        keys.append(f"{segment:04x}:{bus:02x}")
        records.append(
            _bridge(names.take(f"pci{segment:04x}-{bus:02x}", "pci"), segment, (bus, last), facts, missing)
        )
    head = {
        "name": leaf(names.take(file.rpartition("/")[2].partition(".")[0], "machine"), place),
        "arch": leaf("x86_64", place, "not in the text"),
        "firmware": tree(["acpi"], place),
    }
    document = record(
        place,
        {
            "rootplex": leaf(1, place),
            "platform": record(place, dict(head)),
            "host_bridges": listing(records, place),
        },
    )
    return imported(file, document, keys, missing, f"the lspci text {file.rpartition('/')[2]}")


def _bridge(
    name: str, segment: int, buses: tuple[int, int], facts: list[FunctionFact], missing: list[Missing]
) -> Node:
    place = facts[0].place
    fields: dict[str, Node | None] = {
        "name": leaf(name, place),
        "segment": leaf(segment, place),
        "bus_range": tree([Hex(bus) for bus in buses], place, "root bus and the last one below"),
        "config": record(place, {}, "base: to be filled in"),
        "devices": device_list(facts, missing),
    }
    return record(place, fields, f"{segment:04x}:{buses[0]:02x}")


def _roots(functions: tuple[Listed, ...]) -> Iterator[tuple[int, int, list[Listed]]]:
    """(segment, root bus, the segment's functions): buses that are below no bridge of the text."""
    segments: dict[int, list[Listed]] = {}
    for each in functions:
        segments.setdefault(each.segment, []).append(each)
    for segment, members in sorted(segments.items()):
        below = {
            buses[0]
            for each in members
            if (buses := read_config(each.config).buses) is not None and buses[0] > each.bus
        }
        for bus in sorted({each.bus for each in members} - below):
            yield segment, bus, members


def _below(root: int, members: list[Listed]) -> tuple[list[FunctionFact], int]:
    """The functions below a root bus, and the last bus number among them."""
    owners: dict[int, str | None] = {root: None}
    facts: list[FunctionFact] = []
    last = root
    for bus in range(root, 256):
        if bus not in owners:
            continue
        for each in members:
            if each.bus != bus:
                continue
            facts.append(
                FunctionFact(
                    key=each.key,
                    bus=bus,
                    devfn=each.devfn,
                    parent=owners[bus],
                    config=each.config,
                    place=each.place,
                )
            )
            buses = read_config(each.config).buses
            if buses is not None and buses[0] > bus:
                owners.setdefault(buses[0], each.key)
                last = max(last, buses[1])
        last = max(last, bus)
    return facts, last
