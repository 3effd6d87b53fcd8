"""The kernel's map of CPU addresses: who claimed what, and who came too late.

Linux `kernel/resource.c`: a claim that overlaps any other one is refused. I/O windows live in a
space of their own, laid out one after the other (`lib/logic_pio.c`).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from operator import attrgetter

from msgspec import Struct

from rootplex.source.place import Place


class Claim(Struct, frozen=True):
    """A claimed stretch: base and end are inclusive CPU addresses, `what` names the claimant."""

    base: int
    end: int
    what: str
    owner: str
    at: Place | None


_base = attrgetter("base")


class AddressMap:
    """Claims that do not overlap, but for RAM, which firmware may list as it likes."""

    def __init__(self) -> None:
        self._claims: list[Claim] = []

    def claim(self, base: int, size: int, what: str, owner: str, at: Place | None) -> Claim | None:
        """Take a stretch; the claim that is in the way, or None where it is taken now. A size of 0
        is in its own way."""
        wanted = Claim(base, base + size - 1, what, owner, at)
        if size <= 0:
            return wanted
        clash = self.overlap(base, size)
        if clash is None:
            insort(self._claims, wanted, key=_base)
        return clash

    def put(self, base: int, size: int, what: str, at: Place | None) -> None:
        """Add memory, joining what it overlaps."""
        if size <= 0:
            return
        low, high = base, base + size - 1
        while (other := self.overlap(low, high - low + 1)) is not None:
            low, high = min(low, other.base), max(high, other.end)
            self._claims.remove(other)
            at = other.at
        insort(self._claims, Claim(low, high, what, "", at), key=_base)

    def overlap(self, base: int, size: int) -> Claim | None:
        """The lowest claim that a stretch overlaps, or None."""
        end = base + size - 1
        index = bisect_right(self._claims, base, key=_base) - 1
        for claim in self._claims[max(index, 0) : index + 2]:
            if claim.base <= end and base <= claim.end:
                return claim
        return None

    def release(self, owner: str) -> None:
        """Give back all that an owner claimed: its probe failed."""
        self._claims = [claim for claim in self._claims if claim.owner != owner]


class PortMap:
    """Logical I/O ports: each I/O window of a bridge gets the next ones, in order of probing."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, int]] = []
        self._next = 0

    def register(self, cpu: int, size: int) -> int | None:
        """The first logical port of a window at a CPU address; None where it overlaps another."""
        for base, length, port in self._ranges:
            if base <= cpu and cpu + size <= base + length:
                return port + cpu - base
            if cpu < base + length and base < cpu + size:
                return None
        port = self._next
        self._ranges.append((cpu, size, port))
        self._next += size
        return port
