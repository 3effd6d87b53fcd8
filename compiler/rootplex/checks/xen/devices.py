"""Devices that Xen refuses, does not know, or does not guard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.phantoms import phantom_stride, unknown_ids
from rootplex.checks.rule import BYTES
from rootplex.checks.simulated import (
    booted,
    bridge_place,
    called,
    device_place,
    lives,
    root_of,
    wish_place,
    wishes,
    xen_of,
)
from rootplex.formats.errno import Errno, name_of
from rootplex.simulator.function import Function
from rootplex.simulator.groups.xen import is_conventional_bridge
from rootplex.simulator.inputs import Settings
from rootplex.source.finding import Finding, Level

MEANINGS = {
    -Errno.ENOENT: "no such entry",
    -Errno.ENOMEM: "out of memory",
    -Errno.EFAULT: "the map's id-base has bits outside its mask",
    -Errno.EEXIST: "an earlier attempt left its IOMMU data",
    -Errno.ENODEV: "no bridge of its bus, no IOMMU that Xen drives, or a VF without its PF",
    -Errno.EINVAL: "invalid",
    -Errno.ERANGE: "its StreamID is beyond the stream table",
    -Errno.EOPNOTSUPP: "PCI passthrough and IOMMU are both off, or the header has no known type",
}

MANY = 6
"""How many devices a message names."""


@check(
    "RPX0904",
    Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0901", "RPX0402"),
    covers=("XP-29", "XP-30", "XP-41"),
)
def device_refused(facts: Facts) -> Iterator[Finding]:
    """What it finds: devices that Dom0 reports and Xen does not take: any device with today's Xen, a guest's
    device under the 2017 protocol.
    Why it matters: what Xen does not have it cannot assign; its interrupts can fail in Dom0 too.
    Example: `discovery: xen` with a bridge that has no `iommu`: Xen answers -ENODEV for each of its devices.
    What to do: see the note for the error, and correct the bridge's maps or its kind.
    Source: Xen xen/drivers/passthrough/pci.c, pci_add_device; xen/drivers/passthrough/device_tree.c,
    iommu_add_dt_pci_sideband_ids.
    """
    # One finding a host bridge and error; not for devices or bridges whose trouble is told already.
    outcome = booted(facts)
    told = {each.subject for each in facts.found if each.level is Level.ERROR and each.subject}
    guests = {function for _, view in wishes(facts) for function in view.functions}
    late = refused_by_protocol(facts)
    refused: dict[tuple[int, int], list[Function]] = {}
    for event in outcome.dom0.events:
        function = event.function
        if event.kind not in ("device-added", "virtual-added") or function is None or not event.result:
            continue
        if function in late or event.result == -Errno.ENOSYS:
            continue
        if function not in guests and not _wants_all(outcome.settings):
            continue
        if facts.device_name(function) in told or facts.name_of(root_of(facts, function).path) in told:
            continue
        refused.setdefault((function.root, event.result), []).append(function)
    for (index, result), functions in refused.items():
        root = outcome.dom0.root_bridges[index]
        name = facts.name_of(root.path)
        yield device_refused.rule.finding(
            bridge_place(facts, root),
            f"Xen does not take {len(functions)} device{'s' if len(functions) > 1 else ''} of {name}",
            notes=[_meaning(result), f"refused: {listed(facts, functions)}"],
            help="map every requester id of the bridge to an IOMMU that Xen drives",
            subject=name,
        )


def _wants_all(settings: Settings) -> bool:
    """Whether Xen is to take every device, not guests' alone: today's, unless it is told not to."""
    return settings.discovery == "xen" and (settings.pci_passthrough or settings.iommu)


def listed(facts: Facts, functions: list[Function]) -> str:
    """The first few by name."""
    names = ", ".join(called(facts, function) for function in functions[:MANY])
    return names if len(functions) <= MANY else f"{names} and {len(functions) - MANY} more"


def refused_by_protocol(facts: Facts) -> dict[Function, str]:
    """The devices that the 2017 protocol did not let in, with why: `unowned-bus`, `shared-bus`."""
    outcome = booted(facts)
    discovery = xen_of(facts).discovery
    if discovery is None:
        return {}
    at = {(function.segment, function.rid): function for function in outcome.dom0.functions}
    found: dict[Function, str] = {}
    for each in discovery.refusals:
        function = at.get((each.segment, each.bus << 8 | (each.devfn or 0)))
        if each.what == "device" and function is not None:
            found[function] = each.why
    return found


def _meaning(result: int) -> str:
    return f"{MEANINGS[result]} ({name_of(result)})" if result in MEANINGS else f"the result is {result}"


@check("RPX0914", Level.WARNING, needs="simulation", only="x86-xen", requires=("RPX0901",), covers=("XP-42",))
def bus_table_empty(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86, a conventional bridge above a guest's device that Xen met before it had bus
    numbers.
    Why it matters: Xen learns which buses are behind such a bridge when it meets the bridge, once: without
    numbers it takes the devices behind it for requesters of their own, and its groups are wrong.
    Example: a `pcie-to-pci-bridge` without `bus` on an x86 platform.
    What to do: let the firmware number the bridge: give it `bus`.
    Source: Xen xen/drivers/passthrough/pci.c, alloc_pdev and find_upstream_bridge.
    """
    segments = xen_of(facts).core.records.segments
    for guest, view in wishes(facts):
        for function in view.functions:
            bridge = _conventional_above(function)
            known = segments.get(function.segment)
            if bridge is None or (known is not None and function.bus.number in known.upstream):
                continue
            yield bus_table_empty.rule.finding(
                wish_place(facts, guest, function),
                f"Xen does not know that {called(facts, function)} is behind {called(facts, bridge)}",
                related=[(device_place(facts, bridge, "bus"), "the firmware has not numbered the bridge")],
                notes=["Xen takes the device for a requester of its own, and groups it alone"],
                help="let the firmware number the bridge: give it 'bus'",
                subject=facts.device_name(function),
            )


def _conventional_above(function: Function) -> Function | None:
    at = function.parent
    while at is not None and not is_conventional_bridge(at):
        at = at.parent
    return at


MANY_IDS = 4


@check("RPX0915", Level.WARNING, needs="simulation", only="xen", requires=("RPX0901", "RPX0902", "RPX0904"))
def phantom_unknown(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device that sends requests in another requester id's name, which Xen does not know:
    Linux knows such devices by their ids, Xen does not. An error where a guest is to have the device, or the
    platform boots from it.
    Why it matters: the IOMMU has no entry for that id and stops the requests; the device seems dead.
    Example: a Marvell SATA controller, 1b4b:9172, which also uses the id of its function 1, and is a guest's.
    What to do: put `pci-phantom=` on Xen's command line, which `xen.pci_phantom` says is there; or, where the
    id is a real function's, give that to the same guest.
    Source: Xen xen/drivers/passthrough/pci.c, parse_phantom_dev and alloc_pdev; Linux drivers/pci/quirks.c,
    quirk_dma_func1_alias.
    """
    outcome = booted(facts)
    if not outcome.settings.iommu or not lives(facts):
        return
    core = xen_of(facts).core
    wished = {function: guest for guest, view in wishes(facts) for function in view.functions}
    for function in outcome.dom0.functions:
        record = core.records.find(function.segment, function.bus.number, function.devfn)
        if record is None or outcome.streams[function].unit is None:
            continue
        unknown = unknown_ids(core, record, function)
        if not unknown:
            continue
        guest = wished.get(function)
        whose = "" if guest is None else f", which guest {guest.name} is to have,"
        needed = guest is not None or function.page == outcome.settings.boot
        place = device_place(facts, function, "aliases")
        yield phantom_unknown.rule.finding(
            place if guest is None else wish_place(facts, guest, function),
            f"{called(facts, function)}{whose} also uses {_ids(function, unknown)}, which Xen does not know",
            level=Level.ERROR if needed else None,
            related=[] if guest is None else [(place, "it is described here")],
            notes=_notes(function),
            help=_help(facts, function, unknown),
            subject=facts.device_name(function),
        )


def _ids(function: Function, unknown: Sequence[int]) -> str:
    bus = function.bus.number << 8
    names = ", ".join(f"{bus | devfn:#06x}" for devfn in unknown[:MANY_IDS])
    more = f" and {len(unknown) - MANY_IDS} more" if len(unknown) > MANY_IDS else ""
    return f"the requester id{'s' if len(unknown) > 1 else ''} {names}{more}"


def _notes(function: Function) -> list[str]:
    known = [f"Linux knows it by its id {function.id}"] if "alias" in function.known_by_id else []
    return [*known, "the IOMMU stops its requests in that name"]


def _help(facts: Facts, function: Function, unknown: Sequence[int]) -> str:
    real = [other for devfn in unknown if (other := function.bus.at(devfn)) is not None]
    if real:
        return f"leave it with {called(facts, real[0])}, whose id that is: both to one guest, or both to Dom0"
    stride = phantom_stride(function)
    if stride:
        slot = f"{function.segment:04x}:{function.bus.number:02x}:{function.devfn >> 3:02x},{stride}"
        return f"put pci-phantom={slot} on Xen's command line, and '{slot}' into xen.pci_phantom"
    return "no option has Xen know these ids: use another device, or leave its host bridge without an IOMMU"


@check("RPX0909", Level.NOTE, needs="simulation", only="xen", requires=("RPX0901",))
def accesses_forwarded(facts: Facts) -> Iterator[Finding]:
    """What it finds: under the 2017 protocol, a guest's device on a host bridge whose configuration space is
    not ECAM, with how many of Xen's accesses Dom0 had to make for it. A note.
    Why it matters: each costs two world switches, and waits for Dom0.
    Example: a guest's device on a bridge with `config: {kind: windowed}`.
    What to do: nothing, or a small driver in Xen for this kind of bridge.
    Source: xen.md §7.2, the protocol discussed in 2017: accesses of bridges that are not ECAM are forwarded
    to Dom0; linux.md §1.13.
    """
    # One note a guest and bridge.
    discovery = xen_of(facts).discovery
    if discovery is None:
        return
    made = {(each.bridge.segment, each.bridge.root.start): each for each in discovery.registrations}
    for guest, view in wishes(facts):
        told: set[int] = set()
        for function in view.functions:
            root = root_of(facts, function)
            each = made.get((function.segment, root.first_bus))
            if each is None or each.kind.trapped or root.index in told:
                continue
            told.add(root.index)
            name = facts.name_of(root.path)
            bridge = facts.described_bridge(name)
            at = bridge_place(facts, root) if bridge is None else bridge.at("config.kind")
            yield accesses_forwarded.rule.finding(
                wish_place(facts, guest, function),
                f"{facts.device_name(function)}, which guest {guest.name} is to have, is on {name}, "
                "whose accesses Dom0 makes for Xen",
                related=[(at, f"its configuration space is {each.bridge.kind}")],
                notes=[f"{each.forwarded} accesses were forwarded, with {each.switches} world switches"],
                subject=facts.device_name(function),
            )
