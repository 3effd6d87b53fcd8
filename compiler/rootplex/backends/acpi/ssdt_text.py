"""The SSDT's ASL text: blocks and lines for what differs, a template for the methods that every bridge has.

`check` makes this text on every run, so it is put together without a template engine, whose import
alone costs more than all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from rootplex.backends.acpi.asl import asl_hardware_id, asl_number, asl_text
from rootplex.backends.acpi.prt import Route
from rootplex.backends.acpi.resources import Descriptor
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device

Lines: TypeAlias = Iterator[str]

_METHODS = Path(__file__).with_name("templates") / "methods.asl"
_INDENT = "    "


class Reserved(Struct, frozen=True):
    """One range of ECAM for the PNP0C02."""

    bridge: str
    first: int
    last: int
    length: int


class Port(Struct, frozen=True):
    """A device below a bridge that AML has to name; `number` tells external facing ports apart."""

    device: Device
    name: str
    number: int
    children: tuple[Port, ...]


class Bridge(Struct, frozen=True):
    """What the text says of one host bridge."""

    bridge: HostBridge
    name: str
    uid: int | str
    cba: int | None
    crs: tuple[Descriptor, ...]
    dma: tuple[Descriptor, ...] | None
    routes: tuple[Route, ...]
    osc: int
    ports: tuple[Port, ...]


class Ssdt(Struct, frozen=True):
    """What the text says. `reservation`: the name of the PNP0C02 that consumes `reserved`."""

    platform: str
    oem_id: str
    oem_table_id: str
    oem_revision: int
    reservation: str
    reserved: tuple[Reserved, ...]
    bridges: tuple[Bridge, ...]


def ssdt_text(ssdt: Ssdt) -> str:
    """The whole definition block."""
    names = f"{asl_text(ssdt.oem_id)}, {asl_text(ssdt.oem_table_id)}, {asl_number(ssdt.oem_revision, 8)}"
    methods = _METHODS.read_text(encoding="ascii")
    lines = [
        "/*",
        f" * The PCI host bridges of {ssdt.platform}, compiled by Rootplex from its description.",
        " */",
        *_block(
            f'DefinitionBlock ("", "SSDT", 2, {names})', _block("Scope (\\_SB)", _devices(ssdt, methods))
        ),
    ]
    return "\n".join(lines) + "\n"


def _block(head: str, body: Iterable[str], end: str = "}") -> Lines:
    yield head
    yield "{"
    for line in body:
        yield _INDENT + line if line else line
    yield end


def _object(name: str, kind: str, body: Iterable[str]) -> Lines:
    """A named object with contents: a package, a resource template."""
    return _block(f"Name ({name}, {kind} ()", body, "})")


def _listed(rows: Iterable[str]) -> Lines:
    """The elements of a package: a comma after each but the last."""
    *first, last = rows
    yield from (f"{row}," for row in first)
    yield last


def _devices(ssdt: Ssdt, methods: str) -> Lines:
    if ssdt.reserved:
        yield "// The configuration space of the described buses: outside every host bridge."
        yield from _block(f"Device ({ssdt.reservation})", _reservation(ssdt))
        yield ""
    for it in ssdt.bridges:
        yield from _block(f"Device ({it.name}) // {it.bridge.name}", _bridge(it, methods))


def _reservation(ssdt: Ssdt) -> Lines:
    yield 'Name (_HID, EisaId ("PNP0C02"))'
    yield f"Name (_UID, {asl_text(ssdt.reservation)})"
    yield from _object("_CRS", "ResourceTemplate", (line for it in ssdt.reserved for line in _consumed(it)))


def _consumed(it: Reserved) -> Lines:
    yield "QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,"
    yield from _indented(_listed(asl_number(each, 16) for each in (0, it.first, it.last, 0, it.length)))
    yield f") // {it.bridge}"


def _indented(lines: Iterable[str]) -> Lines:
    return (_INDENT + line for line in lines)


def _bridge(it: Bridge, methods: str) -> Lines:
    bridge, acpi = it.bridge, it.bridge.acpi
    yield f"Name (_HID, {asl_hardware_id(acpi.hid)})"
    if len(acpi.cid) == 1:
        yield f"Name (_CID, {asl_hardware_id(acpi.cid[0])})"
    elif acpi.cid:
        yield from _object("_CID", "Package", _listed(map(asl_hardware_id, acpi.cid)))
    if bridge.segment is not None:
        yield f"Name (_SEG, {asl_number(bridge.segment, 4)})"
    yield f"Name (_BBN, {asl_number(bridge.bus_range.first, 2)})"
    yield f"Name (_UID, {asl_text(it.uid) if isinstance(it.uid, str) else asl_number(it.uid)})"
    yield f"Name (_STA, {asl_number(0x0F if bridge.enabled else 0, 2)})"
    yield f"Name (_CCA, {int(bridge.dma_coherent)})"
    if bridge.proximity is not None:
        yield f"Name (_PXM, {asl_number(bridge.proximity)})"
    if it.cba is not None:
        yield f"Name (_CBA, {asl_number(it.cba, 16)}) // of bus 0"
    yield from _resources("_CRS", it.crs)
    if it.dma is not None:
        yield from _resources("_DMA", it.dma)
    if it.routes:
        yield from _object("_PRT", "Package", _listed(map(_route, it.routes)))
    keeps = bridge.preserve_boot_config
    yield from (
        methods
        % {
            "granted": asl_number(it.osc, 8),
            "names": ", ".join(acpi.osc) or "nothing",
            "changes": 0 if keeps else 1,
            "policy": "keep" if keeps else "free to change",
        }
    ).splitlines()
    for port in it.ports:
        yield from _port(port)


def _resources(name: str, descriptors: Iterable[Descriptor]) -> Lines:
    return _object(name, "ResourceTemplate", (line for each in descriptors for line in _descriptor(each)))


def _descriptor(it: Descriptor) -> Lines:
    if it.space == "bus":
        yield "WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,"
    elif it.space == "io":
        yield f"{it.width}IO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,"
    else:
        cached = "Prefetchable" if it.prefetchable else "NonCacheable"
        yield f"{it.width}Memory (ResourceProducer, PosDecode, MinFixed, MaxFixed, {cached}, ReadWrite,"
    more = "," if it.translated_type else ""
    yield f"    {asl_number(0, it.digits)}, // granularity"
    yield f"    {asl_number(it.first, it.digits)}, // minimum, on the bus"
    yield f"    {asl_number(it.last, it.digits)}, // maximum"
    yield f"    {asl_number(it.translation, it.digits)}, // translation to the CPU"
    yield f"    {asl_number(it.length, it.digits)}{more} // length"
    if it.translated_type:
        yield "    , , , TypeTranslation, DenseTranslation"
    yield ")"


def _route(it: Route) -> str:
    return f"Package () {{ {asl_number(it.address, 8)}, {it.pin}, 0, {asl_number(it.gsi)} }}"


def _port(port: Port) -> Lines:
    return _block(f"Device ({port.name})", _port_body(port))


def _port_body(port: Port) -> Lines:
    yield f"Name (_ADR, {asl_number(port.device.dev << 16 | port.device.fn, 8)})"
    if port.device.external_facing:
        yield from _object("_DSD", "Package", _external_facing(port.number))
    for child in port.children:
        yield from _port(child)


def _external_facing(number: int) -> Lines:
    """`ExternalFacingPort` and its `UID`, properties under the UUID of PCI (as Linux and Windows read it)."""
    yield 'ToUUID ("efcc06cc-73ac-4bc3-bff0-76143807c389"), // external facing port'
    yield from _block(
        "Package ()", _listed(('Package () { "ExternalFacingPort", 1 }', f'Package () {{ "UID", {number} }}'))
    )
