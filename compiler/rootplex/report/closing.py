"""What stands below a result's verdict: bridges by their numbers, the boot device, groups, guests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rootplex.jobs.result import BootResult, BridgeResult, Guest, Machine, Named, Result, Sides, Wish
from rootplex.report import dma
from rootplex.report.words import columns, counted, size

COLUMNS = {"dt": "DT", "mcfg": "MCFG", "seg": "_SEG", "iort": "IORT", "xen": "Xen", "dom0": "Dom0"}
BARE_COLUMNS = {key: text for key, text in COLUMNS.items() if key != "xen"} | {"dom0": "Linux"}
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
        if machine.bridges and not result.simulated:
            yield from _given(machine.bridges, result.sides)
        if len(result.sides.files) > 1:
            yield from (f"from {file}" for file in result.sides.files)
    elif result.simulated:
        yield from _table(machine.bridges, COLUMNS if result.hypervisor else BARE_COLUMNS)
        yield from _boot(machine.boot)
        yield _groups(machine, result.unsure)
        yield from (guest_line(guest) for guest in result.guests)


def _table(bridges: Sequence[BridgeResult], named: Mapping[str, str]) -> Iterator[str]:
    rows = [("bridge", "buses", *named.values())]
    rows += [_row(bridge, named) for bridge in bridges]
    yield from columns(rows)


def _row(bridge: BridgeResult, named: Mapping[str, str]) -> tuple[str, ...]:
    numbers = (_segment(getattr(bridge.numbers, key)) for key in named)
    return (_name(bridge), _buses(bridge), *numbers)


def _name(bridge: BridgeResult) -> str:
    return bridge.name if bridge.enabled else f"{bridge.name} (disabled)"


def _buses(bridge: BridgeResult) -> str:
    return UNKNOWN if bridge.bus_range is None else f"{bridge.bus_range[0]:02x}-{bridge.bus_range[1]:02x}"


def _segment(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:04x}"


def _given(bridges: Sequence[BridgeResult], sides: Sides) -> Iterator[str]:
    """The bridges of a board as its firmware gives them."""
    rows = [("bridge", "segment", "buses", "configuration space", "windows", "maps")]
    for bridge in bridges:
        ecam, maps = bridge.ecam, sides.maps.get(bridge.name, ())
        windows = ", ".join(f"{each.space} {each.pci:#x} {size(each.size)}" for each in bridge.windows)
        rows.append(
            (
                _name(bridge),
                _segment(bridge.segment),
                _buses(bridge),
                UNKNOWN if ecam is None else f"ECAM {ecam.base:#x} {size(ecam.size)}",
                windows or UNKNOWN,
                ", ".join(what if count is None else f"{what} {count}" for what, count in maps) or UNKNOWN,
            )
        )
    yield from columns(rows)
    for bridge in bridges:
        if bridge.dma is not None and bridge.dma.limited_by:
            yield f"{bridge.name}: {dma.line(bridge.dma)}"


def _boot(boot: BootResult | None) -> Iterator[str]:
    if boot is None:
        return
    ways = ", ".join(boot.reachable_by) or "nothing"
    where = "not seen" if boot.sbdf is None else f"at {boot.sbdf}"
    yield f"boot: {boot.device} {where}, reachable by {ways}"


def _groups(machine: Machine, unsure: int) -> str:
    largest = max((len(group.members) for group in machine.groups), default=0)
    text = f"groups: {len(machine.groups)} for {len(machine.devices)} functions"
    if largest > 1:
        text += f", the largest of {largest}"
    grouped = sum(len(group.members) for group in machine.groups)
    if unsure:
        text += f", {unsure} in some that are not known"
    if grouped + unsure < len(machine.devices):
        text += f", {len(machine.devices) - grouped - unsure} in none"
    return text


def guest_line(guest: Guest) -> str:
    """What a guest's wish comes to, with its devices as far as Dom0 sees them."""
    devices = ", ".join(map(_called, guest.devices)) or "no device"
    return f"guest {guest.name}: {_COMES_TO[guest.comes_to]} ({devices})"


def _called(device: Named) -> str:
    return device.sbdf if device.name is None else f"{device.name} {device.sbdf}"
