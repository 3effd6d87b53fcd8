"""What `check` prints below its verdict: bridges by their numbers, the boot device, groups, guests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rootplex.checks.facts import Facts
from rootplex.report.result import Json
from rootplex.simulator.groups.guests import GuestView
from rootplex.simulator.outcome import Outcome

COLUMNS = {"dt": "DT", "mcfg": "MCFG", "seg": "_SEG", "iort": "IORT", "xen": "Xen", "dom0": "Dom0"}
UNKNOWN = "-"


def summary_of(details: Mapping[str, Any], facts: Facts, outcome: Outcome) -> tuple[str, ...]:
    """The lines. Segments are in hexadecimal; `-`: that source does not know the bridge."""
    return (
        *_table(details["bridges"]),
        *_boot(details["boot"]),
        _groups(outcome),
        *(_guest(view, facts) for view in outcome.guests),
    )


def _table(bridges: Sequence[Json]) -> Iterator[str]:
    rows = [("bridge", "buses", *COLUMNS.values())]
    rows += [_row(bridge) for bridge in bridges]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(bridge: Mapping[str, Any]) -> tuple[str, ...]:
    first, last = bridge["bus_range"]
    name = bridge["name"] if bridge["enabled"] else f"{bridge['name']} (disabled)"
    numbers = bridge["numbers"]
    cells = (UNKNOWN if numbers[key] is None else f"{numbers[key]:04x}" for key in COLUMNS)
    return (name, f"{first:02x}-{last:02x}", *cells)


def _boot(boot: Mapping[str, Any] | None) -> Iterator[str]:
    if boot is None:
        return
    ways = ", ".join(boot["reachable_by"]) or "nothing"
    where = "not seen" if boot["sbdf"] is None else f"at {boot['sbdf']}"
    yield f"boot: {boot['device']} {where}, reachable by {ways}"


def _groups(outcome: Outcome) -> str:
    linux = outcome.linux
    largest = max((len(group.members) for group in linux.groups), default=0)
    text = f"groups: {len(linux.groups)} for {len(outcome.dom0.functions)} functions"
    if largest > 1:
        text += f", the largest of {largest}"
    if linux.ungrouped:
        text += f", {len(linux.ungrouped)} in none"
    return text


def _guest(view: GuestView, facts: Facts) -> str:
    return f"guest {view.name}: {verdict(view, facts)} ({names(view, facts)})"


def verdict(view: GuestView, facts: Facts) -> str:
    """What a guest's wish comes to, in a word or two."""
    described = () if facts.described is None else facts.described.xen.guests
    wished = next((len(guest.devices) for guest in described if guest.name == view.name), 0)
    if len(view.functions) < wished:
        return "devices missing"
    if view.ungrouped:
        return "not translated"
    if not view.whole:
        return "not whole groups"
    return "whole groups" if view.safe else "whole groups, not safely apart"


def names(view: GuestView, facts: Facts) -> str:
    """Its devices, as far as Dom0 sees them."""
    if not view.functions:
        return "no device"
    return ", ".join(_called(function.sbdf, facts.pages.get(function.page)) for function in view.functions)


def _called(sbdf: str, name: str | None) -> str:
    return sbdf if name is None else f"{name} {sbdf}"
