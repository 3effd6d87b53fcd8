"""Host bridges: what decodes a CPU address of theirs into a configuration access.

A decoder owns a stretch of CPU addresses and answers reads and writes at offsets into it. Where no
function answers, and where the bridge refuses the access size, reads are all ones and writes are
dropped. Every bridge counts what it was asked.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from rootplex.simulator.hardware.fabric import Fabric
from rootplex.simulator.hardware.function import SIZE_MASK, HardwareFunction
from rootplex.simulator.hardware.image import BridgeImage, ConfigSpaceImage

INDEX, DATA = 0, 4
"""Offsets of a windowed bridge's registers."""


class Counters(Struct):
    """Accesses a host bridge saw: `missed` found no function, `refused` had a size it does not take."""

    reads: int = 0
    writes: int = 0
    missed: int = 0
    refused: int = 0


class Decoder(Protocol):
    """Answers at byte offsets into its stretch of addresses; sizes 1, 2, 4, aligned."""

    def read(self, offset: int, size: int) -> int: ...

    def write(self, offset: int, size: int, value: int) -> None: ...

    def page(self, offset: int) -> HardwareFunction | None:
        """The function whose registers lie at the offset now, or None."""
        ...


class HardwareBridge:
    """One host bridge: its fabric, its rules, its counters. Configuration accesses of every
    decoder come through `read` and `write` here. `unanswered`: buses and devfns that were read when
    nothing answered there."""

    __slots__ = ("absent", "counters", "fabric", "image", "refused", "refused_root", "single", "unanswered")

    def __init__(self, image: BridgeImage, fabric: Fabric, counters: Counters | None = None) -> None:
        self.image = image
        self.fabric = fabric
        self.counters = counters or Counters()
        self.refused = frozenset((1, 2, 4)) - frozenset(image.sizes)
        root_sizes = image.sizes if image.sizes_root_bus is None else image.sizes_root_bus
        self.refused_root = frozenset((1, 2, 4)) - frozenset(root_sizes)
        self.single: dict[int, set[int]] = {}
        self.absent: set[tuple[int, int]] = set()
        self.unanswered: set[tuple[int, int]] = set()
        for case in image.special:
            if case.behaviour == "single-device":
                self.single.setdefault(case.bus, set()).add(case.dev)
            else:
                self.absent.add((case.bus, case.dev))

    def view(self, space: ConfigSpaceImage) -> HardwareBridge:
        """The same bridge with another configuration space: one fabric, one count of accesses."""
        own = {name: getattr(space, name) for name in ConfigSpaceImage.__struct_fields__}
        view = HardwareBridge(replace(self.image, **own), self.fabric, self.counters)
        view.unanswered = self.unanswered
        return view

    @property
    def is_plain(self) -> bool:
        """Whether it takes every size everywhere and has no special cases."""
        return not (self.refused or self.refused_root or self.absent or self.single)

    def answering(self, bus: int, devfn: int) -> HardwareFunction | None:
        """The function that an access through the bridge's own space reaches."""
        if self.absent and (bus, devfn >> 3) in self.absent:
            return None
        if bus in self.single and devfn >> 3 not in self.single[bus]:
            return None
        return self.fabric.at(bus, devfn)

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        counters = self.counters
        counters.reads += 1
        if size in (self.refused_root if bus == self.image.first_bus else self.refused):
            counters.refused += 1
            return SIZE_MASK[size]
        if self.absent or self.single:
            function = self.answering(bus, devfn)
        else:
            function = self.fabric.at(bus, devfn)
        if function is None:
            counters.missed += 1
            self.unanswered.add((bus, devfn))
            return SIZE_MASK[size]
        return function.read(register, size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        counters = self.counters
        counters.writes += 1
        if size in (self.refused_root if bus == self.image.first_bus else self.refused):
            counters.refused += 1
            return
        function = self.answering(bus, devfn)
        if function is None:
            counters.missed += 1
            return
        function.write(register, size, value)


class MappedDecoder:
    """Offset = bus from the first, devfn, register: `register_bits` are 12 for ECAM (PCIe 6.0 §7.2.2), 8
    for CAM, with 256 bytes a function.

    A bridge without special cases takes a short way to functions that answered before: this is
    where nearly all accesses of a scan go.
    """

    __slots__ = ("_bits", "_counters", "_first_rid", "_registers", "_routes", "bridge")

    def __init__(self, bridge: HardwareBridge, register_bits: int) -> None:
        self.bridge = bridge
        self._bits = register_bits
        self._registers = (1 << register_bits) - 1
        self._first_rid = bridge.image.first_bus << 8
        self._counters = bridge.counters
        self._routes = bridge.fabric.routes if bridge.is_plain else {}

    def read(self, offset: int, size: int) -> int:
        rid = self._first_rid + (offset >> self._bits)
        function = self._routes.get(rid)
        if function is not None:
            self._counters.reads += 1
            return function.read(offset & self._registers, size)
        return self.bridge.read(rid >> 8, rid & 0xFF, offset & self._registers, size)

    def write(self, offset: int, size: int, value: int) -> None:
        rid = self._first_rid + (offset >> self._bits)
        function = self._routes.get(rid)
        if function is not None:
            self._counters.writes += 1
            function.write(offset & self._registers, size, value)
            return
        self.bridge.write(rid >> 8, rid & 0xFF, offset & self._registers, size, value)

    def page(self, offset: int) -> HardwareFunction | None:
        rid = self._first_rid + (offset >> self._bits)
        return self.bridge.answering(rid >> 8, rid & 0xFF)


class WindowDecoder:
    """Index and data registers: bus << 20 | devfn << 12 | register in the index (bus absolute), the
    data register's byte lanes choose within the 32 bits. Other offsets read 0."""

    __slots__ = ("bridge", "index")

    def __init__(self, bridge: HardwareBridge) -> None:
        self.bridge = bridge
        self.index = 0

    def read(self, offset: int, size: int) -> int:
        if offset >> 2 == DATA >> 2:
            index = self.index
            register = index & 0xFFC | offset & 3
            return self.bridge.read(index >> 20 & 0xFF, index >> 12 & 0xFF, register, size)
        if offset >> 2 == INDEX >> 2:
            return self.index >> ((offset & 3) << 3) & SIZE_MASK[size]
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        if offset >> 2 == DATA >> 2:
            index = self.index
            register = index & 0xFFC | offset & 3
            self.bridge.write(index >> 20 & 0xFF, index >> 12 & 0xFF, register, size, value)
        elif offset >> 2 == INDEX >> 2:
            shift = (offset & 3) << 3
            lanes = SIZE_MASK[size] << shift
            self.index = self.index & ~lanes | value << shift & lanes

    def page(self, offset: int) -> HardwareFunction | None:
        return None


class ElsewhereDecoder:
    """The registers of one slot in a block of their own: offset = function << 12 | register."""

    __slots__ = ("bridge", "bus", "dev")

    def __init__(self, bridge: HardwareBridge, bus: int, dev: int) -> None:
        self.bridge = bridge
        self.bus = bus
        self.dev = dev

    def page(self, offset: int) -> HardwareFunction | None:
        return self.bridge.fabric.at(self.bus, self.dev << 3 | offset >> 12) if offset < 0x8000 else None

    def read(self, offset: int, size: int) -> int:
        self.bridge.counters.reads += 1
        function = self.page(offset)
        return SIZE_MASK[size] if function is None else function.read(offset & 0xFFF, size)

    def write(self, offset: int, size: int, value: int) -> None:
        self.bridge.counters.writes += 1
        function = self.page(offset)
        if function is not None:
            function.write(offset & 0xFFF, size, value)


class InertDecoder:
    """Registers of the bridge that are no configuration space: read 0, take any write."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> int:
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        pass

    def page(self, offset: int) -> HardwareFunction | None:
        return None


def decoders(bridge: HardwareBridge) -> list[tuple[int, int, Decoder]]:
    """(base, size, decoder) of everything the bridge answers at, its own space first."""
    image = bridge.image
    own: Decoder
    match image.kind:
        case "ecam" | "quirk":
            own = MappedDecoder(bridge, register_bits=12)
        case "cam":
            own = MappedDecoder(bridge, register_bits=8)
        case "windowed":
            own = WindowDecoder(bridge)
    found: list[tuple[int, int, Decoder]] = [(image.base, image.size, own)]
    elsewhere = {case.register: case for case in image.special if case.behaviour == "elsewhere"}
    for block in image.registers:
        case = elsewhere.get(block.name)
        decoder = InertDecoder() if case is None else ElsewhereDecoder(bridge, case.bus, case.dev)
        found.append((block.base, block.size, decoder))
    return found
