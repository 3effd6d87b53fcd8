"""Legacy interrupts of a device tree: `interrupt-map` and the way of an INTx pin through it.

Follows Linux `pci/of.c:of_irq_parse_pci` and `of/irq.c:of_irq_parse_raw`; the map itself is
Devicetree Specification 0.4, §2.4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from rootplex.readers.problem import Problem
from rootplex.source.place import DtPlace


@dataclass(frozen=True, slots=True)
class InterruptMapEntry:
    """One entry. `key` is the child's unit address and interrupt specifier, `parent_address` and
    `specifier` the parent's; `parent` is the node behind `phandle`, None where there is none."""

    key: tuple[int, ...]
    phandle: int
    parent: str | None
    parent_enabled: bool
    parent_address: tuple[int, ...]
    specifier: tuple[int, ...]
    cell: int
    """Index of the entry's first cell in the property."""
    place: DtPlace


@dataclass(frozen=True, slots=True)
class InterruptMap:
    """An `interrupt-map`. `mask` is all ones where no `interrupt-map-mask` stands. Entries end at
    the first malformed one, which is a problem: nothing after it can be found."""

    node: str
    address_cells: int
    interrupt_cells: int
    mask: tuple[int, ...]
    mask_present: bool
    entries: tuple[InterruptMapEntry, ...]
    place: DtPlace
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Hop:
    """One function on the way from the root bus down to a device: the bus it sits on, its
    device and function numbers (`devfn` = device << 3 | function), and whether ARI is active on
    that bus (then its slot counts as 0 in the swizzle)."""

    bus: int
    devfn: int
    ari: bool = False


@dataclass(frozen=True, slots=True)
class IntxRoute:
    """Where a pin ends. Routed: `controller` (path) and `specifier` (cells). Else both None and
    `reason` says why. `nexus` is the node whose map was searched, `pin` (1-4) and `unit` what it
    was searched with; `entries` are the map entries taken, one for each nexus passed."""

    controller: str | None
    specifier: tuple[int, ...] | None
    pin: int
    unit: Hop
    nexus: str | None
    entries: tuple[InterruptMapEntry, ...]
    reason: str | None
    place: DtPlace
