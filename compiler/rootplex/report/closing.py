"""What stands below a result's verdict: bridges by their numbers, the boot device, groups, guests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.jobs.result import Boot, Guest, HostBridge, Machine, Named, Result, Wish
from rootplex.report.words import counted

COLUMNS = {"dt": "DT", "mcfg": "MCFG", "seg": "_SEG", "iort": "IORT", "xen": "Xen", "dom0": "Dom0"}
UNKNOWN = "-"

_COMES_TO: dict[Wish, str] = {
    "devices-missing": "devices missing",
    "untranslated": "not translated",
    "groups-not-whole": "not whole groups",
    "groups-whole": "whole groups",
    "groups-whole-not-apart": "whole groups, not safely apart",
}


def lines(result: Result) -> Iterator[str]:
    """The lines. Segments are in hexadecimal; `-`: that source does not know the bridge."""
    machine = result.machine
    if result.sides is not None:
        both = result.sides.in_both
        in_both = f", {both} in both firmwares" if both else ""
        yield counted(len(machine.bridges), "host bridge") + in_both
        if len(result.sides.files) > 1:
            yield from (f"from {file}" for file in result.sides.files)
    elif result.simulated:
        yield from _table(machine.bridges)
        yield from _boot(machine.boot)
        yield _groups(machine)
        yield from (guest_line(guest) for guest in result.guests)


def _table(bridges: Sequence[HostBridge]) -> Iterator[str]:
    rows = [("bridge", "buses", *COLUMNS.values())]
    rows += [_row(bridge) for bridge in bridges]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(bridge: HostBridge) -> tuple[str, ...]:
    name = bridge.name if bridge.enabled else f"{bridge.name} (disabled)"
    buses = UNKNOWN if bridge.bus_range is None else f"{bridge.bus_range[0]:02x}-{bridge.bus_range[1]:02x}"
    numbers = (getattr(bridge.numbers, key) for key in COLUMNS)
    return (name, buses, *(UNKNOWN if number is None else f"{number:04x}" for number in numbers))


def _boot(boot: Boot | None) -> Iterator[str]:
    if boot is None:
        return
    ways = ", ".join(boot.reachable_by) or "nothing"
    where = "not seen" if boot.sbdf is None else f"at {boot.sbdf}"
    yield f"boot: {boot.device} {where}, reachable by {ways}"


def _groups(machine: Machine) -> str:
    largest = max((len(group.members) for group in machine.groups), default=0)
    text = f"groups: {len(machine.groups)} for {len(machine.devices)} functions"
    if largest > 1:
        text += f", the largest of {largest}"
    grouped = sum(len(group.members) for group in machine.groups)
    if grouped < len(machine.devices):
        text += f", {len(machine.devices) - grouped} in none"
    return text


def guest_line(guest: Guest) -> str:
    """What a guest's wish comes to, with its devices as far as Dom0 sees them."""
    devices = ", ".join(map(_called, guest.devices)) or "no device"
    return f"guest {guest.name}: {_COMES_TO[guest.comes_to]} ({devices})"


def _called(device: Named) -> str:
    return device.sbdf if device.name is None else f"{device.name} {device.sbdf}"
