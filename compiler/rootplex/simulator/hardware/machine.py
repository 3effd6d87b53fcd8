"""The machine as a CPU sees it: every host bridge at its addresses, and x86's configuration ports.

Overlapping stretches belong to the bridge that comes first in the image. An access that no bridge
decodes is a `BusError`: an external abort.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise

from rootplex.simulator.hardware.bridges import Decoder, HardwareBridge, InertDecoder, decoders
from rootplex.simulator.hardware.fabric import Fabric
from rootplex.simulator.hardware.function import SIZE_MASK, HardwareFunction
from rootplex.simulator.hardware.image import CELLS_PER_PAIR, FirmwareName, FunctionImage, Image

CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC
PORT_ENABLE = 1 << 31
SIZES = (1, 2, 4)
"""What a configuration access can have, in bytes."""


class BusError(Exception):
    """An access that nothing decodes; the CPU that made it takes an abort."""

    def __init__(self, address: int, size: int, what: str = "nothing decodes") -> None:
        super().__init__(f"{what} at {address:#x} ({size} bytes)")
        self.address = address
        self.size = size


Tracer = Callable[[str, int, int, int], None]
"""Called with ("read" or "write", address, size, value) of every access, when set."""


class Hardware:
    """All host bridges of an image. `read` and `write` take CPU physical addresses, sizes 1, 2, 4, 8: a
    configuration access has at most four bytes, so eight are two of four, the lower first.

    `firmware` is what the machine was started with: a bridge's configuration space that this firmware
    sets up is there, ahead of the bridge's own. Raises `BusError` where no bridge decodes, and for an
    access that is not aligned to its size and crosses a 32-bit cell, or has another size.
    """

    def __init__(self, image: Image, firmware: FirmwareName | None = None) -> None:
        self.image = image
        self.functions: dict[str, FunctionImage] = {function.id: function for function in image.functions}
        self.bridges: dict[str, HardwareBridge] = {}
        self.tracer: Tracer | None = None
        self._functions: dict[str, HardwareFunction] = {}
        self._build(image)
        self._views = [
            bridge.view(space)
            for bridge in self.bridges.values()
            for space in bridge.image.views
            if space.firmware == firmware
        ]
        self._beginning: dict[int, HardwareBridge] = {}
        for bridge in (*self._views, *self.bridges.values()):
            for base in (bridge.image.base, *(block.base for block in bridge.image.registers)):
                if base is not None:
                    self._beginning.setdefault(base, bridge)
        stretches = [
            stretch for bridge in (*self._views, *self.bridges.values()) for stretch in decoders(bridge)
        ]
        self._starts, self._ends, self._decoders = _flatten(stretches)
        self._port_address = 0
        self._port_bridges: dict[int, HardwareBridge] = {}
        for bridge in self.bridges.values():
            for bus in range(bridge.image.first_bus, bridge.image.last_bus + 1):
                self._port_bridges.setdefault(bus, bridge)
        # The stretch of the last access, none yet.
        self._start, self._end, self._origin = 1, 0, 0
        nowhere = InertDecoder()
        self._read: Callable[[int, int], int] = nowhere.read
        self._write: Callable[[int, int, int], None] = nowhere.write

    def _build(self, image: Image) -> None:
        """Make the functions and hang them into one another by parent, lowest devfn first."""
        fabrics: dict[str, Fabric] = {}
        for bridge in image.bridges:
            fabric = fabrics[bridge.id] = Fabric(bridge.first_bus, bridge.last_bus, [])
            self.bridges[bridge.id] = HardwareBridge(bridge, fabric)
        made = self._functions
        for entry in image.functions:
            made[entry.id] = HardwareFunction(
                entry.id, entry.devfn, image.cells, entry.page * CELLS_PER_PAIR, entry.w1c
            )
        for entry in sorted(image.functions, key=_devfn):
            function = made[entry.id]
            if entry.vf_of is not None and entry.vf_index is not None:
                made[entry.vf_of].virtual.append((entry.vf_index, function))
                continue
            if entry.parent is None:
                fabrics[entry.bridge].root.append(function)
            else:
                below = made[entry.parent].below
                # A parent whose bytes are no bridge's has nothing below that could ever answer.
                if below is not None:
                    below.append(function)
        for entry in image.functions:
            function = made[entry.id]
            if function.virtual:
                function.find_sriov()
            if function.routing:
                function.reroute = fabrics[entry.bridge].reroute

    def _decode(self, address: int, size: int) -> None:
        """Make the stretch of an address the current one: the next access mostly falls into it."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address + size > self._ends[index]:
            raise BusError(address, size)
        if size not in SIZES or (address & 3) + size > 4:
            raise BusError(address, size, "an access across 32 bits")
        decoder, self._origin = self._decoders[index]
        self._start, self._end = self._starts[index], self._ends[index]
        self._read, self._write = decoder.read, decoder.write

    def read(self, address: int, size: int) -> int:
        if size == 8 and not address & 7:
            return self.read(address, 4) | self.read(address + 4, 4) << 32
        if not self._start <= address < self._end or address & (size - 1) or size > 4:
            self._decode(address, size)
        value = self._read(address - self._origin, size)
        if self.tracer is not None:
            self.tracer("read", address, size, value)
        return value

    def write(self, address: int, size: int, value: int) -> None:
        if size == 8 and not address & 7:
            self.write(address, 4, value & 0xFFFFFFFF)
            self.write(address + 4, 4, value >> 32)
            return
        if not self._start <= address < self._end or address & (size - 1) or size > 4:
            self._decode(address, size)
        if self.tracer is not None:
            self.tracer("write", address, size, value)
        self._write(address - self._origin, size, value)

    def port_read(self, port: int, size: int) -> int:
        """x86 ports: 0xcf8 (32 bits) and 0xcfc-0xcff; every other port reads all ones. Ports know
        no segment: a bus belongs to the first bridge of the image that has it. No port has other sizes
        than 1, 2 and 4: they read all ones too."""
        if size not in SIZES:
            return (1 << 8 * size) - 1
        if port == CONFIG_ADDRESS and size == 4:
            return self._port_address
        target = self._port_target(port, size)
        value = SIZE_MASK[size] if target is None else target[0].read(*target[1:], size)
        if self.tracer is not None:
            self.tracer("port-read", port, size, value)
        return value

    def port_write(self, port: int, size: int, value: int) -> None:
        if size not in SIZES:
            return
        if self.tracer is not None:
            self.tracer("port-write", port, size, value)
        if port == CONFIG_ADDRESS and size == 4:
            self._port_address = value & 0xFFFFFFFF
            return
        target = self._port_target(port, size)
        if target is not None:
            target[0].write(*target[1:], size, value)

    def _port_target(self, port: int, size: int) -> tuple[HardwareBridge, int, int, int] | None:
        address = self._port_address
        if not address & PORT_ENABLE or not CONFIG_DATA <= port <= CONFIG_DATA + 4 - size:
            return None
        bus = address >> 16 & 0xFF
        bridge = self._port_bridges.get(bus)
        return None if bridge is None else (bridge, bus, address >> 8 & 0xFF, address & 0xFC | port & 3)

    def port_bridge(self, bus: int) -> HardwareBridge | None:
        """The bridge that the ports reach a bus through."""
        return self._port_bridges.get(bus)

    @property
    def written(self) -> dict[str, dict[int, int]]:
        """What registers hold other than after reset: page id to 32-bit cell to value."""
        return {page: dict(one.changed) for page, one in self._functions.items() if one.changed}

    @written.setter
    def written(self, cells: Mapping[str, Mapping[int, int]]) -> None:
        for page, one in self._functions.items():
            one.changed = dict(cells.get(page, {}))
        for bridge in self.bridges.values():
            bridge.fabric.reroute()

    def page_at(self, bridge: str, bus: int, devfn: int) -> str | None:
        """The id of the page that stands at a bus and devfn behind a bridge now, or None."""
        function = self.bridges[bridge].fabric.at(bus, devfn)
        return None if function is None else function.id

    def page_at_address(self, address: int) -> str | None:
        """The id of the page whose registers lie at a CPU address now, or None."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._ends[index]:
            return None
        decoder, origin = self._decoders[index]
        function = decoder.page(address - origin)
        return None if function is None else function.id

    def bridge_at(self, address: int) -> HardwareBridge | None:
        """The bridge whose own space, or one of whose register blocks, begins at an address."""
        return self._beginning.get(address)


def _devfn(entry: FunctionImage) -> int:
    return entry.devfn


def _flatten(
    stretches: list[tuple[int, int, Decoder]],
) -> tuple[list[int], list[int], list[tuple[Decoder, int]]]:
    """Disjoint sorted stretches (starts, ends, (decoder, address of its offset 0)); of overlapping
    ones the earlier in the list has the common part."""
    edges = sorted({edge for base, size, _ in stretches for edge in (base, base + size)})
    starts: list[int] = []
    ends: list[int] = []
    owners: list[tuple[Decoder, int]] = []
    order = sorted(range(len(stretches)), key=lambda index: stretches[index][0])
    active: list[int] = []
    position = 0
    for start, end in pairwise(edges):
        while position < len(order) and stretches[order[position]][0] <= start:
            active.append(order[position])
            position += 1
        active = [index for index in active if sum(stretches[index][:2]) > start]
        if not active:
            continue
        base, _, decoder = stretches[min(active)]
        if owners and owners[-1] == (decoder, base) and ends[-1] == start:
            ends[-1] = end
        else:
            starts.append(start)
            ends.append(end)
            owners.append((decoder, base))
    return starts, ends, owners
