"""Resource templates, the buffers of `_CRS` (ACPI 6.5 §6.4), to descriptors."""

from __future__ import annotations

import struct
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct

from rootplex.formats.acpi import ADDRESS_SPACE_TYPES, ADDRESS_SPACES, CONSUMED
from rootplex.readers.acpi.fields import read_fields

ResourceType: TypeAlias = Literal["memory", "io", "bus", "irq", "dma", "other"]


class Resource(Struct, frozen=True, kw_only=True):
    """One descriptor. `kind` is its macro's word: Word, DWord, QWord, Extended, IO, FixedIO,
    Memory24, Memory32, Memory32Fixed, IRQ, Interrupt, DMA, … `producer` is set where a bridge
    passes the range to the bus below (bit 0 of the general flags clear); descriptors without that
    bit are consumers. `numbers` lists the lines of interrupts and DMA channels. `offset` and `size` are the
    descriptor's own."""

    type: ResourceType
    kind: str
    offset: int
    size: int
    minimum: int = 0
    maximum: int = 0
    translation: int = 0
    length: int = 0
    granularity: int = 0
    producer: bool = False
    general_flags: int = 0
    type_flags: int = 0
    numbers: tuple[int, ...] = ()

    @property
    def prefetchable(self) -> bool:
        """Memory address spaces: type flags bits 2:1 = 3."""
        return self.type == "memory" and self.type_flags >> 1 & 3 == 3

    @property
    def span(self) -> int:
        """How many addresses Linux takes memory or I/O to have; 0: it is dropped. Of an address space minimum
        and maximum count, whatever the length, unless that is 0 or they run backwards
        (drivers/acpi/resource.c, `acpi_dev_resource_len_valid`); of the others the length."""
        if self.kind not in ADDRESS_SPACES:
            return self.length
        return max(0, self.maximum - self.minimum + 1) % (1 << 64) if self.length else 0

    @property
    def cpu_minimum(self) -> int:
        """The minimum as the CPU sees it: with the translation added, modulo 2^64."""
        return (self.minimum + self.translation) % (1 << 64)


class ResourceList(Struct, frozen=True):
    """The descriptors of one template, in order. `fault` says why reading stopped early: a
    descriptor that runs past the end, no end tag; None where all is well."""

    items: tuple[Resource, ...]
    fault: str | None


_SMALL = {4: "IRQ", 5: "DMA", 6: "StartDependent", 7: "EndDependent", 8: "IO", 9: "FixedIO", 10: "FixedDMA"}
_END_TAG = 15
_LARGE = {1: "Memory24", 2: "GenericRegister", 4: "Vendor", 5: "Memory32", 6: "Memory32Fixed"}
_LARGE |= {7: "DWord", 8: "Word", 9: "Interrupt", 10: "QWord", 11: "Extended", 12: "Gpio"}
_LARGE |= {13: "PinFunction", 14: "SerialBus", 15: "PinConfig", 16: "PinGroup"}
_SPACES: dict[int, ResourceType] = {
    ADDRESS_SPACE_TYPES[type]: type for type in get_args(ResourceType) if type in ADDRESS_SPACE_TYPES
}


def read_resources(data: bytes) -> ResourceList:
    """The descriptors of a resource template, up to its end tag."""
    items: list[Resource] = []
    at = 0
    while at < len(data):
        first = data[at]
        if first & 0x80:
            if at + 3 > len(data):
                return ResourceList(tuple(items), f"descriptor at {at:#x} is cut off")
            kind = _LARGE.get(first & 0x7F, f"Large{first & 0x7F:#x}")
            size = 3 + int.from_bytes(data[at + 1 : at + 3], "little")
        else:
            code = first >> 3 & 0xF
            if code == _END_TAG:
                return ResourceList(tuple(items), None)
            kind = _SMALL.get(code, f"Small{code:#x}")
            size = 1 + (first & 7)
        if at + size > len(data):
            text = f"{kind} descriptor at {at:#x} has {size} bytes, {len(data) - at} are left"
            return ResourceList(tuple(items), text)
        item = _resource(kind, data[at : at + size], at)
        if item is None:
            text = f"{kind} descriptor at {at:#x} is too short with {size} bytes"
            return ResourceList(tuple(items), text)
        items.append(item)
        at += size
    return ResourceList(tuple(items), "no end tag")


def _resource(kind: str, body: bytes, offset: int) -> Resource | None:
    """One descriptor; None where it is too short for its kind."""
    try:
        type, values = _values(kind, body)
    except struct.error:
        return None
    return Resource(type=type, kind=kind, offset=offset, size=len(body), **values)


def _values(kind: str, body: bytes) -> tuple[ResourceType, dict[str, Any]]:
    """A descriptor's type, and the fields of `Resource` that it has."""
    match kind:
        case "IRQ":
            (mask,) = struct.unpack_from("<H", body, 1)
            return "irq", {"numbers": _bits(mask), "type_flags": body[3] if len(body) > 3 else 1}
        case "DMA":
            mask, flags = struct.unpack_from("<BB", body, 1)
            return "dma", {"numbers": _bits(mask), "type_flags": flags}
        case "Interrupt":
            flags, count = struct.unpack_from("<BB", body, 3)
            numbers = struct.unpack_from(f"<{count}I", body, 5)
            return "irq", {"numbers": numbers, "type_flags": flags, "producer": not flags & 1}
    type: ResourceType = "other"
    it: dict[str, Any] = {}
    if kind in ADDRESS_SPACES:
        it = read_fields(ADDRESS_SPACES[kind], body)
        type = _SPACES.get(it.pop("type"), "other")
        it["producer"] = not it["general_flags"] & 1
    elif kind in CONSUMED:
        it = read_fields(CONSUMED[kind], body)
        type = "memory" if kind.startswith("Memory") else "io"
        it.setdefault("maximum", it["minimum"] + max(it["length"], 1) - 1)
        if kind == "Memory24":  # in units of 256 bytes
            it["minimum"], it["maximum"] = it["minimum"] << 8, it["maximum"] << 8 | 0xFF
            it["length"] <<= 8
    return type, {name: value for name, value in it.items() if name in Resource.__struct_fields__}


def _bits(mask: int) -> tuple[int, ...]:
    return tuple(bit for bit in range(16) if mask >> bit & 1)
