"""Reading a snapshot: the capture script's text (version 1) to its facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from rootplex.capture.facts import (
    Block,
    KernelFunction,
    KernelGroup,
    KernelHostBridge,
    KernelWindow,
    Message,
    Range,
    Resource,
    Snapshot,
)
from rootplex.capture.lines import SECTIONS, Line, lines
from rootplex.model.numbers import BusRange, Sbdf
from rootplex.source.finding import unreadable

_CONFIG_LIMIT = 4096
_FIRMWARE_LIMIT = 16 << 20  # bytes of a device tree and all tables together
_ROW = re.compile(r"[0-9a-f]{1,7}")
_ROW_BYTES = 16
_BRIDGE = re.compile(r"pci([0-9a-f]{4,8}):([0-9a-f]{2})")
_RANGE = re.compile(r"( *)([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.*)")
_BUS_WINDOW = re.compile(r"root bus resource \[bus ([0-9a-f]{2})(?:-([0-9a-f]{2}))?\]")
_WINDOW = re.compile(
    r"root bus resource \[(mem|io) +0x([0-9a-f]+)-0x([0-9a-f]+)(?: 64bit)?( pref)?[^\]]*\]"
    r"(?: \(bus address \[0x([0-9a-f]+)-)?"
)


def parse_snapshot(text: str, file: str) -> Snapshot:
    """Read a snapshot, also out of a console's log.

    Unreadable, at the line, where the text is no snapshot, is cut off or damaged, is of another version,
    or where a line holds what the script does not write. Facts that this version does not know are
    passed over.
    """
    sections = _sections(lines(text, file))
    machine = _facts(sections["machine"])
    boot = {line.rest.split(" ")[0]: line for line in sections["boot"] if line.word == "boot"}
    offered = {line.rest for line in sections["boot"] if line.word == "offered"}
    messages = tuple(_message(line) for line in sections["messages"] if line.word == "message")
    blocks = tuple(_blocks(sections["firmware"], _FIRMWARE_LIMIT))
    return Snapshot(
        file=file,
        release=_text(machine, "release") or "",
        machine=_text(machine, "machine") or "",
        firmware=_firmware(machine),
        hypervisor=_text(machine, "hypervisor"),
        arguments=tuple(line.rest for line in sections["machine"] if line.word == "argument"),
        offers=any((line.word, line.rest) == ("offers", "yes") for line in sections["boot"]),
        bridges=tuple(_bridge(part, messages) for part in _parts(sections["bridges"], "bridge")),
        functions=tuple(_function(part, boot, offered) for part in _parts(sections["functions"], "function")),
        units=tuple(line.rest for line in sections["groups"] if line.word == "unit"),
        groups=tuple(_group(part) for part in _parts(sections["groups"], "group")),
        memory=tuple(_range(line) for line in sections["iomem"] if line.word == "range"),
        ports=tuple(_range(line) for line in sections["ioports"] if line.word == "range"),
        messages=messages,
        dtb=next((block for block in blocks if block.name == "dtb"), None),
        tables=tuple(sorted((block for block in blocks if block.name != "dtb"), key=_natural)),
    )


def _sections(found: list[Line]) -> dict[str, list[Line]]:
    """The lines of each section. One that comes twice has the lines of both."""
    sections: dict[str, list[Line]] = {name: [] for name in SECTIONS}
    current: list[Line] = []
    for line in found:
        if line.word == "section":
            current = sections.get(line.rest, [])
        else:
            current.append(line)
    return sections


def _parts(section: list[Line], word: str) -> Iterator[list[Line]]:
    """The section cut before each line that starts with `word`; what stands before the first is left out."""
    starts = [index for index, line in enumerate(section) if line.word == word]
    for start, end in zip(starts, [*starts[1:], len(section)], strict=False):
        yield section[start:end]


def _facts(part: Iterable[Line]) -> dict[str, Line]:
    return {line.word: line for line in part}


@contextmanager
def _reading(line: Line) -> Iterator[None]:
    """A value that is not what stands there in a snapshot becomes an error at its line."""
    try:
        yield
    except ValueError:
        text = f"{line.word} {line.rest}"[:80]
        raise unreadable(line.place, f"`{text}` is not a line that the capture script writes") from None


def _text(facts: dict[str, Line], word: str) -> str | None:
    return facts[word].rest if word in facts else None


def _number(facts: dict[str, Line], word: str) -> int | None:
    """Decimal, or hexadecimal with its 0x, as sysfs writes it."""
    if word not in facts:
        return None
    with _reading(facts[word]):
        return int(facts[word].rest, 0)


def _sbdf(facts: dict[str, Line], word: str) -> Sbdf | None:
    if word not in facts:
        return None
    with _reading(facts[word]):
        return Sbdf.parse(facts[word].rest)


def _firmware(facts: dict[str, Line]) -> Literal["dt", "acpi"] | None:
    match _text(facts, "firmware"):
        case None:
            return None
        case "dt":
            return "dt"
        case "acpi":
            return "acpi"
    line = facts["firmware"]
    raise unreadable(line.place, f"a firmware `{line.rest}` is neither dt nor acpi")


def _bridge(part: list[Line], messages: tuple[Message, ...]) -> KernelHostBridge:
    facts = _facts(part)
    match = _BRIDGE.fullmatch(part[0].rest)
    with _reading(part[0]):
        if match is None:
            raise ValueError
    told = [
        message.text for message in messages if message.text.startswith(f"pci_bus {match[1]}:{match[2]}: ")
    ]
    buses = [found for text in told if (found := bus_window_of(text))]
    return KernelHostBridge(
        segment=int(match[1], 16),
        bus=int(match[2], 16),
        place=part[0].place,
        path=_text(facts, "path") or "",
        node=_text(facts, "node"),
        acpi=_text(facts, "acpi"),
        hid=_text(facts, "hid"),
        uid=_text(facts, "uid"),
        buses=buses[0] if buses else None,
        windows=tuple(window for text in told if (window := window_of(text))),
    )


def bus_window_of(text: str) -> BusRange | None:
    """The buses of a message `root bus resource [bus …]`; None of another one."""
    match = _BUS_WINDOW.search(text)
    return None if match is None else BusRange(int(match[1], 16), int(match[2] or match[1], 16))


def window_of(text: str) -> KernelWindow | None:
    """The window of a message `root bus resource [mem …]`; None of another one."""
    match = _WINDOW.search(text)
    if match is None:
        return None
    start, end = int(match[2], 16), int(match[3], 16)
    pci = int(match[5], 16) if match[5] else start
    return KernelWindow("io" if match[1] == "io" else "mem", match[4] is not None, start, end, pci)


def _function(part: list[Line], boot: dict[str, Line], offered: set[str]) -> KernelFunction:
    facts, name = _facts(part), part[0].rest
    missing = [word for word in ("path", "vendor", "device", "class") if word not in facts]
    if missing:
        raise unreadable(part[0].place, f"the function {name} has no {', '.join(missing)} in the snapshot")
    with _reading(part[0]):
        sbdf = Sbdf.parse(name)
    path = facts["path"].rest.split("/")
    bridges = [found for step in path if (found := _BRIDGE.fullmatch(step))]
    above = path[-2] if len(path) > 1 else ""
    with _reading(facts["path"]):
        if not bridges:
            raise ValueError
        parent = None if _BRIDGE.fullmatch(above) else Sbdf.parse(above)
    config = next(
        (block for block in _blocks(part, _CONFIG_LIMIT) if block.name == "config"), Block("config", b"", 0)
    )
    return KernelFunction(
        sbdf=sbdf,
        place=part[0].place,
        path=facts["path"].rest,
        bridge=bridges[-1][0],
        parent=parent,
        vendor=_number(facts, "vendor") or 0,
        device=_number(facts, "device") or 0,
        subsystem=(_number(facts, "subsystem_vendor") or 0, _number(facts, "subsystem_device") or 0),
        revision=_number(facts, "revision") or 0,
        class_code=_number(facts, "class") or 0,
        config=config.data,
        masked=config.masked,
        resources=tuple(_resource(line) for line in part if line.word == "resource"),
        driver=_text(facts, "driver"),
        group=_number(facts, "group"),
        group_at_boot=_group_at_boot(boot.get(name)),
        offered=name in offered,
        unit=_text(facts, "unit"),
        physfn=_sbdf(facts, "physfn"),
        node=_text(facts, "node"),
        acpi=_text(facts, "acpi"),
        irq=_number(facts, "irq") or 0,
        ari=bool(_number(facts, "ari_enabled")),
        msi=_msi(facts.get("msi")),
    )


def _group_at_boot(line: Line | None) -> int | None:
    if line is None:
        return None
    with _reading(line):
        _, group, _ = line.rest.split(" ")
        return None if group == "-" else int(group)


def _resource(line: Line) -> Resource:
    with _reading(line):
        index, start, end, flags = line.rest.split(" ")
        return Resource(int(index), int(start, 16), int(end, 16), int(flags, 16))


def _msi(line: Line | None) -> tuple[str, int] | None:
    if line is None:
        return None
    with _reading(line):
        vectors, kind = line.rest.split(" ")
        return kind, int(vectors)


def _group(part: list[Line]) -> KernelGroup:
    number, *members = part[0].rest.split(" ")
    with _reading(part[0]):
        return KernelGroup(int(number), tuple(members), _text(_facts(part), "type"))


def _range(line: Line) -> Range:
    match = _RANGE.fullmatch(line.rest)
    with _reading(line):
        if match is None:
            raise ValueError
    return Range(len(match[1]) // 2, int(match[2], 16), int(match[3], 16), match[4])


def _message(line: Line) -> Message:
    time, _, text = line.rest.partition(" ")
    with _reading(line):
        return Message(None if time == "-" else float(time), text)


def _blocks(part: list[Line], room: int) -> Iterator[Block]:
    """The blocks of at most `room` bytes in all: a line `data`, then the rows that are not zero."""
    for index, head in enumerate(part):
        if head.word != "data":
            continue
        with _reading(head):
            name, *numbers = head.rest.split(" ")
            size, masked = (int(number) for number in numbers)
            if not 0 <= size <= room:
                raise ValueError
            data = bytearray(size)
        room -= len(data)
        for row in part[index + 1 :]:
            if _ROW.fullmatch(row.word) is None:
                break
            with _reading(row):
                at, new = int(row.word, 16), bytes.fromhex(row.rest)
                if len(new) > _ROW_BYTES or at + len(new) > len(data):
                    raise ValueError
            data[at : at + len(new)] = new
        yield Block(name, bytes(data), masked)


def _natural(block: Block) -> list[tuple[int, str]]:
    """SSDT2 before SSDT10."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D+)(\d{0,9})", block.name)]
