"""A plan as text and as JSON: for each guest the set that goes together, then the forms, or why not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from rootplex.jobs.plan.result import GuestPlan, Obstacle, ObstacleKind, Other, Plan
from rootplex.report.assignment import Form, forms
from rootplex.report.words import FIRMWARE, counted, function_name, function_names

_SENTENCES: dict[ObstacleKind, str] = {
    "machine": "no guest can have a device here",
    "unseen": "{host} does not see {text}",
    "bridge": "{device} is no device that a guest can have",
    "needed": "{host} needs {device}",
    "no-group": "{device} has no IOMMU group: what it reads and writes is not held back",
    "unknown": "it is not known who shares an IOMMU group with {device}",
    "group": "{device} is in one IOMMU group with {others}",
    "unsafe": "{device} is not safely apart from {others}",
    "line": "{device} shares its interrupt line with {others}, and cannot do without",
    "no-messages": "{device} has no interrupt that reaches a guest",
    "messages": "nothing tells the messages of {device} from others': VFIO refuses it",
    "alias": "{device} uses an id that pci-phantom= cannot say",
    "segment": "{device} is in a segment beyond ffff, which xl does not read",
    "reserved": "firmware keeps memory mapped for {device} (RMRR): VFIO refuses it",
    "refused": "Xen refuses {device}",
    "finding": "{text}",
}

_HELPS: dict[ObstacleKind, str] = {
    "bridge": "give the guest what is behind it",
    "needed": "leave it to {host}",
    "no-group": "put its host bridge behind an IOMMU, with a map that covers the device's ids",
    "messages": "let an ITS take them, or on x86 switch interrupt remapping on",
    "unknown": "take a snapshot on the running machine, and see its /sys/kernel/iommu_groups",
    "line": "give the device a line of its own, or messages",
    "no-messages": "use its MSI, and let the host bridge's 'msi' cover its id",
    "alias": "leave the device to {host}",
    "reserved": "leave the device to {host}, or switch off in firmware what uses it",
}


def text(plan: Plan) -> Iterator[str]:
    """Lines for a person."""
    below = "Xen" if plan.hypervisor == "xen" else "KVM"
    yield f"{plan.platform}: guests of {below} ({plan.kernel}, by {FIRMWARE[plan.firmware]})"
    for guest in plan.guests:
        yield ""
        yield from _refused(plan, guest) if guest.obstacles else _granted(plan, guest)
    if plan.elsewhere:
        yield ""
        errors = counted(plan.elsewhere, "error")
        yield f"the board has {errors} that no guest's device is concerned by: see `rootplex check`"


def _host(plan: Plan) -> str:
    return "Dom0" if plan.hypervisor == "xen" else "the host"


def _granted(plan: Plan, guest: GuestPlan) -> Iterator[str]:
    yield f"guest {guest.name}: {function_names(each.function for each in guest.devices)}"
    for group in guest.together:
        how = "alone" if len(group.members) == 1 else "only together"
        yield f"  {how}: {function_names(group.members)}"
        yield from (f"    {text}" for text in group.why)
    yield from (f"  note: {note}" for note in notes(plan, guest))
    number = 0
    for form in forms(plan, guest):
        number += not form.instead
        yield f"  {'  ' if form.instead else f'{number}.'} {form.why}:"
        yield from (f"       {line}" for line in form.text.split("\n"))


def notes(plan: Plan, guest: GuestPlan) -> Iterator[str]:
    """What to know beside."""
    host = _host(plan)
    if guest.staying:
        yield f"{function_names(guest.staying)} of the same group stays in {host}; put nothing else below it"
    if guest.lines:
        yield f"{', '.join(guest.lines)} shares its interrupt line with others: let all use messages"
    if any(each.reserved for each in guest.devices):
        yield "firmware keeps memory mapped for a device (RMRR): the guest's memory must leave it free"
    if plan.hypervisor == "xen" and plan.arch != "x86_64":
        yield (
            "PCI passthrough of Xen on Arm is an experiment (CONFIG_PCI_PASSTHROUGH, EXPERT), not supported; "
            "today's Xen emulates no configuration space for guests"
        )
    if plan.hypervisor == "xen" and plan.arch == "x86_64":
        yield (
            "a driver that fails by writes that pciback filters needs ',permissive=1' behind the device: for "
            "trusted guests only"
        )


def _refused(plan: Plan, guest: GuestPlan) -> Iterator[str]:
    yield f"guest {guest.name}: refused"
    for obstacle in guest.obstacles:
        yield f"  {sentence(plan, obstacle)}"
        yield from (f"    {text}" for text in obstacle.why)
        help_ = advice(plan, guest, obstacle)
        if help_ is not None:
            yield f"    help: {help_}"
        if obstacle.code is not None:
            yield f"    more: rootplex explain {obstacle.code}"


def sentence(plan: Plan, obstacle: Obstacle) -> str:
    """What is in the way."""
    function = obstacle.function
    return _SENTENCES[obstacle.kind].format(
        host=_host(plan),
        device="" if function is None else function_name(function),
        others=" and ".join(_other(plan, each) for each in obstacle.others),
        text=obstacle.text,
    )


def _other(plan: Plan, other: Other) -> str:
    what = function_name(other.function)
    whose = f"guest {other.owner} is to have" if other.owner else f"stays in {_host(plan)}"
    return f"{what}, {other.needed or f'which {whose}'}"


def advice(plan: Plan, guest: GuestPlan, obstacle: Obstacle) -> str | None:
    """What to do."""
    if obstacle.help is not None:
        return obstacle.help
    if obstacle.kind not in ("group", "unsafe"):
        return _HELPS[obstacle.kind].format(host=_host(plan)) if obstacle.kind in _HELPS else None
    apart = "part them: ACS at the hop above, or another slot"
    if any(each.needed for each in obstacle.others):
        return apart
    if any(each.owner for each in obstacle.others):
        return f"give all of them to one guest; or {apart}"
    names = [each.function.name or each.function.sbdf for each in guest.devices]
    names += [each.function.name or each.function.sbdf for each in obstacle.others]
    return f"give guest {guest.name} all of them, devices: [{', '.join(names)}]; or {apart}"


def as_json(plan: Plan) -> str:
    """The values, with each guest's forms and each obstacle's sentence."""
    content = {
        "rootplex": 1,
        **{key: value for key, value in msgspec.to_builtins(plan).items() if key != "guests"},
        "guests": [_guest(plan, guest) for guest in plan.guests],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def _guest(plan: Plan, guest: GuestPlan) -> dict[str, object]:
    made: tuple[Form, ...] = () if guest.obstacles else forms(plan, guest)
    return {
        **msgspec.to_builtins(guest),
        "obstacles": [
            {
                **msgspec.to_builtins(each),
                "text": sentence(plan, each),
                "help": advice(plan, guest, each),
            }
            for each in guest.obstacles
        ],
        "notes": [] if guest.obstacles else list(notes(plan, guest)),
        "forms": [{"what": each.what, "why": each.why, "text": each.text} for each in made],
    }
