"""The groups that the kernel told, held against those that were computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rootplex.capture.pasted.facts import PastedGroup, called
from rootplex.frontends.pasted.machine import PastedMachine
from rootplex.jobs.pasted.bounds import SHOWN, Bounds, listed, told_groups
from rootplex.report.causes import because
from rootplex.report.reasons import sentence
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.firmware.routing.routes import DeviceStreams
from rootplex.source.finding import Finding
from rootplex.source.place import Place
from rootplex.source.rules import GROUPS_DIFFER


def differences(machine: PastedMachine, bounds: Bounds, outcome: Outcome) -> Iterator[Finding]:
    """A finding for each set of functions that the kernel and the simulation part in another way."""
    told = {called(where): each for where, each in told_groups(machine).items()}
    both = {sbdf for sbdf in told if sbdf in bounds.most}
    numbered: dict[int, set[str]] = {}
    for sbdf in both:
        numbered.setdefault(told[sbdf].number, set()).add(sbdf)
    done: set[str] = set()
    for sbdf in sorted(both):
        if sbdf in done:
            continue
        kernels = frozenset(numbered[told[sbdf].number])
        least, most = bounds.least.get(sbdf, frozenset()) & both, bounds.most[sbdf] & both
        if least <= kernels <= most:
            continue
        ours = most if not kernels <= most else least
        done |= kernels | ours | _touched(ours | kernels, told, numbered)
        yield _difference(machine, sbdf, told, kernels, ours, outcome)


def _touched(
    names: Iterable[str], told: Mapping[str, PastedGroup], numbered: Mapping[int, set[str]]
) -> set[str]:
    """All that are in a group of the kernel's with one of these."""
    return {each for name in names if name in told for each in numbered[told[name].number]}


def grouped_by_the_kernel_alone(
    machine: PastedMachine, bounds: Bounds, outcome: Outcome
) -> Iterator[Finding]:
    """Functions that the kernel has in a group, and that no IOMMU of the firmware takes: a finding for each
    place of the firmware that says so."""
    told = {called(where): each for where, each in told_groups(machine).items()}
    by_place: dict[object, list[tuple[str, DeviceStreams]]] = {}
    for function, streams in outcome.streams.items():
        if function.sbdf in told and streams.cause is not None:
            grouped = function.sbdf in bounds.most or function.sbdf in bounds.least
            if not grouped:
                by_place.setdefault(streams.place, []).append((function.sbdf, streams))
    for alone in by_place.values():
        sbdf, streams = alone[0]
        others = f" and {len(alone) - 1} more are" if len(alone) > 1 else " is"
        yield GROUPS_DIFFER.finding(
            streams.place or told[sbdf].place,
            f"{sbdf}{others} in a group of the kernel's ({told[sbdf].number}); by the firmware no IOMMU "
            "translates it",
            related=((told[sbdf].place, "the kernel says so here"),),
            notes=(f"{sbdf}: {because(streams.cause)}",) if streams.cause else (),
            help="the texts and the firmware must be of one board and one boot",
            subject=sbdf,
        )


def _difference(
    machine: PastedMachine,
    sbdf: str,
    told: Mapping[str, PastedGroup],
    kernels: frozenset[str],
    ours: frozenset[str],
    outcome: Outcome,
) -> Finding:
    group = told[sbdf]
    message = f"{sbdf} is in the kernel's group {group.number}, {_with(sbdf, kernels)}"
    message += f"; computed it is {_with(sbdf, ours)}"
    concerned = kernels | ours
    reasons = [
        sentence(reason)
        for each in outcome.linux.groups
        for reason in each.reasons
        if concerned & {member.sbdf for member in each.members}
    ]
    notes = [*dict.fromkeys(reasons)][:SHOWN]
    causes = list(_causes(machine, concerned))
    related: list[tuple[Place, str]] = [
        (told[name].place, f"{name} is in group {told[name].number}")
        for name in sorted(ours - kernels)[:SHOWN]
    ]
    related += [
        (route.place, f"{function.sbdf} has its StreamID {route.id:#x} by this")
        for function, streams in outcome.streams.items()
        for route in streams.routes
        if function.sbdf in concerned and route.place is not None and route.id is not None
        if route.place.file in machine.firmware
    ][:SHOWN]
    return GROUPS_DIFFER.finding(
        group.place,
        message,
        notes=(*notes, *causes),
        related=tuple(related),
        subject=sbdf,
        help="trust the kernel's list for what it gives to VFIO today; rely on its isolation only where the "
        "reasons hold"
        if any("pcie_acs_override" in cause for cause in causes)
        else "give texts of one boot of one machine, all of them whole; what the kernel then still says "
        "otherwise counts",
    )


def _causes(machine: PastedMachine, concerned: frozenset[str]) -> Iterator[str]:
    """What is known to make a kernel part functions otherwise."""
    for word in machine.log.arguments:
        if word.startswith("pcie_acs_override="):
            yield f"the kernel was started with `{word}`, which takes ports to isolate that do not"
        elif "disable_acs_redir" in word or "config_acs" in word:
            yield f"the kernel was started with `{word}`, which switches ACS off"
    for each in machine.functions.values():
        if each.name in concerned and each.acs_off:
            yield f"the text shows ACS {', '.join(each.acs_off)} of {each.name} switched off"
    if machine.log.release is not None and machine.kernel is None:
        yield f"Linux {machine.log.release} has no profile here; the groups are those of another kernel"


def _with(sbdf: str, members: frozenset[str]) -> str:
    others = sorted(members - {sbdf})
    return f"with {listed(others)}" if others else "alone"
