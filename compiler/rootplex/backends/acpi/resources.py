"""Address descriptors of `_CRS` and `_DMA`: which form a range takes, and how long it is in the buffer.

Source: ACPI 6.5 §6.4.3.5. A descriptor's minimum and maximum are the secondary (PCI) side; the
translation offset is added to reach the primary (CPU) side, in 64 bits without a carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from rootplex.formats.acpi import ADDRESS_SPACES, size_of
from rootplex.formats.pci import ECAM_BUS
from rootplex.model.bridge import DmaWindow, HostBridge, Window
from rootplex.source.finding import Finding
from rootplex.source.place import Place
from rootplex.source.rules import WINDOW_BEYOND_64_BITS

_SPACE_END = 1 << 64
_LIMITS = {"Word": 1 << 16, "DWord": 1 << 32, "QWord": 1 << 64}


class Descriptor(Struct, frozen=True, kw_only=True):
    """One address descriptor. `translated_type`: I/O of the bus that is memory to the CPU."""

    space: Literal["bus", "io", "memory"]
    width: Literal["Word", "DWord", "QWord"]
    first: int
    last: int
    translation: int
    length: int
    prefetchable: bool = False
    translated_type: bool = False
    source: Place

    @property
    def size(self) -> int:
        """Bytes in the buffer (without a resource source)."""
        return size_of(ADDRESS_SPACES[self.width])

    @property
    def digits(self) -> int:
        """Hexadecimal digits of its numbers."""
        return 2 * dict(ADDRESS_SPACES[self.width])["minimum"]


def bridge_descriptors(bridge: HostBridge, *, port_io: bool) -> tuple[Descriptor, ...]:
    """`_CRS` of a host bridge: its buses, then its windows in the description's order.

    `port_io`: this architecture has I/O instructions, so that an untranslated I/O window is no memory.
    """
    buses = bridge.bus_range
    bus = Descriptor(
        space="bus",
        width="Word",
        first=buses.first,
        last=buses.last,
        translation=0,
        length=buses.count,
        source=bridge.at("bus_range"),
    )
    return (bus, *(_window(window, port_io=port_io) for window in bridge.windows if window.size))


def dma_descriptors(windows: Iterable[DmaWindow]) -> tuple[Descriptor, ...]:
    """`_DMA`: what devices below reach, as ranges that the bridge passes up (ACPI 6.5 §6.2.4)."""
    return tuple(_memory(window, prefetchable=False) for window in windows if window.size)


def placed(descriptors: Iterable[Descriptor]) -> Iterator[tuple[int, Descriptor]]:
    """The descriptors with their offsets in the buffer."""
    offset = 0
    for descriptor in descriptors:
        yield offset, descriptor
        offset += descriptor.size


def window_faults(bridge: HostBridge) -> Iterator[Finding]:
    """One finding for each window that reaches beyond the 64 bits of a descriptor."""
    windows: tuple[Window | DmaWindow, ...] = (*bridge.windows, *(bridge.dma_windows or ()))
    for window in windows:
        sides = (("pci", window.pci), ("cpu", window.cpu))
        beyond = [(side, base) for side, base in sides if base + window.size > _SPACE_END]
        if beyond:
            side, base = beyond[0]
            yield WINDOW_BEYOND_64_BITS.finding(
                window.at(side),
                f"a window of {bridge.name} ends beyond the 64-bit address space",
                notes=(f"{side} {base:#x} and size {window.size:#x} end at {base + window.size:#x}",),
                help="make the window smaller, or put it lower",
                subject=bridge.name,
            )


def config_faults(bridge: HostBridge) -> Iterator[Finding]:
    """Where the configuration space of a bridge's buses reaches beyond the 64 bits of a descriptor."""
    size = bridge.bus_range.count * ECAM_BUS
    end = bridge.config.base + size
    if bridge.config.is_ecam and end > _SPACE_END:
        yield WINDOW_BEYOND_64_BITS.finding(
            bridge.at("config.base"),
            f"the configuration space of {bridge.name} ends beyond the 64-bit address space",
            notes=(f"base {bridge.config.base:#x} and size {size:#x} of its buses end at {end:#x}",),
            help="put it lower",
            subject=bridge.name,
        )


def _window(window: Window, *, port_io: bool) -> Descriptor:
    if window.space != "io":
        return _memory(window, prefetchable=window.prefetchable)
    translation = _translation(window)
    return Descriptor(
        space="io",
        width=_width(window, ("Word", "DWord", "QWord")),
        first=window.pci,
        last=window.pci + window.size - 1,
        translation=translation,
        length=window.size,
        translated_type=translation != 0 or not port_io,
        source=window.at(),
    )


def _memory(window: Window | DmaWindow, *, prefetchable: bool) -> Descriptor:
    return Descriptor(
        space="memory",
        width=_width(window, ("DWord", "QWord")),
        first=window.pci,
        last=window.pci + window.size - 1,
        translation=_translation(window),
        length=window.size,
        prefetchable=prefetchable,
        source=window.at(),
    )


def _translation(window: Window | DmaWindow) -> int:
    return (window.cpu - window.pci) % _SPACE_END


def _width(
    window: Window | DmaWindow, widths: tuple[Literal["Word", "DWord", "QWord"], ...]
) -> Literal["Word", "DWord", "QWord"]:
    """The shortest form that holds both sides and the length; a negative translation needs all 64 bits."""
    numbers = (window.pci + window.size - 1, window.cpu + window.size - 1, _translation(window), window.size)
    return next(width for width in widths if max(numbers) < _LIMITS[width] or width == "QWord")
