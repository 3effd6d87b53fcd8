"""The numbers of PCI that have a name of their own: SBDF, bus range, address range.

Sources: PCI Express Base 6.0 §2.2.4.2 (requester id), PCI Firmware 3.3 §4.1.2 (segment groups).
"""

from __future__ import annotations

import re

from msgspec import Struct

from rootplex.formats.pci import sbdf_text

_SBDF = re.compile(r"([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])")


class Sbdf(Struct, frozen=True, order=True):
    """One function's address: segment, bus, and devfn (device << 3 | function)."""

    segment: int
    bus: int
    devfn: int

    @classmethod
    def parse(cls, text: str) -> Sbdf:
        """`ssss:bb:dd.f` in hexadecimal; ValueError for anything else."""
        match = _SBDF.fullmatch(text)
        if match is None or int(match[3], 16) > 0x1F:
            raise ValueError(f"not an SBDF (ssss:bb:dd.f in hexadecimal): {text!r}")
        segment, bus, dev, fn = (int(part, 16) for part in match.groups())
        return cls(segment, bus, dev << 3 | fn)

    @property
    def rid(self) -> int:
        """The 16-bit requester id: bus << 8 | devfn."""
        return self.bus << 8 | self.devfn

    def __str__(self) -> str:
        return sbdf_text(self.segment, self.bus, self.devfn)


class BusRange(Struct, frozen=True):
    """The buses first…last of a host bridge, both included."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, bus: int) -> bool:
        return self.first <= bus <= self.last

    def __str__(self) -> str:
        return f"{self.first:02x}-{self.last:02x}"


class Region(Struct, frozen=True):
    """Physical addresses base…base + size - 1."""

    base: int
    size: int

    @property
    def end(self) -> int:
        """The first address behind the region."""
        return self.base + self.size

    def overlaps(self, other: Region) -> bool:
        return self.base < other.end and other.base < self.end

    def __str__(self) -> str:
        return f"{self.base:#x}-{self.end - 1:#x}"
