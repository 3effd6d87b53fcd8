"""SSDT: a PNP0A08 device for each host bridge, and the PNP0C02 that consumes their ECAM (linux.md §2.1).

`ssdt_source` makes the text, `ssdt` runs `iasl` on it, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from msgspec import Struct

from rootplex.backends.acpi.asl import compile_asl, render
from rootplex.backends.acpi.ecam import base_of_bus_0, check_bases, has_cba, in_mcfg
from rootplex.backends.acpi.header import oem_id, oem_table_id
from rootplex.backends.acpi.names import RESERVATION, SYSTEM_BUS, bridge_name, bridge_path, device_name
from rootplex.backends.acpi.prt import Route, routes, trigger_fault
from rootplex.backends.acpi.resources import (
    Descriptor,
    bridge_descriptors,
    config_faults,
    dma_descriptors,
    placed,
    window_faults,
)
from rootplex.backends.artifact import Artifact, PlaceMap
from rootplex.backends.refusal import CannotCompile
from rootplex.formats.acpi import ADDRESS_SPACES, DSM_UUID, OSC_CONTROLS, OSC_UUID, size_of
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding

SIGNATURE = "SSDT"
_RESERVED_SIZE = size_of(ADDRESS_SPACES["QWord"])

# Where each object of a host bridge was written, by its path in the language; `acpi.` is the acpi key's.
_OBJECTS = {
    "_HID": "acpi.hid",
    "_CID": "acpi.cid",
    "_SEG": "segment",
    "_BBN": "bus_range",
    "_UID": "acpi.uid",
    "_STA": "enabled",
    "_CCA": "dma_coherent",
    "_PXM": "proximity",
    "_CBA": "config.base",
    "_CRS": "windows",
    "_DMA": "dma_windows",
    "_PRT": "intx",
    "_OSC": "acpi.osc",
    "_DSM": "preserve_boot_config",
}


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
    """What the template wants of one host bridge."""

    bridge: HostBridge
    name: str
    uid: int | str
    cba: int | None
    crs: tuple[Descriptor, ...]
    dma: tuple[Descriptor, ...] | None
    routes: tuple[Route, ...]
    osc: int
    ports: tuple[Port, ...]


def ssdt(platform: Platform) -> tuple[Artifact, Artifact]:
    """`ssdt.asl` and `ssdt.aml`, with the places of its objects; fails as `ssdt_source`, `compile_asl`."""
    source = ssdt_source(platform)
    return source, Artifact("ssdt.aml", compile_asl(source.data.decode("ascii"), "ssdt"), source.places)


def ssdt_source(platform: Platform) -> Artifact:
    """`ssdt.asl`, with the places of the AML objects that it becomes.

    CannotCompile for a `_CBA` below address 0, what lies beyond 64 bits, and an INTx trigger that `_PRT`
    cannot say.
    """
    bridges = platform.bridges_in("acpi")
    _check(platform, bridges)
    numbers = count()
    described = [
        Bridge(
            bridge=bridge,
            name=bridge_name(bridge),
            uid=bridge.index if bridge.acpi.uid is None else bridge.acpi.uid,
            cba=base_of_bus_0(bridge) if has_cba(bridge) else None,
            crs=bridge_descriptors(bridge, port_io=platform.arch == "x86_64"),
            dma=None if bridge.dma_windows is None else dma_descriptors(bridge.dma_windows),
            routes=routes(platform, bridge),
            osc=sum(OSC_CONTROLS[name] for name in set(bridge.acpi.osc)),
            ports=tuple(_ports(bridge.devices, numbers)),
        )
        for bridge in bridges
    ]
    reserved = _reserved(platform, bridges)
    text = render(
        "ssdt.asl.j2",
        platform=platform.name,
        oem_id=oem_id(platform),
        oem_table_id=oem_table_id(platform),
        oem_revision=platform.oem_revision,
        reservation=RESERVATION,
        osc_uuid=OSC_UUID,
        dsm_uuid=DSM_UUID,
        reserved=[span for _, span in reserved],
        bridges=described,
    )
    return Artifact("ssdt.asl", text.encode("ascii"), _places(described, reserved))


def _check(platform: Platform, bridges: tuple[HostBridge, ...]) -> None:
    faults: list[Finding] = []
    try:
        check_bases(bridge for bridge in bridges if has_cba(bridge))
    except CannotCompile as refusal:
        faults += refusal.findings
    for bridge in bridges:
        faults += (*config_faults(bridge), *window_faults(bridge))
        if (fault := trigger_fault(platform, bridge)) is not None:
            faults.append(fault)
    if faults:
        raise CannotCompile(faults)


def _reserved(platform: Platform, bridges: tuple[HostBridge, ...]) -> list[tuple[HostBridge, Reserved]]:
    """Exactly the buses of each bridge, also where its region is larger. On x86, where Linux takes an MCFG
    entry as far as one descriptor holds it, a wider entry whole; bridges inside it need none of their own."""
    own = [(bridge, _span(bridge, bridge.bus_range)) for bridge in bridges if bridge.config.is_ecam]
    if platform.arch != "x86_64":
        return own
    found, wide = [], [_span(bridge, entry) for bridge, _ in own if (entry := _wider_entry(bridge))]
    for bridge, span in own:
        entry = _wider_entry(bridge)
        if entry is not None:
            found.append((bridge, _span(bridge, entry)))
        elif not any(each.first <= span.first and span.last <= each.last for each in wide):
            found.append((bridge, span))
    return found


def _wider_entry(bridge: HostBridge) -> BusRange | None:
    """The buses of the bridge's MCFG entry, where they are more than its own."""
    entry, own = bridge.acpi.mcfg, bridge.bus_range
    if not isinstance(entry, BusRange) or not in_mcfg(bridge) or entry == own or base_of_bus_0(bridge) < 0:
        return None
    return entry if entry.first <= own.first and own.last <= entry.last else None


def _span(bridge: HostBridge, buses: BusRange) -> Reserved:
    base, length = base_of_bus_0(bridge) + (buses.first << 20), buses.count << 20
    return Reserved(bridge.name, base, base + length - 1, length)


def _ports(devices: tuple[Device, ...], numbers: Iterator[int]) -> Iterator[Port]:
    """The external facing ports, and the bridges above them."""
    for device in devices:
        number = next(numbers) if device.external_facing else 0
        children = tuple(_ports(device.devices, numbers))
        if device.external_facing or children:
            yield Port(device, device_name(device), number, children)


def _places(described: list[Bridge], reserved: list[tuple[HostBridge, Reserved]]) -> PlaceMap:
    places = PlaceMap()
    for it in described:
        bridge, path = it.bridge, bridge_path(it.bridge)
        places.object(bridge.at(), SIGNATURE, path)
        for name, field in _OBJECTS.items():
            own, _, key = field.partition("acpi.")
            place = bridge.acpi.at(key) if not own and bridge.acpi.wrote(key) else bridge.at(field)
            places.object(place, SIGNATURE, f"{path}.{name}")
        for name, descriptors in (("_CRS", it.crs), ("_DMA", it.dma or ())):
            for start, each in placed(descriptors):
                places.table(each.source, SIGNATURE, start, each.size, path=f"{path}.{name}")
        for port in it.ports:
            _port_places(places, port, path)
    path = f"{SYSTEM_BUS}.{RESERVATION}._CRS"
    for index, (bridge, _) in enumerate(reserved):
        offset = index * _RESERVED_SIZE
        places.table(bridge.at("config.base"), SIGNATURE, offset, _RESERVED_SIZE, path=path)
    return places


def _port_places(places: PlaceMap, port: Port, above: str) -> None:
    path = f"{above}.{port.name}"
    places.object(port.device.at(), SIGNATURE, path)
    if port.device.external_facing:
        places.object(port.device.at("external_facing"), SIGNATURE, f"{path}._DSD")
    for child in port.children:
        _port_places(places, child, path)
