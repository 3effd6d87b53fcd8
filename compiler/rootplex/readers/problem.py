"""What is malformed in an artifact that can still be read: a fact like any other."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.source.place import Place

ProblemKind: TypeAlias = Literal[
    "checksum", "size", "length", "count", "cut-off", "empty", "reference", "type", "cells", "mapping"
]
"""What is wrong, for whoever decides by it.

`size`: too few or odd bytes for what is to be there; `length`, `count`: a field says more than there is;
`cut-off`: the end lies within an entry; `reference`: a phandle or offset leads nowhere; `cells`: cell counts
by which nothing can be read; `mapping`: ids that have two ways, or a single mapping where none may be.
"""


class Problem(Struct, frozen=True):
    """One malformed thing: its kind, where it is, and what is wrong in words (lower case, no full stop)."""

    kind: ProblemKind
    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"
