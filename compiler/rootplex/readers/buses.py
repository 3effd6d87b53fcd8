"""A range of buses as firmware says it."""

from __future__ import annotations

from msgspec import Struct


class Buses(Struct, frozen=True):
    """Buses `first` to `last`, both included: at least one. What firmware says may end beyond 0xff."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    @property
    def rids(self) -> tuple[int, int]:
        """The first and last requester id on these buses."""
        return self.first << 8, self.last << 8 | 0xFF

    def common(self, other: Buses) -> Buses | None:
        """The buses that both have; None without any."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Buses(first, last) if first <= last else None

    def __contains__(self, bus: int) -> bool:
        return self.first <= bus <= self.last

    def __str__(self) -> str:
        return f"{self.first:#04x}-{self.last:#04x}"


ALL_BUSES = Buses(0, 0xFF)
"""What firmware means that does not say."""
