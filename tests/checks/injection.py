"""Faults to inject into the artifacts of one platform: one named field each, set to another value.

Where a field lies is said here by the layouts of the specifications (Devicetree 0.4 §5, PCI Firmware 3.3
§4.1.2, DEN0049 E.f, ACPI 6.5 §6.4.3.5), not by our readers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.checks.altered import property_at, with_bytes, with_cell

from rootplex.backends.artifact import Compiled

BRIDGES = ("main", "second", "third")
MCFG_HEADER, IORT_NODES = 44, 0x30


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` is artifact, bridge (or node) and field; `key` the description's keys (of the
    bridge) at one of whose lines the finding or its other party is expected; none for a table's frame."""

    name: str
    bridge: str | None
    key: str
    alter: Callable[[Compiled], Compiled]


def dtb_faults(compiled: Compiled) -> Iterator[Fault]:
    """Every cell of the bridges' nodes with a number that something else says too."""
    nodes = {each.name: each.node for each in compiled.bridges}
    keys = {"linux,pci-domain": "segment", "bus-range": "bus_range", "reg": "config", "ranges": "windows"}
    keys |= {"msi-map": "msi", "iommu-map": "iommu"}
    blob = compiled.files[f"{compiled.name}.dtb"]
    for bridge in BRIDGES:
        node = nodes[bridge]
        assert node is not None
        for property, key in keys.items():
            start, length = property_at(blob, node, property)
            for cell in range(length // 4):
                (old,) = struct.unpack_from(">I", blob, start + 4 * cell)
                for word, new in _other_values(property, cell, old):
                    yield Fault(
                        f"dtb {bridge} {property}[{cell}]{word}",
                        bridge,
                        key,
                        lambda c, n=node, p=property, i=cell, v=new: with_cell(c, n, p, i, v),  # type: ignore[misc]
                    )
    for path, key in (
        ("/iommu@9050000", "iommu"),
        ("/interrupt-controller@8000000/msi-controller@8080000", "msi"),
    ):
        for cell, delta in ((0, 1), (1, 0x100000)):
            start, _ = property_at(blob, path, "reg")
            (old,) = struct.unpack_from(">I", blob, start + 4 * cell)
            yield Fault(
                f"dtb {path} reg[{cell}]",
                None,
                key,
                lambda c, n=path, i=cell, v=old + delta: with_cell(c, n, "reg", i, v),  # type: ignore[misc]
            )


def _other_values(property: str, cell: int, old: int) -> Iterator[tuple[str, int]]:
    """What a cell is set to: less and more, in steps that a typing mistake could make."""
    if property == "ranges" and cell % 7 == 0:
        yield " to I/O", 0x01000000 if old != 0x01000000 else 0x02000000
        return
    step = {"linux,pci-domain": 5, "bus-range": 1, "reg": 0x100000, "ranges": 0x10000}.get(property, 0x100)
    if property in ("msi-map", "iommu-map") and cell % 4 == 1:
        step = 0x40
    if (property == "reg" and cell == 2) or (property == "ranges" and cell % 7 in (1, 3, 5)):
        step = 1
    if property == "reg" and cell == 0:
        step = 1
    if not is_surplus(property, cell):
        yield " more", (old + step) & 0xFFFFFFFF
    if old >= step:
        yield " less", old - step


def is_surplus(property: str, cell: int) -> bool:
    """Whether more of it is a map beyond the bus range: ids that no requester has."""
    return property in ("msi-map", "iommu-map") and cell % 4 == 3


def mcfg_faults(compiled: Compiled) -> Iterator[Fault]:
    """Every field of every entry, and the table's length."""
    data = compiled.files["mcfg.aml"]
    for index, bridge in enumerate(BRIDGES):
        at = MCFG_HEADER + 16 * index
        for field, offset, format, key, steps in (
            ("base", 0, "<Q", "config", (0x100000, -0x100000)),
            ("segment", 8, "<H", "segment", (1, 7)),
            ("start", 10, "<B", "bus_range config", (1, -1)),
            ("end", 11, "<B", "bus_range config", (1, -1)),
        ):
            yield from _numbers(
                data, "mcfg.aml", f"mcfg {bridge} {field}", at + offset, format, steps, bridge, key
            )
    yield Fault(
        "mcfg length", None, "", lambda c: with_bytes(c, "mcfg.aml", 4, struct.pack("<I", len(data) - 4))
    )


def _numbers(
    data: bytes,
    file: str,
    name: str,
    offset: int,
    format: str,
    steps: tuple[int, ...],
    bridge: str | None,
    key: str,
) -> Iterator[Fault]:
    (old,) = struct.unpack_from(format, data, offset)
    top = 1 << 8 * struct.calcsize(format)
    for step in steps:
        if 0 <= old + step < top:
            new = struct.pack(format, old + step)
            yield Fault(
                f"{name} {step:+#x}",
                bridge,
                key,
                lambda c, f=file, o=offset, b=new: with_bytes(c, f, o, b),  # type: ignore[misc]
            )


def ssdt_faults(compiled: Compiled) -> Iterator[Fault]:
    """`_SEG`, `_BBN`, `_UID`, and every number of every address descriptor."""
    data = compiled.files["ssdt.aml"]
    for index, bridge in enumerate(BRIDGES):
        begin = data.index(b"PC0%d" % index)
        for name, key in (("_SEG", "segment"), ("_BBN", "bus_range")):
            at = data.index(b"\x08" + name.encode(), begin) + 5
            value, place, size = _integer(data, at)
            for step in (1, -1, 5):
                new = value + step
                if new < 0 or (size == 0 and new > 1):
                    continue
                content = bytes([new]) if size == 0 else new.to_bytes(size, "little")
                yield Fault(
                    f"ssdt {bridge} {name} {step:+#x}",
                    bridge,
                    key,
                    lambda c, o=place, b=content: with_bytes(c, "ssdt.aml", o, b),  # type: ignore[misc]
                )
    owners: dict[int, str] = {data.index(b"PC0%d" % index): name for index, name in enumerate(BRIDGES)}
    reserved = 0
    for at, width, type in _descriptors(data):
        owner = [name for begin, name in owners.items() if begin < at]
        if owner:
            bridge, what = owner[-1], ("memory", "io", "bus")[type]
            key = "bus_range" if type == 2 else "windows"
        else:
            bridge, what, key = BRIDGES[reserved], "reserved", "config"
            reserved += 1
        format = {2: "<H", 4: "<I", 8: "<Q"}[width]
        step = 1 if type == 2 else 0x10000
        for position, field in enumerate(("granularity", "minimum", "maximum", "translation", "length")):
            if field != "granularity" and not (type == 2 and field == "translation"):
                name = f"ssdt {bridge} {what}@{at:#x} {field}"
                offset = at + 6 + width * position
                yield from _numbers(data, "ssdt.aml", name, offset, format, (step, -step), bridge, key)


def _integer(data: bytes, at: int) -> tuple[int, int, int]:
    """(value, where it lies, its bytes) of an AML integer; 0 bytes: ZeroOp and OneOp."""
    if data[at] in (0, 1):
        return data[at], at, 0
    size = {0x0A: 1, 0x0B: 2, 0x0C: 4, 0x0E: 8}[data[at]]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1, size


def _descriptors(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(offset, width of a number, address space) of each Word, DWord and QWord descriptor."""
    widths = {0x88: 2, 0x87: 4, 0x8A: 8}
    at = data.index(b"_CRS")
    while at < len(data) - 46:
        width = widths.get(data[at])
        if width and data[at + 1 : at + 3] == struct.pack("<H", 3 + 5 * width) and data[at + 3] < 3:
            yield at, width, data[at + 3]
            at += 6 + 5 * width
        else:
            at += 1


def iort_faults(compiled: Compiled) -> Iterator[Fault]:
    """Counts, offsets, segments, bases and every number of every mapping."""
    data = compiled.files["iort.aml"]

    def numbers(
        name: str, at: int, steps: tuple[int, ...], key: str, format: str = "<I", bridge: str | None = None
    ) -> Iterator[Fault]:
        yield from _numbers(data, "iort.aml", name, at, format, steps, bridge, key)

    yield from numbers("iort node count", 36, (1, -1), "")
    yield from numbers("iort node offset", 40, (4, -4), "")
    at = IORT_NODES
    bridge = 0
    while at < len(data):
        type, length = struct.unpack_from("<BH", data, at)
        count, mappings = struct.unpack_from("<II", data, at + 8)
        owner = BRIDGES[bridge] if type == 2 else None
        word = {0: "its", 2: owner, 4: "smmu"}[type]
        key = {0: "msi", 2: "iommu", 4: "msi"}[type]
        yield from numbers(f"iort {word} length", at + 1, (4, -4), "", "<H", owner)
        if count:
            yield from numbers(f"iort {word} mapping count", at + 8, (1, -1), f"name {key}", bridge=owner)
            yield from numbers(f"iort {word} mapping offset", at + 12, (4, -4), f"name {key}", bridge=owner)
        if type == 0:
            yield from numbers("iort its count", at + 16, (1,), "")
            yield from numbers("iort its id", at + 20, (1,), "")
        if type == 4:
            yield from numbers("iort smmu base", at + 16, (0x10000,), "iommu", "<Q")
        if type == 2:
            yield from numbers(f"iort {word} segment", at + 28, (1, 7), "segment", bridge=owner)
            bridge += 1
        for index in range(count):
            entry = at + mappings + 20 * index
            mapped = owner or BRIDGES[index]
            key_of = "iommu" if type == 2 else "msi"
            for field, offset, steps in (
                ("input base", 0, (0x100, -0x100, 1)),
                ("id count", 4, (1, -1, -0x100)),
                ("output base", 8, (0x100, -0x100, 1)),
                ("output reference", 12, (4, -0x18)),
            ):
                name = f"iort {word} mapping {index} {field}"
                yield from numbers(name, entry + offset, steps, key_of, bridge=mapped)
            flags = f"iort {word} mapping {index} single"
            yield from numbers(flags, entry + 16, (1,), key_of, bridge=mapped)
        at += length


def idle_faults(compiled: Compiled) -> Iterator[tuple[Fault, str]]:
    """Fields that no second artifact and no hardware contradicts, with the reason."""
    nodes = {each.name: each.node for each in compiled.bridges}
    blob = compiled.files[f"{compiled.name}.dtb"]
    for property in ("msi-map", "iommu-map"):
        node = nodes["main"]
        assert node is not None
        start, _ = property_at(blob, node, property)
        (old,) = struct.unpack_from(">I", blob, start + 12)

        def longer(c: Compiled, node: str = node, name: str = property, value: int = old + 256) -> Compiled:
            return with_cell(c, node, name, 3, value)

        reason = "ids beyond the bus range: no requester has them, and IORT is cut to the buses"
        yield Fault(f"dtb main {property}[3] more", "main", "", longer), reason
    data = compiled.files["ssdt.aml"]
    at = next(at for at, _, type in _descriptors(data) if type == 2)
    for field, offset, reason in (
        ("granularity", 6, "it says how a range may be moved; these are fixed"),
        ("translation", 12, "a bus number is not translated: Linux takes minimum and length"),
    ):
        for fault in _numbers(data, "ssdt.aml", f"ssdt main bus {field}", at + offset, "<H", (1,), None, ""):
            yield fault, reason
    yield (
        Fault("ssdt third _UID", None, "", _third_uid),
        "any number that no other bridge has is as good: nothing else names a bridge by it",
    )
    tables = (
        ("mcfg.aml", "mcfg main reserved", MCFG_HEADER + 12, "it is reserved: nobody reads it"),
        ("mcfg.aml", "mcfg reserved", 36, "it is reserved: nobody reads it"),
        ("iort.aml", "iort its identifier", IORT_NODES + 4, "nothing refers to nodes by identifier"),
        ("iort.aml", "iort reserved", 44, "it is reserved: nobody reads it"),
    )
    for file, name, offset, reason in tables:
        for fault in _numbers(compiled.files[file], file, name, offset, "<I", (64,), None, ""):
            yield fault, reason


def _third_uid(compiled: Compiled) -> Compiled:
    data = compiled.files["ssdt.aml"]
    at = data.index(b"\x08_UID", data.index(b"PC02")) + 5
    assert data[at] == 0x0A
    return with_bytes(compiled, "ssdt.aml", at + 1, b"\x07")


def all_faults(compiled: Compiled) -> Iterator[Fault]:
    """Every fault of every artifact."""
    for faults in (dtb_faults, mcfg_faults, ssdt_faults, iort_faults):
        yield from faults(compiled)
