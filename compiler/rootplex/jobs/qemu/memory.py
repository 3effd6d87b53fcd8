"""Configuration space as bytes of guest memory, one stretch a host bridge.

Functions lie where the *simulated* bus numbers put them, with their registers as firmware left them: a
kernel that numbers otherwise finds nothing there, so a wrong number shows. Where no function is there are
zeros, which Linux takes for absent (linux-pci §4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from rootplex.simulator.dom0.state import Dom0State
from rootplex.simulator.hardware.image import PAGE_PAIR, Image, read_image
from rootplex.simulator.inputs import Artifacts

SHIFTS = {"ecam": (20, 12), "cam": (16, 8)}
"""Address bits of the bus and of device and function, by kind."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes to be loaded at a guest address; `file` is the name to give them."""

    file: str
    address: int
    data: bytes


def stretches(artifacts: Artifacts, kernel: Dom0State) -> tuple[Stretch, ...]:
    """What every bridge with a function has to be loaded with."""
    assert artifacts.config is not None
    assert artifacts.pages is not None
    image = read_image(artifacts.config, artifacts.pages)
    buses = _buses(image, kernel)
    made = []
    for number, bridge in enumerate(image.bridges):
        bus_shift, function_shift = SHIFTS[bridge.kind]
        data = bytearray()
        for function in image.functions:
            bus = buses.get(function.id)
            if function.bridge != bridge.id or bus is None or not bridge.first_bus <= bus <= bridge.last_bus:
                continue
            at = bus - bridge.first_bus << bus_shift | function.devfn << function_shift
            page = artifacts.pages.data[function.page * PAGE_PAIR :][: 1 << function_shift]
            data.extend(bytes(max(0, at + len(page) - len(data))))
            data[at : at + len(page)] = page
        if data:
            made.append(Stretch(f"config-{number}.bin", bridge.base, bytes(data)))
    return tuple(made)


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
