"""Who has which CPU addresses: RAM, configuration space, windows and BARs of a host bridge on one scale.

Address space is wide and thinly used, so the scale is not linear: each stretch between two neighbouring
bounds is as wide as the logarithm of its size, and what nobody has is a narrow gap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.jobs.result import BridgeResult, Device, Result
from rootplex.report.picture import picture_of
from rootplex.report.words import size

Kind: TypeAlias = Literal["memory", "ecam", "window", "bar"]

_GAP = 10.0
_WIDTH = 1000.0
_THINNEST, _APART = 1.0, 0.5
_TOLD = 8


class Area(Struct, frozen=True, kw_only=True):
    """A stretch of CPU addresses, `last` inclusive, and whose it is."""

    kind: Kind
    base: int
    last: int
    owner: str
    what: str

    @property
    def text(self) -> str:
        """`mem32 window 0x10000000-0x1fffffff, 256MiB`."""
        return f"{self.what} {self.base:#x}-{self.last:#x}, {size(self.last - self.base + 1)}"


class Bar(Struct, frozen=True, kw_only=True):
    """An area as it is drawn: from `x`, `width` wide, on a scale of 1000; `number` is its place in the list
    beside the drawing. `clashes` are areas of others that it lies on."""

    area: Area
    number: int
    x: float
    width: float
    clashes: tuple[Area, ...]


class Cluster(Struct, frozen=True, kw_only=True):
    """BARs that are too near to each other to be told apart, or one of them."""

    x: float
    width: float
    text: str
    clash: bool


class AddressMap(Struct, frozen=True, kw_only=True):
    """One host bridge: RAM, its configuration space and its windows; and the BARs of its functions."""

    bridge: str
    bars: tuple[Bar, ...]
    devices: tuple[Cluster, ...]


def address_maps(result: Result) -> tuple[AddressMap, ...]:
    """A map for each bridge that has addresses, all on one scale."""
    memory = [
        Area(kind="memory", base=each.base, last=each.base + each.size - 1, owner="", what="RAM")
        for each in result.memory
        if each.size
    ]
    trees = [
        tree for segment in picture_of(result.machine) for tree in segment.trees if tree.bridge is not None
    ]
    areas = {tree.bridge.name: [*_of_bridge(tree.bridge)] for tree in trees if tree.bridge is not None}
    shared = [*memory, *(area for each in areas.values() for area in each)]
    scale, clashes = _Scale(shared), _clashes(shared)
    devices = {each.sbdf: each for each in result.machine.devices}
    maps = []
    for tree in trees:
        assert tree.bridge is not None
        own = areas[tree.bridge.name]
        if not own:
            continue
        bars = [area for row in tree.walk() for area in _of_device(devices[row.sbdf])]
        maps.append(
            AddressMap(
                bridge=tree.bridge.name,
                bars=_drawn([*memory, *own], clashes, scale),
                devices=tuple(_clusters(_drawn(bars, _clashes(bars), scale))),
            )
        )
    return tuple(maps)


def _of_bridge(bridge: BridgeResult) -> Iterator[Area]:
    if not bridge.enabled:
        return
    if bridge.ecam is not None and bridge.ecam.size:
        base = bridge.ecam.base
        yield Area(kind="ecam", base=base, last=base + bridge.ecam.size - 1, owner=bridge.name, what="ECAM")
    for window in bridge.windows:
        if window.cpu is not None and window.size and window.space != "io":
            last = window.cpu + window.size - 1
            what = f"{window.space} window"
            yield Area(kind="window", base=window.cpu, last=last, owner=bridge.name, what=what)


def _of_device(device: Device) -> Iterator[Area]:
    for bar in device.bars:
        if bar.base is not None and bar.space != "io" and bar.size:
            last = bar.base + bar.size - 1
            yield Area(kind="bar", base=bar.base, last=last, owner=device.sbdf, what=f"BAR {bar.index}")


def _drawn(areas: Iterable[Area], clashes: Mapping[Area, Sequence[Area]], scale: _Scale) -> tuple[Bar, ...]:
    bars = []
    for i, area in enumerate(areas, start=1):
        x, end = scale.at(area.base), scale.at(area.last + 1)
        found = tuple(clashes.get(area, ()))
        bars.append(Bar(area=area, number=i, x=x, width=max(end - x, _THINNEST), clashes=found))
    return tuple(bars)


def _clusters(bars: Iterable[Bar]) -> Iterator[Cluster]:
    """BARs by address, neighbours that touch in the drawing as one."""
    near: list[Bar] = []
    for bar in sorted(bars, key=lambda each: each.x):
        if near and bar.x > near[-1].x + near[-1].width + _APART:
            yield _cluster(near)
            near = []
        near.append(bar)
    if near:
        yield _cluster(near)


def _cluster(bars: Sequence[Bar]) -> Cluster:
    first, last = bars[0], bars[-1]
    text = f"{first.area.owner} {first.area.text}"
    if len(bars) > 1:
        text = f"{len(bars)} BARs {first.area.base:#x}-{last.area.last:#x}, the first is {first.area.owner}'s"
    width = last.x + last.width - first.x
    return Cluster(x=first.x, width=width, text=text, clash=any(each.clashes for each in bars))


def _clashes(areas: Iterable[Area]) -> dict[Area, list[Area]]:
    """Each area with those of others that share addresses with it, at most `_TOLD` of them."""
    found: dict[Area, list[Area]] = {}
    open_: list[Area] = []
    for area in sorted(areas, key=lambda each: each.base):
        open_ = [each for each in open_ if each.last >= area.base]
        for other in open_[:_TOLD]:
            found.setdefault(area, []).append(other)
            found.setdefault(other, []).append(area)
        open_.append(area)
    return found


class _Scale:
    """CPU addresses to places from 0 to 1000."""

    def __init__(self, areas: Iterable[Area]) -> None:
        changes: dict[int, int] = {}
        for area in areas:
            changes[area.base] = changes.get(area.base, 0) + 1
            changes[area.last + 1] = changes.get(area.last + 1, 0) - 1
        self._bounds = sorted(changes)
        weights, used = [], 0
        for low, high in pairwise(self._bounds):
            used += changes[low]
            weights.append(float((high - low).bit_length()) if used else _GAP)
        total = sum(weights) or 1.0
        self._places = [0.0, *accumulate(weight * _WIDTH / total for weight in weights)]

    def at(self, address: int) -> float:
        """Where an address is drawn; those outside of all areas at the nearer end."""
        i = bisect_right(self._bounds, address) - 1
        if i < 0:
            return 0.0
        if i + 1 >= len(self._bounds):
            return self._places[-1]
        low, high = self._bounds[i], self._bounds[i + 1]
        share = (address - low) / (high - low)
        return self._places[i] + share * (self._places[i + 1] - self._places[i])
