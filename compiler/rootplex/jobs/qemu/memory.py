"""Configuration space as bytes of guest memory, one stretch a bus.

Functions lie where the *simulated* bus numbers put them, with their registers as firmware left them: a
kernel that numbers otherwise finds nothing there, so a wrong number shows. Where no function is on a bus
there are ones, as a host bridge answers; on a bus without functions zeros, which Linux takes for absent
(linux.md §4.1). Memory does not change with the numbers: what answers only while they are given (below a
port whose last bus ends up before its first) answers from beginning to end, and what answered not yet when
it was asked (its bus came into a port's reach later) does not at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from rootplex.simulator.function import Function
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.hardware.image import PAGE_PAIR, read_image
from rootplex.simulator.inputs import Artifacts

SHIFTS = {"ecam": (20, 12), "cam": (16, 8)}
"""Address bits of the bus and of device and function, by kind."""


class Stretch(Struct, frozen=True):
    """Bytes to be loaded at a guest address; `file` is the name to give them."""

    file: str
    address: int
    data: bytes


def stretches(artifacts: Artifacts, hardware: Hardware, functions: Iterable[Function]) -> tuple[Stretch, ...]:
    """What has to be loaded: a stretch for each bus with functions.

    `hardware` is that of the simulated boot: a bridge that the kernel did not see still has a bus.
    `functions` are those that the kernel found: one of them need not be reached any more at the end.
    """
    assert artifacts.config is not None
    assert artifacts.pages is not None
    image = read_image(artifacts.config, artifacts.pages)
    places = {function.id: function.page for function in image.functions}
    homes = {function.id: function.bridge for function in image.functions}
    seen = {(homes[each.page], each.bus.number, each.devfn): each.page for each in functions}
    made = []
    for number, bridge in enumerate(image.bridges):
        bus_shift, shift = SHIFTS[bridge.kind]
        for bus in range(bridge.first_bus, bridge.last_bus + 1):
            base = bridge.base + (bus - bridge.first_bus << bus_shift)
            pages = {}
            for devfn in range(256):
                page = seen.get((bridge.id, bus, devfn))
                if page is None and (bus, devfn) not in hardware.bridges[bridge.id].unanswered:
                    page = hardware.page_at(bridge.id, bus, devfn)
                if page is not None:
                    start = places[page] * PAGE_PAIR
                    pages[devfn << shift] = artifacts.pages.data[start : start + (1 << shift)]
            if pages:
                whole = bytearray(b"\xff" * (1 << bus_shift))
                for offset, registers in pages.items():
                    whole[offset : offset + len(registers)] = registers
                made.append(Stretch(f"config-{number}-{bus:02x}.bin", base, bytes(whole)))
    return tuple(made)
