"""Reads the hardware image: config.json (what there is) and config.bin (its registers).

Every field is checked before it is used, so that any bytes give an image or `Unreadable`. The
values are facts of hardware: opaque ids, no bus numbers of devices.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, cast

from msgspec import Struct

from rootplex.simulator.inputs import Blob
from rootplex.source.finding import unreadable

PAGE_PAIR = 8192
CELLS_PER_PAIR = PAGE_PAIR // 4
MASK_CELLS = 1024
"""Registers of a page in 32-bit cells: the mask page follows the reset page at this distance."""

MAX_JSON = 256 << 20
MAX_FUNCTIONS = 1 << 20
MAX_BRIDGES = 1 << 12
MAX_LIST = 1 << 12
MAX_BLOCKS = 64

BridgeKind = Literal["ecam", "cam", "windowed", "quirk"]
Behaviour = Literal["hidden", "single-device", "all-ones", "elsewhere"]
FirmwareName = Literal["dt", "acpi"]
NO_ALIASES = "none"
"""Of a function's aliases: it has none, whatever is known by its id. An empty list says nothing."""

KINDS = ("ecam", "cam", "windowed", "quirk")
BEHAVIOURS = ("hidden", "single-device", "all-ones", "elsewhere")
FIRMWARES = ("dt", "acpi")


class SpecialCase(Struct, frozen=True):
    """One slot of one bus where the bridge departs from ECAM; `register` names a block."""

    bus: int
    dev: int
    behaviour: Behaviour
    register: str | None


class RegisterBlock(Struct, frozen=True):
    """A named block of the bridge's registers, in bytes of CPU addresses."""

    name: str
    base: int
    size: int


class ConfigSpaceImage(Struct, frozen=True):
    """Configuration space: where it lies (`windowed`: the register block), for which buses, which
    access sizes it takes (`sizes_root_bus`: on its first bus, None: as elsewhere)."""

    kind: BridgeKind
    base: int
    size: int
    first_bus: int
    last_bus: int
    sizes: tuple[int, ...]
    sizes_root_bus: tuple[int, ...] | None
    special: tuple[SpecialCase, ...]


class BridgeImage(ConfigSpaceImage, frozen=True):
    """One host bridge. `views` are other configuration spaces of it, (firmware that sets it up, space)."""

    id: str
    views: tuple[tuple[FirmwareName, ConfigSpaceImage], ...]
    registers: tuple[RegisterBlock, ...]
    stream_id_bits: int
    device_id_bits: int


class FunctionImage(Struct, frozen=True):
    """One function. `page` is its index into config.bin, `parent` the id of the bridge above (None:
    first bus), `aliases` None where nothing is said of them, `w1c` (offset, bytes, mask). A VF has `vf_of`
    and its 0-based `vf_index`."""

    id: str
    page: int
    bridge: str
    parent: str | None
    devfn: int
    acs_quirk: str | None
    aliases: tuple[int, ...] | None
    w1c: tuple[tuple[int, int, int], ...]
    vf_of: str | None
    vf_index: int


class Image(Struct, frozen=True):
    """The whole image. `cells` are config.bin's 32-bit words: function page n has its reset
    values at `n * CELLS_PER_PAIR` and its write mask `MASK_CELLS` further."""

    file: str
    bridges: tuple[BridgeImage, ...]
    functions: tuple[FunctionImage, ...]
    cells: memoryview


class _Reader:
    """Takes typed fields out of a JSON object, or says what is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file

    def refuse(self, where: str, what: str) -> NoReturn:
        raise unreadable(self.file, f"{where}: {what}")

    def object(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.refuse(where, "not an object")
        return cast("Mapping[str, Any]", value)

    def items(self, source: Mapping[str, Any], key: str, where: str, limit: int = MAX_LIST) -> list[Any]:
        value = source.get(key, [])
        if not isinstance(value, list):
            self.refuse(where, f"{key} is not a list")
        if len(value) > limit:
            self.refuse(where, f"{key} has {len(value)} entries, more than {limit}")
        return value

    def number(self, source: Mapping[str, Any], key: str, where: str, limit: int, default: int = -1) -> int:
        value = source.get(key, default)
        if type(value) is not int or not 0 <= value <= limit:
            self.refuse(where, f"{key} is not a number from 0 to {limit:#x}")
        return value

    def text(self, source: Mapping[str, Any], key: str, where: str) -> str:
        value = source.get(key)
        if not isinstance(value, str):
            self.refuse(where, f"{key} is not a string")
        return value

    def text_or_none(self, source: Mapping[str, Any], key: str, where: str) -> str | None:
        return None if source.get(key) is None else self.text(source, key, where)

    def word(self, source: Mapping[str, Any], key: str, where: str, words: tuple[str, ...]) -> str:
        value = self.text(source, key, where)
        if value not in words:
            self.refuse(where, f"{key} is none of {', '.join(words)}")
        return value

    def sizes(self, value: Any, where: str) -> tuple[int, ...]:
        if not isinstance(value, list) or not all(type(size) is int and size in (1, 2, 4) for size in value):
            self.refuse(where, "access sizes are not a list of 1, 2 and 4")
        return tuple(value)


ADDRESS = (1 << 64) - 1


def read_image(config: Blob, pages: Blob) -> Image:
    """The image of config.json and config.bin. Raises `Unreadable` where either is malformed."""
    if len(config.data) > MAX_JSON:
        raise unreadable(config.file, f"{len(config.data)} bytes, more than {MAX_JSON}")
    try:
        top = json.loads(config.data)
    except (ValueError, RecursionError) as error:
        raise unreadable(config.file, f"not JSON: {error}") from None
    reader = _Reader(config.file)
    root = reader.object(top, "the file")
    if root.get("rootplex_config") != 1:
        reader.refuse("rootplex_config", "not a hardware image of version 1")
    if len(pages.data) % PAGE_PAIR:
        raise unreadable(pages.file, f"{len(pages.data)} bytes, not a multiple of {PAGE_PAIR}")
    bridges = tuple(
        _bridge(reader, entry, f"bridges[{index}]")
        for index, entry in enumerate(reader.items(root, "bridges", "the file", MAX_BRIDGES))
    )
    page_count = len(pages.data) // PAGE_PAIR
    functions = tuple(
        function
        for index, entry in enumerate(reader.items(root, "functions", "the file", MAX_FUNCTIONS))
        if (function := _function(reader, entry, f"functions[{index}]", page_count)) is not None
    )
    if len({bridge.id for bridge in bridges}) != len(bridges):
        reader.refuse("bridges", "two bridges have one id")
    _check_tree(reader, bridges, functions)
    return Image(config.file, bridges, functions, _cells(pages.data))


def _cells(data: bytes) -> memoryview:
    if sys.byteorder == "little":
        return memoryview(data).cast("I")
    words = array("I", data)
    words.byteswap()
    return memoryview(words)


def _bridge(reader: _Reader, value: Any, where: str) -> BridgeImage:
    source = reader.object(value, where)
    registers = []
    for entry in reader.items(source, "registers", where, MAX_BLOCKS):
        block = reader.object(entry, f"{where}.registers")
        registers.append(
            RegisterBlock(
                reader.text(block, "name", where),
                reader.number(block, "base", where, ADDRESS),
                reader.number(block, "size", where, ADDRESS),
            )
        )
    named = {block.name for block in registers}
    views = []
    for index, entry in enumerate(reader.items(source, "views", where, len(FIRMWARES))):
        view = reader.object(entry, f"{where}.views[{index}]")
        firmware = cast("FirmwareName", reader.word(view, "firmware", where, FIRMWARES))
        views.append((firmware, ConfigSpaceImage(**_space(reader, view, f"{where}.views[{index}]", named))))
    return BridgeImage(
        id=reader.text(source, "id", where),
        views=tuple(views),
        registers=tuple(registers),
        stream_id_bits=reader.number(source, "stream_id_bits", where, 64, 32),
        device_id_bits=reader.number(source, "device_id_bits", where, 64, 32),
        **_space(reader, source, where, named),
    )


def _space(reader: _Reader, source: Mapping[str, Any], where: str, blocks: set[str]) -> dict[str, Any]:
    """The fields of a ConfigSpaceImage; `blocks` are the names of the bridge's register blocks."""
    root_sizes = source.get("sizes_root_bus")
    special = []
    for entry in reader.items(source, "special", where):
        case = reader.object(entry, f"{where}.special")
        behaviour = cast("Behaviour", reader.word(case, "behaviour", where, BEHAVIOURS))
        register = reader.text_or_none(case, "register", where)
        if behaviour == "elsewhere" and register not in blocks:
            reader.refuse(where, f"no register block {register!r} for a device that is elsewhere")
        special.append(
            SpecialCase(
                reader.number(case, "bus", where, 255),
                reader.number(case, "dev", where, 31),
                behaviour,
                register,
            )
        )
    return {
        "kind": reader.word(source, "kind", where, KINDS),
        "base": reader.number(source, "base", where, ADDRESS),
        "size": reader.number(source, "size", where, ADDRESS),
        "first_bus": reader.number(source, "first_bus", where, 255),
        "last_bus": reader.number(source, "last_bus", where, 255),
        "sizes": reader.sizes(source.get("sizes", [1, 2, 4]), where),
        "sizes_root_bus": None if root_sizes is None else reader.sizes(root_sizes, where),
        "special": tuple(special),
    }


def _function(reader: _Reader, value: Any, where: str, page_count: int) -> FunctionImage | None:
    source = reader.object(value, where)
    if source.get("present", True) is False:
        return None
    page = reader.number(source, "page", where, ADDRESS)
    if page >= page_count:
        reader.refuse(where, f"page {page} lies past the end of the pages ({page_count})")
    w1c = []
    for entry in reader.items(source, "w1c", where):
        if not (isinstance(entry, list) and len(entry) == 3 and all(type(part) is int for part in entry)):
            reader.refuse(where, "w1c is not a list of [offset, bytes, mask]")
        offset, width, mask = entry
        if (
            width not in (1, 2, 4)
            or not 0 <= offset <= 4096 - width
            or offset % width
            or not 0 <= mask < 1 << width * 8
        ):
            reader.refuse(where, "w1c names bits outside a register")
        w1c.append((offset, width, mask))
    told = source.get("aliases") != NO_ALIASES
    aliases = reader.items(source, "aliases", where) if told else []
    if not all(type(alias) is int and 0 <= alias <= 255 for alias in aliases):
        reader.refuse(where, "aliases is not a list of devfns")
    vf_of = reader.text_or_none(source, "vf_of", where)
    return FunctionImage(
        id=reader.text(source, "id", where),
        page=page,
        bridge=reader.text(source, "bridge", where),
        parent=reader.text_or_none(source, "parent", where),
        devfn=0 if vf_of is not None else reader.number(source, "devfn", where, 255),
        acs_quirk=reader.text_or_none(source, "acs_quirk", where),
        aliases=tuple(aliases) if aliases or not told else None,
        w1c=tuple(w1c),
        vf_of=vf_of,
        vf_index=0 if vf_of is None else reader.number(source, "vf_index", where, 0xFFFF),
    )


def _check_tree(
    reader: _Reader, bridges: tuple[BridgeImage, ...], functions: tuple[FunctionImage, ...]
) -> None:
    """Ids are unique and known, no two functions share a place, and every parent comes to a root."""
    known = {bridge.id for bridge in bridges}
    by_id = {function.id: function for function in functions}
    if len(by_id) != len(functions):
        reader.refuse("functions", "two functions have one id")
    taken: set[tuple[str, str | None, int]] = set()
    rooted: set[str] = set()
    for function in functions:
        if function.bridge not in known:
            reader.refuse(f"function {function.id}", f"unknown bridge {function.bridge!r}")
        if function.vf_of is not None:
            physical = by_id.get(function.vf_of)
            if physical is None or physical.vf_of is not None:
                reader.refuse(f"function {function.id}", f"vf_of {function.vf_of!r} is no physical function")
            continue
        place = (function.bridge, function.parent, function.devfn)
        if place in taken:
            reader.refuse(f"function {function.id}", "another function has this place")
        taken.add(place)
        path: list[str] = []
        step: FunctionImage | None = function
        while step is not None and step.id not in rooted:
            path.append(step.id)
            if len(path) > 256:
                reader.refuse(f"function {function.id}", "more than 256 bridges deep, or in a ring")
            above = None if step.parent is None else by_id.get(step.parent)
            if step.parent is not None and (above is None or above.vf_of is not None):
                reader.refuse(f"function {step.id}", f"unknown parent {step.parent!r}")
            if above is not None and above.bridge != step.bridge:
                reader.refuse(f"function {step.id}", "its parent is behind another host bridge")
            step = above
        rooted.update(path)
