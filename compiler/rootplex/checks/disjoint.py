"""What is still free: a segment number, buses of a segment; and how a description is made to say so."""

from __future__ import annotations

from rootplex.checks.facts import Facts
from rootplex.model.bridge import Firmware, HostBridge
from rootplex.model.numbers import BusRange
from rootplex.source.finding import Rewrite

SEGMENTS = 0x10000
BUSES = 0x100


def segment_apart(facts: Facts, name: str, firmware: Firmware) -> tuple[int, Rewrite] | None:
    """The first segment that no bridge of a description has, and how the bridge of this name gets it."""
    bridge = _bridge(facts, name, firmware)
    if bridge is None:
        return None
    taken = {each.segment for each in _described(facts, firmware)}
    free = next((number for number in range(SEGMENTS) if number not in taken), None)
    return None if free is None else (free, bridge.written("segment", str(free)))


def buses_apart(facts: Facts, name: str, firmware: Firmware) -> tuple[BusRange, Rewrite] | None:
    """The first buses of its segment that no other bridge has: as many as the bridge of this name has, or
    where so many are not free, the most there are."""
    bridge = _bridge(facts, name, firmware)
    if bridge is None:
        return None
    others = sorted(
        (each.bus_range.first, each.bus_range.last)
        for each in _described(facts, firmware)
        if each.name != name and each.segment == bridge.segment
    )
    gaps, start = [], 0
    for first, last in (*others, (BUSES, BUSES)):
        if first > start:
            gaps.append(BusRange(start, first - 1))
        start = max(start, last + 1)
    if not gaps:
        return None
    wanted = bridge.bus_range.count
    gap = next((each for each in gaps if each.count >= wanted), max(gaps, key=lambda each: each.count))
    free = BusRange(gap.first, gap.first + min(wanted, gap.count) - 1)
    return free, bridge.written("bus_range", f"[{free.first:#x}, {free.last:#x}]")


def _described(facts: Facts, firmware: Firmware) -> tuple[HostBridge, ...]:
    return facts.described_in[firmware]


def _bridge(facts: Facts, name: str, firmware: Firmware) -> HostBridge | None:
    bridge = facts.described_bridge(name)
    return None if bridge is None else bridge.as_seen_by(firmware)
