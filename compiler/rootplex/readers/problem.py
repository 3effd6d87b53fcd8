"""What is malformed in an artifact that can still be read: a fact like any other."""

from __future__ import annotations

from rootplex.source.place import Place
from rootplex.source.record import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One malformed thing: where it is, and what is wrong (lower case, no full stop)."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"
