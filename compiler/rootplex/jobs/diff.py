"""`diff`: what changes for whoever runs a board, between two results.

Host bridges are matched by name, else by their configuration space, else by segment and first bus; functions
by name, else by SBDF. Everything compared is what came out, not what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

from msgspec import Struct

from rootplex.jobs.entries import BYTES, Entries, changed
from rootplex.jobs.result import BridgeResult, Device, Guest, Machine, Result, WindowResult
from rootplex.source.finding import Finding

What: TypeAlias = Literal[
    "verdict", "bridge", "segment", "buses", "configuration space", "windows",
    "function", "address", "group", "guest", "boot", "table", "entry", "finding",
]  # fmt: skip
T = TypeVar("T")


class Change(Struct, frozen=True, kw_only=True):
    """One thing that is otherwise: of what, whose, and how it is on each side (None: it is not there).
    `why` are the facts that make a group what it is on the second side."""

    what: What
    subject: str
    before: str | None
    after: str | None
    why: tuple[str, ...] = ()


class Diff(Struct, frozen=True, kw_only=True):
    """Two results and what is otherwise in the second. `not_compared`: what one side does not know."""

    before: Result
    after: Result
    changes: tuple[Change, ...]
    not_compared: tuple[str, ...] = ()


def diff(
    before: Result, after: Result, entries: tuple[Entries | None, Entries | None] = (None, None)
) -> Diff:
    """Every change, by consequence: verdict, bridges, functions, groups, guests, boot device, findings; where
    no function is known, by the `entries` of tables and maps, too, where both sides are firmware."""
    one, other = before.machine, after.machine
    changes = [*_of("verdict", "the board", before.verdict, after.verdict)]
    bridges = tuple(bridges_matched(one.bridges, other.bridges))
    for name, old, new in bridges:
        changes += _bridge(name, old, new)
    missing = tuple(sorted({*before.not_known, *after.not_known}))
    if "devices" not in missing:
        matched = tuple(_functions_matched(one.devices, other.devices))
        changes += _functions(matched)
        changes += _groups(one, other, matched)
        changes += _guests(before.guests, after.guests)
        changes += _boot(one, other)
    elif entries[0] is not None and entries[1] is not None:
        changes += _entries(entries[0], entries[1], bridges)
    changes += _findings(before.findings, after.findings)
    return Diff(before=before, after=after, changes=tuple(changes), not_compared=missing)


def _of(what: What, subject: str, before: str | None, after: str | None) -> Iterator[Change]:
    if before != after:
        yield Change(what=what, subject=subject, before=before, after=after)


Pair: TypeAlias = tuple[str, T | None, T | None]


def bridges_matched(
    one: Sequence[BridgeResult], other: Sequence[BridgeResult]
) -> Iterator[Pair[BridgeResult]]:
    """The bridges of both sides in pairs, in the order of the first."""
    keys: tuple[Callable[[BridgeResult], Hashable], ...] = (
        lambda bridge: bridge.name,
        lambda bridge: None if bridge.ecam is None else bridge.ecam.base,
        lambda bridge: None if bridge.bus_range is None else (bridge.segment, bridge.bus_range[0]),
    )
    for old, new in _matched(one, other, keys):
        known = old or new
        assert known is not None
        yield known.name, old, new


def _functions_matched(one: Sequence[Device], other: Sequence[Device]) -> Iterator[Pair[Device]]:
    keys: tuple[Callable[[Device], Hashable], ...] = (
        lambda device: device.name,
        lambda device: (device.sbdf, device.vendor, device.device),
        lambda device: device.sbdf if device.name is None else None,
    )
    for old, new in _matched(one, other, keys):
        known = old or new
        assert known is not None
        yield known.name or known.sbdf, old, new


def _matched(
    one: Sequence[T], other: Sequence[T], keys: Iterable[Callable[[T], Hashable]]
) -> Iterator[tuple[T | None, T | None]]:
    """Pairs by the first key that names one thing on each side; then what has no counterpart."""
    pairs: dict[int, int] = {}
    for key in keys:
        places = {key(each): j for j, each in enumerate(other) if j not in pairs.values()}
        for i, each in enumerate(one):
            at = key(each)
            if i not in pairs and at is not None and at in places:
                pairs[i] = places.pop(at)
    for i, each in enumerate(one):
        yield each, other[pairs[i]] if i in pairs else None
    taken = set(pairs.values())
    yield from ((None, each) for j, each in enumerate(other) if j not in taken)


def _bridge(name: str, old: BridgeResult | None, new: BridgeResult | None) -> Iterator[Change]:
    states = [None if each is None else "enabled" if each.enabled else "disabled" for each in (old, new)]
    yield from _of("bridge", name, *states)
    if old is None or new is None:
        return
    yield from _of("segment", name, _segment(old.segment), _segment(new.segment))
    yield from _of("buses", name, _range(old.bus_range), _range(new.bus_range))
    yield from _of("configuration space", name, _ecam(old), _ecam(new))
    yield from _of("windows", name, _windows(old), _windows(new))


def _segment(number: int | None) -> str:
    return "none" if number is None else f"{number:04x}"


def _range(buses: tuple[int, int] | None) -> str:
    return "none" if buses is None else f"{buses[0]:02x}-{buses[1]:02x}"


def _ecam(bridge: BridgeResult) -> str:
    return "no ECAM" if bridge.ecam is None else f"ECAM {bridge.ecam.base:#x}, {bridge.ecam.size:#x} bytes"


def _windows(bridge: BridgeResult) -> str:
    return ", ".join(sorted(map(_window, bridge.windows))) or "none"


def _window(window: WindowResult) -> str:
    kind = f"{window.space} prefetchable" if window.prefetchable else window.space
    moved = "" if window.cpu in (None, window.pci) else f" at {window.cpu:#x}"
    return f"{kind} {window.pci:#x}-{window.pci + window.size - 1:#x}{moved}"


def _functions(matched: Iterable[Pair[Device]]) -> Iterator[Change]:
    for name, old, new in matched:
        if old is None or new is None:
            yield from _of("function", name, _shown(old), _shown(new))
        else:
            yield from _of("address", name, old.sbdf, new.sbdf)
            yield from _of("function", name, _kind(old), _kind(new))


def _shown(device: Device | None) -> str | None:
    return None if device is None else f"{device.sbdf}, {_kind(device)}"


def _kind(device: Device) -> str:
    return f"{device.type} {device.vendor:04x}:{device.device:04x}"


def _groups(one: Machine, other: Machine, matched: Sequence[Pair[Device]]) -> Iterator[Change]:
    """For each function that both have, those it is together with, each told once a group."""
    old_names = {old.sbdf: name for name, old, _ in matched if old is not None}
    new_names = {new.sbdf: name for name, _, new in matched if new is not None}
    before, after = _partition(one, old_names), _partition(other, new_names)
    why = {
        frozenset(new_names.get(sbdf, sbdf) for sbdf in group.members): tuple(each.text for each in group.why)
        for group in other.groups
    }
    told = set()
    for name in (name for name, old, new in matched if old is not None and new is not None):
        pair = (before.get(name), after.get(name))
        if pair[0] != pair[1] and pair not in told:
            told.add(pair)
            yield Change(
                what="group",
                subject=name,
                before=_members(pair[0]),
                after=_members(pair[1]),
                why=why.get(pair[1] or frozenset(), ()),
            )


def _partition(machine: Machine, names: Mapping[str, str]) -> dict[str, frozenset[str]]:
    groups = [frozenset(names.get(sbdf, sbdf) for sbdf in group.members) for group in machine.groups]
    return {name: group for group in groups for name in group}


def _members(group: frozenset[str] | None) -> str:
    return "no group" if group is None else ", ".join(sorted(group))


def _guests(one: Sequence[Guest], other: Sequence[Guest]) -> Iterator[Change]:
    sides = [{each.name: f"{each.comes_to}: {_devices(each)}" for each in side} for side in (one, other)]
    for name in dict.fromkeys((*sides[0], *sides[1])):
        yield from _of("guest", name, sides[0].get(name), sides[1].get(name))


def _devices(guest: Guest) -> str:
    return ", ".join(each.name or each.sbdf for each in guest.devices) or "no device"


def _boot(one: Machine, other: Machine) -> Iterator[Change]:
    sides = [
        None
        if each.boot is None
        else f"{each.boot.device} at {each.boot.sbdf or 'no address'}, "
        f"reachable by {', '.join(each.boot.reachable_by) or 'nothing'}"
        for each in (one, other)
    ]
    yield from _of("boot", "the boot device", *sides)


def _entries(one: Entries, other: Entries, bridges: Iterable[Pair[BridgeResult]]) -> Iterator[Change]:
    """Tables and maps that came, went, or have other entries; not the maps of a bridge that itself came or
    went, nor MCFG where the bridges' configuration space tells of it."""
    pairs = {None: None} | {old.name: new.name for _, old, new in bridges if old and new}
    before = {key: each for key, each in one.items() if key[1] in pairs}
    now = {new: old for old, new in pairs.items()}
    after = {(name, now[of]): each for (name, of), each in other.items() if of in now}
    told = ("MCFG", None) if len(pairs) > 1 else None
    for key in dict.fromkeys((*before, *after)):
        name = key[0] if key[1] is None else f"{key[0]} of {key[1]}"
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            yield from _of("table", name, *(None if each is None else _counted(each) for each in (old, new)))
        elif key != told:
            for went, came in changed(old, new):
                yield Change(what="entry", subject=name, before=went, after=came)


def _counted(entries: Sequence[str]) -> str:
    count = sum(not each.startswith(BYTES) for each in entries)
    return "1 entry" if count == 1 else f"{count} entries"


def _findings(one: Iterable[Finding], other: Iterable[Finding]) -> Iterator[Change]:
    """Findings that went and that came, by code, subject and message: places move with every line."""
    sides = [{(each.code, each.subject, each.message): each for each in side} for side in (one, other)]
    for key, finding in sides[0].items():
        if key not in sides[1]:
            yield Change(what="finding", subject=finding.code, before=_finding(finding), after=None)
    for key, finding in sides[1].items():
        if key not in sides[0]:
            yield Change(what="finding", subject=finding.code, before=None, after=_finding(finding))


def _finding(finding: Finding) -> str:
    return f"{finding.level.value}: {finding.message}"
