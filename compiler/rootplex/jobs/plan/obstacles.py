"""Why a guest may not have what it wishes. Facts only; `report` makes the sentences.

Stricter than `check` in two points: what the author expects or suppresses is still in the way, and so is an
error of anything that a guest's device is on: its ports, its host bridge, the whole board.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from rootplex.checks.absence import absence
from rootplex.checks.facts import Facts
from rootplex.checks.passthrough.assignment import MEANINGS, is_host_bridge
from rootplex.checks.passthrough.groups import CONSOLE_CLASSES
from rootplex.checks.passthrough.reserved_memory import is_relaxed
from rootplex.checks.phantoms import ids_beside, phantom_stride
from rootplex.checks.simulated import booted, lives, root_of
from rootplex.formats.errno import name_of
from rootplex.formats.pci import devfn_text
from rootplex.jobs.groups import named
from rootplex.jobs.plan.result import Obstacle, ObstacleKind, Other
from rootplex.known.xen import version
from rootplex.model.platform import Guest
from rootplex.report import causes
from rootplex.report.reasons import sentence, type_name
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group
from rootplex.simulator.groups.guests import GuestView, Neighbour
from rootplex.simulator.groups.reason import Reason
from rootplex.source.finding import Finding, Level

PAGES: dict[ObstacleKind, str] = {
    "unseen": "RPX0501",
    "bridge": "RPX0502",
    "no-group": "RPX0503",
    "group": "RPX0504",
    "needed": "RPX0505",
    "unsafe": "RPX0507",
    "line": "RPX0509",
    "no-messages": "RPX0510",
    "refused": "RPX0514",
    "alias": "RPX0915",
    "reserved": "RPX0517",
}
"""The finding whose page says more."""

UNREAD = ("RIMT",)
"""Tables of IOMMUs that are the firmware's alone."""


def obstacles_of(
    facts: Facts,
    view: GuestView,
    wished: Guest | None,
    findings: Sequence[Finding],
    reserved: Collection[Function],
) -> tuple[Obstacle, ...]:
    """Everything against one guest's wish. `wished` is its entry in the description, `findings` what
    `check` says of the board, `reserved` the functions that firmware keeps memory mapped for."""
    found = [*_machine(facts)]
    if not found:
        found = [
            *_unseen(facts, view, wished),
            *(each for function in view.functions for each in _alone(facts, view, function, reserved)),
            *_groups(facts, view),
            *_interrupts(facts, view),
        ]
        blamed = {each.function.sbdf for each in found if each.function is not None}
        found += [each for each in _refused_by_xen(facts, view) if _sbdf(each) not in blamed]
    told = {each.code for each in found if each.code is not None}
    if any(phantom_stride(function) for function in view.functions):
        told.add(PAGES["alias"])  # the plan itself has the option
    return (*found, *_errors(facts, view, wished, findings, told))


def _obstacle(kind: ObstacleKind, facts: Facts, function: Function, *why: str) -> Obstacle:
    return Obstacle(kind=kind, function=named(function, facts), why=why, code=PAGES.get(kind))


def _sbdf(obstacle: Obstacle) -> str | None:
    return None if obstacle.function is None else obstacle.function.sbdf


def _machine(facts: Facts) -> Iterator[Obstacle]:
    """What keeps every device from every guest."""
    outcome = booted(facts)
    settings = outcome.settings
    reason = None
    if not lives(facts):
        died = outcome.dom0.died
        reason = causes.death(died) if died is not None else "Xen goes down"
    elif settings.hypervisor is None and settings.arch == "arm":
        reason = "Linux has no KVM on 32-bit Arm (since 5.7)"
    elif settings.hypervisor == "xen" and settings.arch in ("arm", "riscv64"):
        reason = f"Xen gives no PCI devices to guests on {settings.arch}"
    elif settings.hypervisor == "xen" and settings.arch == "arm64" and not version(settings.xen).arm_pci:
        reason = f"{settings.xen} is built without PCI on Arm (CONFIG_PCI_PASSTHROUGH)"
    if reason is not None:
        yield Obstacle(kind="machine", why=(reason,))


def _unseen(facts: Facts, view: GuestView, wished: Guest | None) -> Iterator[Obstacle]:
    seen = {facts.device_name(function) for function in view.functions}
    for name in () if wished is None else wished.devices:
        if name not in seen:
            yield Obstacle(
                kind="unseen",
                text=name,
                why=(absence(facts, name).reason,),
                code=PAGES["unseen"],
            )


def _alone(
    facts: Facts, view: GuestView, function: Function, reserved: Collection[Function]
) -> Iterator[Obstacle]:
    """What is against one function, whatever is beside it."""
    outcome = booted(facts)
    if function.is_bridge or is_host_bridge(function):
        kind = "a host bridge's function" if is_host_bridge(function) else type_name(function)
        yield _obstacle("bridge", facts, function, kind)
        return
    need = needed_for(facts, function, None)
    if need is not None:
        yield _obstacle("needed", facts, function, need)
    unread = _unread_iommu(facts)
    if function in view.ungrouped and unread is not None:
        yield _obstacle("unknown", facts, function, unread)
    elif function in view.ungrouped:
        reasons = (sentence(each) for each in outcome.linux.ungrouped if each.function is function)
        yield _obstacle("no-group", facts, function, *reasons)
    if outcome.settings.hypervisor == "xen":
        if function.segment > 0xFFFF:
            yield _obstacle("segment", facts, function)
        if phantom_stride(function) == 0:
            ids = ", ".join(devfn_text(each) for each in ids_beside(function))
            yield _obstacle("alias", facts, function, f"it also uses {ids} of bus {function.bus.number:02x}")
        return
    if not _has_own_messages(facts, function):
        yield _obstacle("messages", facts, function)
    if function in reserved and not is_relaxed(facts, function):
        yield _obstacle("reserved", facts, function)


def needed_for(facts: Facts, function: Function, owner: str | None) -> str | None:
    """What the host needs a function for, in words; None: for nothing. A controller that could be a console
    counts only where it stays in the host as one of a group."""
    outcome = booted(facts)
    if function.page == outcome.settings.boot:
        return "the boot device"
    wished = {page for guest in outcome.settings.guests for page in guest.pages}
    kind = CONSOLE_CLASSES.get(function.class_code >> 8)
    if kind is not None and owner is None and function.page not in wished:
        return f"a console of {facts.host}'s ({kind})"
    return None


def _has_own_messages(facts: Facts, function: Function) -> bool:
    """Whether a guest's messages are told from others' (Linux drivers/iommu/iommu.c,
    iommu_group_has_isolated_msi): by an ITS, or by interrupt remapping on x86."""
    outcome = booted(facts)
    if outcome.settings.arch == "x86_64":
        dmar = facts.tables.dmar
        return dmar is None or bool(dmar.flags & 1)
    route = outcome.messages.get(function)
    return route is not None and route.controller is not None and route.controller.kind == "its"


def _unread_iommu(facts: Facts) -> str | None:
    """What translates here and is not read, in words."""
    tables = () if facts.acpi is None else facts.acpi.tables
    unread = next((table.signature for table in tables if table.signature in UNREAD), None)
    return None if unread is None else f"the table {unread} is not read"


def _groups(facts: Facts, view: GuestView) -> Iterator[Obstacle]:
    """Who else is in the groups, Linux's first; then who is in the safe ones alone."""
    linux = [each for each in view.neighbours if each.harmless is None]
    yield from _beside(facts, view, "group", linux)
    known = {each.function for each in linux}
    if booted(facts).settings.iommu:
        safe = [each for each in view.safe_neighbours if each.harmless is None and each.function not in known]
        yield from _beside(facts, view, "unsafe", safe)


def _beside(
    facts: Facts, view: GuestView, kind: ObstacleKind, neighbours: Sequence[Neighbour]
) -> Iterator[Obstacle]:
    for group in {each.group.id: each.group for each in neighbours}.values():
        mine = (each for each in view.functions if each in group.members and not each.is_bridge)
        own = next(mine, None)
        if own is None:  # what cannot be given at all
            continue
        others = tuple(_other(facts, each) for each in neighbours if each.group is group)
        yield Obstacle(
            kind=kind,
            function=named(own, facts),
            others=others,
            why=chain_of(group, own),
            code=PAGES["needed" if any(each.needed for each in others) else kind],
        )


def _other(facts: Facts, neighbour: Neighbour) -> Other:
    return Other(
        function=named(neighbour.function, facts),
        owner=neighbour.owner,
        needed=needed_for(facts, neighbour.function, neighbour.owner),
    )


def chain_of(group: Group, function: Function) -> tuple[str, ...]:
    """The reasons of a group, those of the hops above a function first."""
    above: list[Function] = [function]
    while (parent := above[-1].parent) is not None:
        above.append(parent)

    def rank(reason: Reason) -> int:
        return above.index(reason.function) if reason.function in above else len(above)

    return tuple(dict.fromkeys(sentence(each) for each in sorted(group.reasons, key=rank)))


def _interrupts(facts: Facts, view: GuestView) -> Iterator[Obstacle]:
    """Lines that block others, and functions without any interrupt."""
    lines = {shared.function: shared for shared in view.shared_lines}
    for each in view.without_messages:
        function = each.function
        shared = lines.get(function)
        if not (function.pin or each.has_capability):
            continue
        if shared is not None:
            others = tuple(Other(function=named(f, facts), owner=owner) for f, owner in shared.others)
            yield Obstacle(kind="line", function=named(function, facts), others=others, code=PAGES["line"])
        elif not each.intx:
            cause = None if each.route is None else each.route.cause
            why = [] if cause is None else [causes.because(cause)]
            if not each.has_capability:
                why = ["it has neither MSI nor MSI-X"]
            yield _obstacle("no-messages", facts, function, *why)


def _refused_by_xen(facts: Facts, view: GuestView) -> Iterator[Obstacle]:
    """Xen's answers to the toolstack."""
    xen = booted(facts).xen
    if xen is None:
        return
    domains = {number for number, domain in xen.core.domains.items() if domain.name == view.name}
    for function in view.functions:
        sbdf = function.segment << 16 | function.rid
        for call in xen.calls:
            args = call.args
            if call.op != "assign_device" or args.get("machine_sbdf") != sbdf:
                continue
            if args.get("domain") in domains and call.result:
                meaning = MEANINGS.get(call.result)
                why = name_of(call.result) if meaning is None else f"{meaning} ({name_of(call.result)})"
                yield _obstacle("refused", facts, function, why)


def _errors(
    facts: Facts, view: GuestView, wished: Guest | None, findings: Iterable[Finding], told: set[str]
) -> Iterator[Obstacle]:
    """Errors that bear on the guest, on its devices and what they are on, or on all of the board."""
    for finding in findings:
        if bears_on(facts, view, wished, finding) and finding.code not in told:
            yield Obstacle(
                kind="finding",
                why=finding.notes,
                code=finding.code,
                text=finding.message,
                help=finding.help,
            )


def bears_on(facts: Facts, view: GuestView, wished: Guest | None, finding: Finding) -> bool:
    """Whether an error stands between a guest and its devices."""
    if finding.level is not Level.ERROR:
        return False
    mine = {view.name, *(() if wished is None else wished.devices)}
    for function in view.functions:
        mine.add(facts.name_of(root_of(facts, function).path))
        at: Function | None = function
        while at is not None:
            mine |= {at.sbdf, facts.device_name(at)}
            at = at.parent
    return not finding.bears_on or bool(finding.bears_on & mine)
