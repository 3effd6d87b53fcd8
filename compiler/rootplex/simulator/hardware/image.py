"""Reads the hardware image: config.json (what there is) and config.bin (its registers).

Every field is checked before it is used, so that any bytes give an image or `Unreadable`. The
values are facts of hardware: opaque ids, no bus numbers of devices. The classes are config.json's own
objects, as `rootplex schema config` has them.
"""

from __future__ import annotations

import sys
from array import array
from itertools import chain
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rootplex.simulator.inputs import Blob
from rootplex.source.finding import unreadable

PAGE_PAIR = 8192
CELLS_PER_PAIR = PAGE_PAIR // 4
MASK_CELLS = 1024
"""Registers of a page in 32-bit cells: the mask page follows the reset page at this distance."""

MAX_JSON = 256 << 20

BridgeKind = Literal["ecam", "cam", "windowed", "quirk"]
Behaviour = Literal["hidden", "single-device", "all-ones", "elsewhere"]
FirmwareName = Literal["dt", "acpi"]
NO_ALIASES: Literal["none"] = "none"
"""Of a function's aliases: it has none, whatever is known by its id. An empty list says nothing."""

Address = Annotated[int, Meta(ge=0)]
Byte = Annotated[int, Meta(ge=0, le=0xFF)]
Bits = Annotated[int, Meta(ge=0, le=64)]
Sizes = Annotated[tuple[Literal[1, 2, 4], ...], Meta(max_length=1 << 12)]
RegisterBits = tuple[int, Literal[1, 2, 4], int]


class SpecialCase(Struct, frozen=True, kw_only=True):
    """One slot of one bus where the bridge departs from ECAM; `register` names a block."""

    bus: Byte
    dev: Annotated[int, Meta(ge=0, le=31)]
    behaviour: Behaviour
    register: str | None = None


class RegisterBlock(Struct, frozen=True, kw_only=True):
    """A named block of the bridge's registers, in bytes of CPU addresses."""

    name: str
    base: Address
    size: Address


class ConfigSpaceImage(Struct, frozen=True, kw_only=True):
    """Configuration space: where it lies (`windowed`: the register block), for which buses, which
    access sizes it takes (`sizes_root_bus`: on its first bus, None: as elsewhere)."""

    kind: BridgeKind
    base: Address
    size: Address
    first_bus: Byte
    last_bus: Byte
    sizes: Sizes = (1, 2, 4)
    sizes_root_bus: Sizes | None = None
    special: Annotated[tuple[SpecialCase, ...], Meta(max_length=1 << 12)] = ()


class ViewImage(ConfigSpaceImage, frozen=True, kw_only=True):
    """Another configuration space of a bridge, there where this firmware has set it up."""

    firmware: FirmwareName


class BridgeImage(ConfigSpaceImage, frozen=True, kw_only=True):
    """One host bridge."""

    id: str
    views: Annotated[tuple[ViewImage, ...], Meta(max_length=2)] = ()
    registers: Annotated[tuple[RegisterBlock, ...], Meta(max_length=64)] = ()
    stream_id_bits: Bits = 32
    device_id_bits: Bits = 32

    def __post_init__(self) -> None:
        blocks = {block.name for block in self.registers}
        for case in chain(self.special, *(view.special for view in self.views)):
            if case.behaviour == "elsewhere" and case.register not in blocks:
                raise ValueError(f"no register block {case.register!r} for a device that is elsewhere")


class FunctionImage(Struct, frozen=True, kw_only=True):
    """One function. `page` is its index into config.bin, `parent` the id of the bridge above (None:
    first bus), `w1c` (offset, bytes, mask). A VF has `vf_of` and its 0-based `vf_index`."""

    id: str
    page: Address
    bridge: str
    parent: str | None = None
    devfn: Byte
    acs_quirk: str | None = None
    aliases: Annotated[tuple[Byte, ...], Meta(max_length=256)] | Literal["none"] = ()
    w1c: Annotated[tuple[RegisterBits, ...], Meta(max_length=1 << 12)] = ()
    vf_of: str | None = None
    vf_index: Annotated[int, Meta(ge=0, le=0xFFFF)] | None = None

    def __post_init__(self) -> None:
        for offset, width, mask in self.w1c:
            if not 0 <= offset <= 4096 - width or offset % width or not 0 <= mask < 1 << width * 8:
                raise ValueError("w1c names bits outside a register")
        if self.vf_of is not None and self.vf_index is None:
            raise ValueError("a VF without its vf_index")

    @property
    def told_aliases(self) -> tuple[int, ...] | None:
        """The devfns it is known to use as well; None where nothing is said of them."""
        return () if self.aliases == NO_ALIASES else self.aliases or None


class Config(Struct, frozen=True, kw_only=True):
    """config.json. Ids are unique and known, no two functions share a place, every parent comes to a root."""

    rootplex_config: Literal[1]
    bridges: Annotated[tuple[BridgeImage, ...], Meta(max_length=1 << 12)] = ()
    functions: Annotated[tuple[FunctionImage, ...], Meta(max_length=1 << 20)] = ()

    def __post_init__(self) -> None:
        _check_tree(self.bridges, self.functions)


class Image(Struct, frozen=True):
    """The whole image. `cells` are config.bin's 32-bit words: function page n has its reset
    values at `n * CELLS_PER_PAIR` and its write mask `MASK_CELLS` further."""

    bridges: tuple[BridgeImage, ...]
    functions: tuple[FunctionImage, ...]
    cells: memoryview


def read_image(config: Blob, pages: Blob) -> Image:
    """The image of config.json and config.bin. Raises `Unreadable` where either is malformed."""
    if len(config.data) > MAX_JSON:
        raise unreadable(config.file, f"{len(config.data)} bytes, more than {MAX_JSON}")
    try:
        read = msgspec.json.decode(config.data, type=Config)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise unreadable(config.file, _said(error)) from None
    page_count, rest = divmod(len(pages.data), PAGE_PAIR)
    if rest:
        raise unreadable(pages.file, f"{len(pages.data)} bytes, not a multiple of {PAGE_PAIR}")
    for function in read.functions:
        if function.page >= page_count:
            what = f"page {function.page} lies past the end of the pages ({page_count})"
            raise unreadable(config.file, f"function {function.id}: {what}")
    return Image(read.bridges, read.functions, _cells(pages.data))


def _said(error: Exception) -> str:
    """What msgspec has against a value, behind its place."""
    what, _, path = str(error).partition(" - at `$")
    what = what[:1].lower() + what[1:]
    return f"{path.strip('.`')}: {what}" if path.strip("`") else what


def _cells(data: bytes) -> memoryview:
    if sys.byteorder == "little":
        return memoryview(data).cast("I")
    words = array("I", data)
    words.byteswap()
    return memoryview(words)


def _check_tree(bridges: tuple[BridgeImage, ...], functions: tuple[FunctionImage, ...]) -> None:
    known = {bridge.id for bridge in bridges}
    if len(known) != len(bridges):
        raise ValueError("two bridges have one id")
    by_id = {function.id: function for function in functions}
    if len(by_id) != len(functions):
        raise ValueError("two functions have one id")
    taken: set[tuple[str, str | None, int]] = set()
    rooted: set[str] = set()
    for function in functions:
        if function.bridge not in known:
            raise ValueError(f"function {function.id}: unknown bridge {function.bridge!r}")
        if function.vf_of is not None:
            physical = by_id.get(function.vf_of)
            if physical is None or physical.vf_of is not None:
                raise ValueError(f"function {function.id}: vf_of {function.vf_of!r} is no physical function")
            continue
        place = (function.bridge, function.parent, function.devfn)
        if place in taken:
            raise ValueError(f"function {function.id}: another function has this place")
        taken.add(place)
        path: list[str] = []
        step: FunctionImage | None = function
        while step is not None and step.id not in rooted:
            path.append(step.id)
            if len(path) > 256:
                raise ValueError(f"function {function.id}: more than 256 bridges deep, or in a ring")
            above = None if step.parent is None else by_id.get(step.parent)
            if step.parent is not None and (above is None or above.vf_of is not None):
                raise ValueError(f"function {step.id}: unknown parent {step.parent!r}")
            if above is not None and above.bridge != step.bridge:
                raise ValueError(f"function {step.id}: its parent is behind another host bridge")
            step = above
        rooted.update(path)
