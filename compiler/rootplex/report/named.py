"""What came of a name, in a few lines of Markdown and in one line: for whoever points at it."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.result import BridgeResult, Device, Group, Machine, Numbers, Result
from rootplex.report.closing import BARE_COLUMNS, COLUMNS, guest_line
from rootplex.report.words import counted, size

MANY = 8
"""So many of a long list are named."""


def about(name: str, result: Result) -> str | None:
    """Everything about a name of the description; None where nothing came of it."""
    for said in (_device(name, result), _bridge(name, result), _guest(name, result), _unit(name, result)):
        lines = list(said)
        if lines:
            return "  \n".join(lines)
    return None


def numbers_line(bridge: BridgeResult, result: Result) -> str:
    """A bridge's numbers in one line: who calls it by which segment, and what is below it."""
    columns = COLUMNS if result.hypervisor else BARE_COLUMNS
    said = ", ".join(f"{label} {_segment(getattr(bridge.numbers, key))}" for key, label in columns.items())
    numbers = set(_known(bridge.numbers))
    agreed = f"segment {numbers.pop():04x}" if len(numbers) == 1 else said
    buses = (
        "" if bridge.bus_range is None else f" · buses {bridge.bus_range[0]:02x}-{bridge.bus_range[1]:02x}"
    )
    if not bridge.enabled:
        return f"disabled{buses}"
    if not bridge.registered:
        return f"does not come up{buses}"
    below = _below(bridge, result.machine)
    groups = len({each.group for each in below if each.group is not None})
    return f"{agreed}{buses} · {counted(len(below), 'function')}, {counted(groups, 'group')}"


def _known(numbers: Numbers) -> Iterator[int]:
    return (number for key in COLUMNS if (number := getattr(numbers, key)) is not None)


def _segment(number: int | None) -> str:
    return "-" if number is None else f"{number:04x}"


def _below(bridge: BridgeResult, machine: Machine) -> list[Device]:
    """The functions of a bridge: those of its segment whose bus is one of its."""
    if bridge.segment is None or bridge.bus_range is None or not bridge.registered:
        return []
    first, last = bridge.bus_range
    return [
        each
        for each in machine.devices
        if each.sbdf.startswith(f"{bridge.segment:04x}:") and first <= int(each.sbdf[5:7], 16) <= last
    ]


def _device(name: str, result: Result) -> Iterator[str]:
    machine = result.machine
    device = next((each for each in machine.devices if each.name == name), None)
    if device is None:
        return
    ids = f"{device.vendor:04x}:{device.device:04x}, class {device.class_code:06x}"
    yield f"**{name}** `{device.sbdf}` {device.type} {ids}"
    if device.bus is not None:
        yield f"buses below: {device.bus[0]:02x}-{device.bus[1]:02x}"
    if device.stream is not None:
        yield f"StreamID {device.stream.id:#x} at {device.stream.unit}"
    if device.msi is not None:
        yield f"DeviceID {device.msi.id:#x} at {device.msi.controller}"
    if device.intx is not None:
        where = "" if device.intx.controller is None else f" of {device.intx.controller}"
        yield f"INT{device.intx.pin}: interrupt {device.intx.irq}{where}"
    for bar in device.bars:
        at = "unassigned" if bar.base is None else f"at {bar.base:#x}"
        yield f"BAR {bar.index}: {bar.space} {size(bar.size)} {at}"
    if device.guest is not None:
        yield f"given to guest {device.guest}"
    group = next((each for each in machine.groups if each.id == device.group), None)
    if group is None:
        yield "in no passthrough group"
    else:
        yield from _group(group, device, machine)


def _group(group: Group, device: Device, machine: Machine) -> Iterator[str]:
    names = {
        each.sbdf: f"{each.name} `{each.sbdf}`" if each.name else f"`{each.sbdf}`" for each in machine.devices
    }
    beside = [names.get(sbdf, sbdf) for sbdf in group.members if sbdf != device.sbdf]
    more = f" and {len(beside) - MANY} more" if len(beside) > MANY else ""
    yield f"passthrough group {group.id}: " + (
        f"with {', '.join(beside[:MANY])}{more}" if beside else "alone"
    )
    yield from (f"- {each.text}" for each in group.why[:MANY])


def _bridge(name: str, result: Result) -> Iterator[str]:
    bridge = next((each for each in result.machine.bridges if each.name == name), None)
    if bridge is None:
        return
    yield f"**{name}** {numbers_line(bridge, result)}"
    columns = COLUMNS if result.hypervisor else BARE_COLUMNS
    said = (f"{label} {_segment(getattr(bridge.numbers, key))}" for key, label in columns.items())
    yield f"segment by {', '.join(said)}"
    if bridge.ecam is not None:
        yield f"ECAM at {bridge.ecam.base:#x}, {size(bridge.ecam.size)}" + (
            ", in MCFG" if bridge.in_mcfg else ""
        )
    for window in bridge.windows:
        moved = "" if window.cpu in (None, window.pci) else f", to the processor {window.cpu:#x}"
        yield f"window {window.space} {window.pci:#x}, {size(window.size)}{moved}"


def _guest(name: str, result: Result) -> Iterator[str]:
    yield from (f"**{guest_line(each)}**" for each in result.guests if each.name == name)


def _unit(name: str, result: Result) -> Iterator[str]:
    """A controller or IOMMU: whose requests end there."""
    for what, of in (("translates", "stream"), ("takes the MSIs of", "msi")):
        served = [
            each
            for each in result.machine.devices
            if (end := getattr(each, of)) is not None
            and name == getattr(end, "unit" if of == "stream" else "controller")
        ]
        if served:
            listed = ", ".join(
                f"{each.name or each.sbdf} {getattr(each, of).id:#x}" for each in served[:MANY]
            )
            more = f" and {len(served) - MANY} more" if len(served) > MANY else ""
            yield f"**{name}** {what} {counted(len(served), 'function')}: {listed}{more}"
