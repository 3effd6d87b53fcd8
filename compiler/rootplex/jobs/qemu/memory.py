"""Configuration space as bytes of guest memory, one stretch a bus.

Functions lie where the *simulated* bus numbers put them, with their registers as firmware left them: a
kernel that numbers otherwise finds nothing there, so a wrong number shows. Where no function is there are
zeros, which Linux takes for absent (linux-pci §4.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from rootplex.simulator.dom0.state import Dom0State
from rootplex.simulator.hardware.image import PAGE_PAIR, Image, read_image
from rootplex.simulator.inputs import Artifacts
from rootplex.source.record import dataclass

SHIFTS = {"ecam": (20, 12), "cam": (16, 8)}
"""Address bits of the bus and of device and function, by kind."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes to be loaded at a guest address; `file` is the name to give them."""

    file: str
    address: int
    data: bytes


def stretches(artifacts: Artifacts, kernel: Dom0State) -> tuple[Stretch, ...]:
    """What has to be loaded: a stretch for each bus with functions, from the first to the last of them."""
    assert artifacts.config is not None
    assert artifacts.pages is not None
    image = read_image(artifacts.config, artifacts.pages)
    bridges = {bridge.id: (number, bridge) for number, bridge in enumerate(image.bridges)}
    buses = _buses(image, kernel)
    pages: dict[tuple[int, int], dict[int, bytes]] = {}
    for function in image.functions:
        number, bridge = bridges[function.bridge]
        bus = buses.get(function.id)
        if bus is None or not bridge.first_bus <= bus <= bridge.last_bus:
            continue
        bus_shift, shift = SHIFTS[bridge.kind]
        address = bridge.base + (bus - bridge.first_bus << bus_shift | function.devfn << shift)
        page = artifacts.pages.data[function.page * PAGE_PAIR :][: 1 << shift]
        pages.setdefault((number, bus), {})[address] = page
    return tuple(
        Stretch(f"config-{number}-{bus:02x}.bin", min(found), _joined(found))
        for (number, bus), found in sorted(pages.items())
    )


def _joined(pages: Mapping[int, bytes]) -> bytes:
    """Pages by address as one run of bytes, zeros between them."""
    start, last = min(pages), max(pages)
    data = bytearray(last + len(pages[last]) - start)
    for address, page in pages.items():
        data[address - start : address - start + len(page)] = page
    return bytes(data)


def _buses(image: Image, kernel: Dom0State) -> dict[str, int]:
    """The bus that each function is on, by its id; those behind a bridge without a number have none."""
    first = {bridge.id: bridge.first_bus for bridge in image.bridges}
    below = {each.page: each.secondary for each in kernel.functions if each.secondary is not None}
    buses = {}
    for function in image.functions:
        if function.vf_of is not None:
            continue
        bus = first[function.bridge] if function.parent is None else below.get(function.parent)
        if bus is not None:
            buses[function.id] = bus
    return buses
