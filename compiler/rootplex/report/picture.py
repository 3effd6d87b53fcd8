"""The topology as rows of a picture: segments, host bridges, and below each its functions as a tree.

What every form of the picture shows (page, SVG, dot, mermaid, a terminal's tree) is decided here; the forms
only draw it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.jobs.result import BridgeResult, Device, Machine

COLOURS = 12
"""How many colours groups have before they repeat; a number tells them apart all the same."""

Fact: TypeAlias = Literal["group", "guest", "boot", "leak"]

_ACS = ("acs-absent", "acs-off", "acs-not-offered", "functions", "switch")
"""Kinds of reasons that are said at the hop where requests get through."""


class Row(Struct, frozen=True, kw_only=True):
    """A function. `depth` counts bridges above it; `group` is the group's number, `colour` 0 to 11 where the
    group has several members; `missing` says what lets requests through here."""

    sbdf: str
    name: str | None
    type: str
    id: str
    buses: str | None
    depth: int
    group: int | None
    colour: int | None
    guest: str | None
    is_boot: bool
    missing: tuple[str, ...]
    below: tuple[Row, ...]

    def walk(self) -> Iterator[Row]:
        """This row and those below, as they are drawn."""
        yield self
        for row in self.below:
            yield from row.walk()

    @property
    def label(self) -> str:
        """`0000:01:00.0 disk`."""
        return f"{self.sbdf} {self.name}" if self.name else self.sbdf

    @property
    def facts(self) -> Iterator[tuple[Fact, str]]:
        """What is said behind its name and type, each of its kind."""
        yield "group", "no group" if self.group is None else f"group {self.group}"
        if self.guest is not None:
            yield "guest", f"guest {self.guest}"
        if self.is_boot:
            yield "boot", "boot"
        if self.missing:
            yield "leak", "does not isolate"

    @property
    def type_and_buses(self) -> str:
        """`root-port to 01-03`."""
        return self.type if self.buses is None else f"{self.type} to {self.buses}"


class Tree(Struct, frozen=True, kw_only=True):
    """A host bridge and what is on its first bus. `bridge` is None for functions of no described bridge."""

    bridge: BridgeResult | None
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """The bridge's name, its buses and whether it is off."""
        if self.bridge is None:
            return "other functions"
        buses = self.bridge.bus_range
        text = (
            self.bridge.name if buses is None else f"{self.bridge.name}, buses {buses[0]:02x}-{buses[1]:02x}"
        )
        return text if self.bridge.enabled else f"{text}, disabled"

    def walk(self) -> Iterator[Row]:
        for row in self.rows:
            yield from row.walk()


class Segment(Struct, frozen=True, kw_only=True):
    """A segment with its host bridges. `number` is None for bridges that nothing numbers."""

    number: int | None
    trees: tuple[Tree, ...]

    @property
    def title(self) -> str:
        return "no segment number" if self.number is None else f"segment {self.number:04x}"


def picture_of(machine: Machine) -> tuple[Segment, ...]:
    """The segments in order of their numbers, those without one last."""
    rows = _rows(machine)
    trees: dict[int | None, list[Tree]] = {}
    placed: set[str] = set()
    for bridge in machine.bridges:
        mine = tuple(row for row in rows if _is_on(row, bridge) and row.sbdf not in placed)
        placed.update(row.sbdf for row in mine)
        trees.setdefault(bridge.segment, []).append(Tree(bridge=bridge, rows=mine))
    for row in rows:
        if row.sbdf not in placed:
            number = _segment_of(row)
            found = trees.setdefault(number, [])
            if found and found[-1].bridge is None:
                found[-1] = Tree(bridge=None, rows=(*found[-1].rows, row))
            else:
                found.append(Tree(bridge=None, rows=(row,)))
    numbers = sorted(trees, key=lambda number: (number is None, number or 0))
    return tuple(Segment(number=number, trees=tuple(trees[number])) for number in numbers)


def _segment_of(row: Row) -> int:
    return int(row.sbdf.partition(":")[0], 16)


def _is_on(row: Row, bridge: BridgeResult) -> bool:
    """Whether a function of a first bus is the bridge's."""
    bus = int(row.sbdf.split(":")[1], 16)
    buses = bridge.bus_range
    return (
        bridge.enabled
        and bridge.segment == _segment_of(row)
        and (buses is None or buses[0] <= bus <= buses[1])
    )


def _rows(machine: Machine) -> tuple[Row, ...]:
    below: dict[str | None, list[Device]] = {}
    known = {device.sbdf: device for device in machine.devices}
    for device in machine.devices:
        below.setdefault(device.parent if device.parent in known else None, []).append(device)
    colours = _colours(machine.devices)
    missing: dict[str, dict[str, None]] = {}
    for group in machine.groups:
        for why in group.why:
            if why.kind in _ACS:
                missing.setdefault(why.sbdf, {})[why.text] = None
    boot = None if machine.boot is None else machine.boot.sbdf

    def called(sbdf: str) -> str:
        return (known[sbdf].name if sbdf in known else None) or sbdf

    def row(device: Device, depth: int) -> Row:
        return Row(
            sbdf=device.sbdf,
            name=device.name,
            type=device.type if device.physfn is None else f"VF of {called(device.physfn)}",
            id=f"{device.vendor:04x}:{device.device:04x}",
            buses=None if device.bus is None else f"{device.bus[0]:02x}-{device.bus[1]:02x}",
            depth=depth,
            group=device.group,
            colour=None if device.group is None else colours.get(device.group),
            guest=device.guest,
            is_boot=device.sbdf == boot,
            missing=tuple(missing.get(device.sbdf, ())),
            below=tuple(row(each, depth + 1) for each in below.get(device.sbdf, ())),
        )

    return tuple(row(device, 0) for device in below.get(None, ()))


def _colours(devices: tuple[Device, ...]) -> dict[int, int]:
    """Groups of two or more members have colours, in turn; what is alone needs none."""
    counts = Counter(device.group for device in devices if device.group is not None)
    large = [group for group, count in counts.items() if count > 1]
    return {group: i % COLOURS for i, group in enumerate(large)}
