"""`iommu-map` and `msi-map`: from requester ids to stream ids and device ids.

An entry is `rid-base, phandle, output specifier, length`. How wide the output specifier is depends
on who reads: one cell up to Linux 6.12 and in Xen, the target's `#iommu-cells` or `#msi-cells` in
Linux 7.2. The caller chooses (`MapCells`). Lookup follows Linux `drivers/of/base.c:of_map_id`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rootplex.readers.problem import Problem
from rootplex.source.place import DtPlace


class MapCells(Enum):
    """How wide the output specifier of a map entry is."""

    ONE = "one"
    """One cell, whatever the target says (Linux 6.1 and 6.12, Xen)."""
    TARGET = "target"
    """The target's own `#…-cells`, 1 where absent (Linux 7.2)."""


@dataclass(frozen=True, slots=True)
class RidMapEntry:
    """One entry. `output` are the specifier's cells; `target` is the node behind `phandle`, None
    where there is none, and `target_enabled` its own status."""

    rid_base: int
    phandle: int
    target: str | None
    target_enabled: bool
    output: tuple[int, ...]
    length: int
    cell: int
    """Index of the entry's first cell in the property."""
    place: DtPlace

    @property
    def out_base(self) -> int:
        """The specifier as one number: the id of `rid_base`."""
        value = 0
        for cell in self.output:
            value = value << 32 | cell
        return value


@dataclass(frozen=True, slots=True)
class RidMap:
    """One map property. `invalid` says why Linux refuses the property as a whole (-EINVAL), else
    None; `mask` is 0xffffffff where no mask property stands (`mask_present`)."""

    node: str
    property: str
    cells: MapCells
    mask: int
    mask_present: bool
    entries: tuple[RidMapEntry, ...]
    invalid: str | None
    place: DtPlace
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class MapResult:
    """Where a requester id goes. Mapped: `entry` and `output` are set. Not covered by any entry:
    both None and no `error`. Refused: `error` is the kernel's error name (EINVAL, EFAULT, ENODEV)
    and `reason` says why; `place` points at what decided."""

    rid: int
    masked: int
    entry: RidMapEntry | None
    output: tuple[int, ...] | None
    error: str | None
    reason: str | None
    place: DtPlace

    @property
    def id(self) -> int | None:
        """The stream or device id as one number; None where the id is not mapped."""
        if self.output is None:
            return None
        value = 0
        for cell in self.output:
            value = value << 32 | cell
        return value
