"""The smallest case that still fails, by leaving out ever smaller parts (Zeller's delta debugging)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def smallest(parts: Sequence[T], fails: Callable[[tuple[T, ...]], bool], tries: int = 2000) -> tuple[T, ...]:
    """Fewer parts, in their order, of which `fails` still holds; none of them can be left out alone, unless
    the tries were used up."""
    kept = tuple(parts)
    size = max(len(kept) // 2, 1)
    while tries > 0:
        shrunk = False
        at = 0
        while at < len(kept) and tries > 0:
            fewer = kept[:at] + kept[at + size :]
            tries -= 1
            if fails(fewer):
                kept, shrunk = fewer, True
            else:
                at += size
        if size == 1 and not shrunk:
            break
        size = max(size // 2, 1)
    return kept
