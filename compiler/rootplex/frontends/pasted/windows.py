"""The windows of a pasted machine's host bridges: those that the log tells, else what encloses every address
that the texts show below a host bridge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal

from msgspec import Struct

from rootplex.capture.facts import KernelWindow
from rootplex.frontends.configspace import is_legacy_ide
from rootplex.frontends.pasted.machine import Merged, PastedMachine, root_bus
from rootplex.source.place import Span

_FOUR_GIB = 1 << 32
_STEP = {"io": 0x1000, "mem32": 1 << 20, "mem64": 1 << 20}
"""What a bridge forwards in (PCI-to-PCI Bridge 1.2 §3.2.5): a host bridge's window is no finer."""
_LIMITS = {"io": 0xFFFF, "mem32": _FOUR_GIB - 1, "mem64": (1 << 48) - 1}


class HostWindows(Struct, frozen=True):
    """The windows of a host bridge, each with the line that tells of it. `told`: a log tells them; else they
    are what encloses the addresses that are shown."""

    windows: tuple[tuple[KernelWindow, Span], ...]
    told: bool


class _Seen(Struct, frozen=True):
    """Addresses in use below a root bus."""

    kind: str
    start: int
    end: int
    root: tuple[int, int]
    place: Span


def host_windows(machine: PastedMachine) -> Mapping[tuple[int, int], HostWindows]:
    """By root bus; none for one of which nothing is known."""
    found = {
        (root.segment, root.bus): HostWindows(root.windows, told=True)
        for root in machine.told_roots
        if root.by == "log" and root.windows
    }
    seen = [each for each in _seen(machine) if each.root not in found]
    enclosing: dict[tuple[int, int], list[tuple[KernelWindow, Span]]] = {}
    for kind in _STEP:
        same = sorted((each for each in seen if each.kind == kind), key=lambda each: (each.start, each.end))
        neighbours = [tuple(stretch) for _, stretch in groupby(same, key=lambda each: each.root)]
        limits = [*(stretch[0].start - 1 for stretch in neighbours), _LIMITS[kind]][1:]
        last = -1
        for stretch, limit in zip(neighbours, limits, strict=True):
            window = _enclosing(kind, stretch, last + 1, limit)
            last = window.end
            enclosing.setdefault(stretch[0].root, []).append((window, stretch[0].place))
    return found | {root: HostWindows(tuple(windows), told=False) for root, windows in enclosing.items()}


def _enclosing(kind: str, seen: Sequence[_Seen], first: int, last: int) -> KernelWindow:
    """One window between `first` and `last` for neighbours of one root bus: so much wider than they are that
    they can be placed in another order, too."""
    start, end = seen[0].start, max(each.end for each in seen)
    step = max(_STEP[kind], 1 << (end - start).bit_length())
    start = max(start // step * step, min(first, start))
    end = min(-(-(end + 1) // step) * step - 1, max(last, end))
    space: Literal["mem", "io"] = "io" if kind == "io" else "mem"
    return KernelWindow(space, kind == "mem64", start, end, start)


def _seen(machine: PastedMachine) -> Iterator[_Seen]:
    for each in machine.functions.values():
        if each.where in machine.unplaced or each.virtual:
            continue
        root = root_bus(machine, each.where)
        for space, start, end in _addresses(each):
            kind = "io" if space == "io" else "mem32" if end < _FOUR_GIB else "mem64"
            yield _Seen(kind, start, end, root, each.place)


def _addresses(each: Merged) -> Iterator[tuple[str, int, int]]:
    code = each.keys.get("class")
    for bar in each.bars:
        legacy = bar.index is not None and is_legacy_ide(code if isinstance(code, int) else 0, bar.index)
        if bar.base is not None and not legacy:
            yield bar.space, bar.base, bar.base + bar.size - 1
    for window in each.forwards:
        yield window.space, window.start, window.end
