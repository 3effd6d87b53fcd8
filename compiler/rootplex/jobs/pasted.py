"""A machine of which there is what was pasted: its groups as far as the texts tell them, beside those that
its kernel told.

Without firmware the description that was made of the texts is compiled, with what it assumes, and simulated.
A function whose capabilities are not shown may isolate or not: both are simulated, and its group is known
where they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.configspace import config_space
from rootplex.backends.refusal import CannotCompile
from rootplex.capture.pasted.facts import Paste, PastedGroup, Where, called
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.frontends.description.reading import description_of
from rootplex.frontends.devices import with_devices
from rootplex.frontends.document import Imported
from rootplex.frontends.pasted import (
    WHY,
    Case,
    PastedMachine,
    assumptions,
    device_nodes,
    import_pastes,
    machine_of_pastes,
)
from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.check import examine
from rootplex.jobs.describe import Checked, errors_in
from rootplex.jobs.groups import groups_of
from rootplex.jobs.joining import join_boards
from rootplex.jobs.kernel_log import log_findings
from rootplex.jobs.machine import machine_of
from rootplex.jobs.result import BridgeResult, Groups, Machine, Named, Numbers, Result, Together
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import Source
from rootplex.known.kernels import DEFAULT
from rootplex.model.platform import Arch, Platform
from rootplex.report.reasons import sentence
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.firmware.routing.routes import DeviceStreams
from rootplex.simulator.groups.grouping import Group
from rootplex.simulator.inputs import Artifacts, Blob, Settings
from rootplex.source.finding import Finding, Unreadable, in_order, unreadable
from rootplex.source.place import Place
from rootplex.source.rules import GROUPS_DIFFER

_SHOWN = 6
_TRUSTED = {"log": 0, "records": 1, "verbose": 1, "groups": 2}


class Simulated(Struct, frozen=True):
    """One simulation of the machine."""

    platform: Platform
    facts: Facts
    outcome: Outcome


class PastedOutcome(Struct, frozen=True, kw_only=True):
    """What came of pastes. `worst` is the simulation whose groups are shown; `unknown` are sets of functions
    whose groups the texts do not tell, each with why; `assumed` what was taken for granted."""

    machine: PastedMachine
    worst: Simulated
    unknown: tuple[Together, ...]
    assumed: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def unsure(self) -> frozenset[str]:
        """The functions whose groups are not known."""
        return frozenset(each.sbdf for one in self.unknown for each in one.members)

    @property
    def result(self) -> Machine:
        """The machine, without what is assumed or not known."""
        made = machine_of(self.worst.platform, self.worst.facts, self.worst.outcome)
        open_ = self.unsure
        vague = {each.name for each in self.machine.functions.values() if not each.isolation_known}
        return replace(
            made,
            bridges=tuple(map(_as_told, made.bridges)),
            devices=tuple(
                replace(
                    each,
                    stream=None,
                    msi=None,
                    intx=None,
                    bars=(),
                    acs=None if each.sbdf in vague else each.acs,
                    group=None if each.sbdf in open_ else each.group,
                )
                for each in made.devices
            ),
            groups=tuple(each for each in made.groups if not open_ & set(each.members)),
            safe=tuple(each for each in made.safe if not open_ & set(each)),
            xen=made.xen if self.worst.outcome.xen is not None else None,
        )

    @property
    def groups(self) -> Groups:
        """The groups that are known, what is not, and where the kernel's own list differs."""
        made = groups_of(self.worst.facts, self.worst.outcome)
        open_ = self.unsure

        def known(groups: Iterable[Together]) -> tuple[Together, ...]:
            return tuple(
                replace(each, why=tuple(certain(each.why)))
                for each in groups
                if not open_ & {one.sbdf for one in each.members}
            )

        vague = [each.name for each in self.machine.functions.values() if not each.isolation_known]

        def names_one(text: str) -> bool:
            return any(name in text for name in vague)

        def certain(why: Iterable[str]) -> Iterator[str]:
            """Without what only the worst case says of functions that are not known."""
            left = [text for text in why if not names_one(text)]
            yield from left
            if not left:
                yield "so it is whatever the functions are whose capabilities are not shown"

        return replace(
            made,
            linux=known(made.linux),
            without=tuple(each for each in made.without if each.members[0].sbdf not in open_),
            hazards=tuple(each for each in made.hazards if not names_one(each)),
            safe=known(made.safe),
            xen=None if made.xen is None else known(made.xen),
            assumed=self.assumed,
            unknown=self.unknown,
            differing=tuple(each.message for each in self.findings if each.code == GROUPS_DIFFER.code),
        )


def import_pasted(pastes: Sequence[Paste]) -> Imported:
    """The description of a machine by what was pasted of it alone; Unreadable where no text tells of a
    function."""
    machine = machine_of_pastes(pastes)
    if not machine.roots:
        raise unreadable(
            machine.place,
            "the text tells of no function on a bus that is known to be a root bus",
            help="give `lspci -nnvvv` (as root), `lspci -xxxx` or the kernel's log, too",
        )
    return import_pastes(machine)


def simulate_pastes(pastes: Sequence[Paste], options: RunOptions) -> PastedOutcome | None:
    """The machine of pastes alone; None where they tell of no function that can be placed."""
    machine = machine_of_pastes(pastes)
    if not machine.roots:
        return None
    options = replace(options, bare_metal=options.bare_metal or not machine.log.xen)
    worst = _examined(import_pastes(machine), options)
    if worst is None:
        return None
    best = worst
    if any(not each.isolation_known for each in machine.functions.values()):
        best = _examined(import_pastes(machine, "best"), options) or worst
    made = outcome_of(machine, worst, best, tuple(assumptions(machine)))
    return replace(made, findings=(*made.findings, *log_findings(machine, ())))


def pastes_of(sources: Iterable[Source]) -> tuple[Paste, ...]:
    """What was pasted among the sources."""
    return tuple(source.paste for source in sources if source.paste is not None)


def pasted_result(file: str, pastes: Sequence[Paste], *, bare_metal: bool = False) -> Result:
    """The result for a machine of which there is only what was pasted."""
    outcome = simulate_pastes(pastes, RunOptions(bare_metal=bare_metal))
    machine_of_pastes(pastes)
    name = file.rpartition("/")[2]
    if outcome is None:
        return Result(
            file=file,
            platform=name,
            hypervisor=None,
            verdict="consistent",
            findings=(),
            not_known=("firmware", "host bridges", "devices"),
        )
    settings = outcome.worst.outcome.settings
    return Result(
        file=file,
        platform=name,
        dom0=settings.kernel,
        hypervisor=settings.hypervisor,
        verdict=verdict_of(outcome.findings),
        findings=in_order(outcome.findings),
        not_known=("firmware", *_not_told(outcome), *_not_known(outcome)),
        machine=outcome.result,
        simulated=True,
        unsure=len(outcome.unsure),
    )


def _not_told(outcome: PastedOutcome) -> Iterator[str]:
    assumed = next(iter(outcome.assumed), None)
    if outcome.machine.log.iommu is None and assumed is not None:
        yield f"the IOMMU (assumed is {assumed})"


def _examined(made: Imported, options: RunOptions) -> Simulated | None:
    description = description_of(made.document, made.file)
    if description.platform is None or errors_in(description.findings):
        return None
    checked = Checked(description.platform, description.names, (), description.node)
    try:
        examination = examine(checked, options)
    except (CannotCompile, Unreadable):
        return None
    if examination.outcome is None:
        return None
    return Simulated(examination.platform, examination.facts, examination.outcome)


class JoinedPastes(Struct, frozen=True, kw_only=True):
    """A board's findings with those of what was pasted of it, and its machine where there are functions."""

    findings: tuple[Finding, ...]
    machine: Machine | None
    not_known: tuple[str, ...]
    kernel: str


def join_pastes(
    pastes: Sequence[Paste], imports: Sequence[Imported], facts: Facts, found: tuple[Finding, ...]
) -> JoinedPastes:
    """The board's firmware with the functions that texts tell of, simulated as its bytes are; `found` is what
    the bytes have shown. The texts' groups and the log are held against what comes of it."""
    files = frozenset(each.file for each in imports)
    machine = replace(machine_of_pastes(pastes), firmware=files)
    firmware = _firmware(machine, facts)
    base = imports[0] if firmware == "dt" or len(imports) == 1 else imports[-1]
    runs = [_on_firmware(machine, base, facts, firmware, case) for case in ("worst", "best")]
    worst, best = runs
    if worst is None or best is None:
        settings = Settings(arch=_arch(facts), firmware=firmware, hypervisor=None)
        empty = simulate(Artifacts(), settings, facts.dt, facts.acpi)
        log = tuple(log_findings(machine, empty.dom0.root_bridges))
        return JoinedPastes(
            findings=(*found, *log), machine=None, not_known=("devices",), kernel=machine.kernel or DEFAULT
        )
    outcome = outcome_of(machine, worst, best, ())
    simulated = _in_both(worst, best, found)
    log = tuple(log_findings(machine, worst.outcome.dom0.root_bridges))
    placed = bool(worst.outcome.dom0.functions)
    made = machine_of(worst.platform, worst.facts, worst.outcome)
    told = outcome.result
    return JoinedPastes(
        findings=(*simulated, *outcome.findings, *log),
        machine=replace(told, bridges=made.bridges) if placed else None,
        not_known=tuple(_not_known(outcome)) if placed else ("devices",),
        kernel=machine.kernel or DEFAULT,
    )


def _not_known(outcome: PastedOutcome) -> Iterator[str]:
    count = len(outcome.unsure)
    if count:
        yield f"the groups of {count} function{'s' if count > 1 else ''}"


def _firmware(machine: PastedMachine, facts: Facts) -> Literal["dt", "acpi"]:
    """By which the kernel booted, where the log tells and it is there."""
    told = machine.log.firmware
    if told == "dt" and facts.dt is not None:
        return "dt"
    if told == "acpi" and facts.acpi is not None:
        return "acpi"
    return "dt" if facts.dt is not None else "acpi"


def _arch(facts: Facts) -> Arch:
    return next((arch for arch in get_args(Arch) if arch == facts.arch), "arm64")


def _on_firmware(
    machine: PastedMachine,
    base: Imported,
    facts: Facts,
    firmware: Literal["dt", "acpi"],
    case: Case,
) -> Simulated | None:
    """The firmware's bytes simulated with the functions of the texts below its host bridges."""
    described = description_of(base.document, base.file).platform
    if described is None:
        return None
    devices = {}
    for root in machine.roots:
        index = _index(root, machine, base, described)
        nodes = None if index is None else device_nodes(machine, *root, case)
        if index is not None and nodes is not None:
            devices[index] = nodes
    description = description_of(with_devices(base.document, devices), base.file)
    platform = description.platform
    if platform is None or errors_in(description.findings):
        return None
    hardware = config_space(platform)
    settings = Settings(
        arch=platform.arch,
        firmware=firmware,
        kernel=machine.kernel or DEFAULT,
        iommu=bool(platform.iommus),
        memory=tuple((each.base, each.size) for each in platform.memory),
        hypervisor=facts.hypervisor,
        bootargs=" ".join(machine.log.arguments) or None,
    )
    artifacts = Artifacts(
        config=Blob(base.file, hardware.config.data), pages=Blob(base.file, hardware.pages.data)
    )
    outcome = simulate(artifacts, settings, facts.dt, facts.acpi)
    names = dict(zip(base.bridges, (each.name for each in platform.host_bridges), strict=True))
    named = replace(
        facts, outcome=outcome, settings=settings, bridges=join_boards(facts.dt, facts.acpi, names)
    )
    return Simulated(platform, named, outcome)


def _index(root: tuple[int, int], machine: PastedMachine, base: Imported, described: Platform) -> int | None:
    """Which host bridge of the firmware a root bus is: the log's node, else by segment and buses; the only
    one where there is one alone."""
    for told in machine.told_roots:
        if (told.segment, told.bus) == root and told.node in base.bridges:
            return base.bridges.index(told.node)
    bridges = [(i, each) for i, each in enumerate(described.host_bridges) if each.enabled]
    for i, each in bridges:
        if each.segment == root[0] and root[1] in each.bus_range:
            return i
    if len(bridges) == 1 and len(machine.roots) == 1:
        return bridges[0][0]
    unnumbered = [i for i, each in bridges if each.segment is None and root[1] in each.bus_range]
    return unnumbered[0] if len(unnumbered) == 1 else None


def _in_both(worst: Simulated, best: Simulated, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What simulation shows whatever the functions are whose capabilities no text shows."""
    shown = run_checks(worst.facts, "simulation", found)
    if best is worst:
        return shown
    also = {(each.code, each.message) for each in run_checks(best.facts, "simulation", found)}
    return tuple(each for each in shown if (each.code, each.message) in also)


def outcome_of(
    machine: PastedMachine, worst: Simulated, best: Simulated, assumed: tuple[str, ...]
) -> PastedOutcome:
    """Both simulations held against each other, and against the groups that the kernel told."""
    bounds = _Bounds(machine, worst.outcome, best.outcome)
    return PastedOutcome(
        machine=machine,
        worst=worst,
        unknown=tuple(bounds.unknown()),
        assumed=assumed,
        findings=(
            *_differences(machine, bounds, worst.outcome),
            *_grouped_by_the_kernel_alone(machine, bounds, worst.outcome),
        ),
    )


def _as_told(bridge: BridgeResult) -> BridgeResult:
    return replace(bridge, ecam=None, windows=(), in_mcfg=False, numbers=Numbers(dom0=bridge.segment))


def _sets(groups: Iterable[Group]) -> dict[str, frozenset[str]]:
    found = {}
    for group in groups:
        members = frozenset(each.sbdf for each in group.members)
        found.update(dict.fromkeys(members, members))
    return found


class _Bounds:
    """The groups at least and at most: where everything that is not shown isolates, and where nothing"
    " does."""

    def __init__(self, machine: PastedMachine, worst: Outcome, best: Outcome) -> None:
        self._machine = machine
        self.most = _sets(worst.linux.groups)
        self.least = _sets(best.linux.groups)
        self._open = self._opened()
        self._told = {called(where): each for where, each in told_groups(machine).items()}
        self._found = {each.sbdf for each in worst.dom0.functions}

    def known(self, sbdf: str) -> bool:
        """Whether a function's group is certain."""
        group = self.most.get(sbdf, frozenset({sbdf}))
        return self.most.get(sbdf) == self.least.get(sbdf) and not group & self._open.keys()

    def _opened(self) -> dict[str, str]:
        """Functions whose group may have members that are not described, with why."""
        machine = self._machine
        why = "no text tells which buses are below it"
        found = {called(where): why for where in machine.open_bridges}
        for where in machine.unplaced:
            above = machine.bridges.get(where[:2])
            for each in machine.on(*where[:2]):
                same = each.where[2] >> 3 == where[2] >> 3
                if same or (above is not None and called(above) in self.most.get(each.name, ())):
                    found[each.name] = f"{called(where)} beside it is not described"
            if above is not None and not machine.on(*where[:2]):
                found[called(above)] = f"{called(where)} below it is not described"
        return found

    def unknown(self) -> Iterator[Together]:
        """The functions whose groups are not known: those that may be together in one, then each that is in
        no simulation."""
        told: set[str] = set()
        for where in self._machine.functions:
            sbdf = called(where)
            if sbdf in told or where in self._machine.unplaced:
                continue
            if sbdf not in self._found:
                yield Together(
                    members=(Named(sbdf=sbdf, name=None),),
                    why=(f"{sbdf}: the simulated scan does not reach it",),
                )
                continue
            if self.known(sbdf):
                continue
            cluster = sorted(self.most.get(sbdf) or {sbdf})
            told |= set(cluster)
            members = tuple(Named(sbdf=each, name=None) for each in cluster)
            yield Together(members=members, why=tuple(self._why(cluster)))
        out: dict[str, list[str]] = {}
        for where, why in self._machine.unplaced.items():
            out.setdefault(why, []).append(called(where))
        for why, names in out.items():
            members = tuple(Named(sbdf=each, name=None) for each in names)
            yield Together(members=members, why=(f"{_listed(names)}: {why}", *self._kernels(names)))

    def _why(self, cluster: Sequence[str]) -> Iterator[str]:
        by_name = {each.name: each for each in self._machine.functions.values()}
        reasons: dict[str, list[str]] = {}
        for sbdf in cluster:
            each = by_name.get(sbdf)
            if sbdf in self._open:
                reasons.setdefault(self._open[sbdf], []).append(sbdf)
            if each is not None and not each.isolation_known:
                reasons.setdefault(WHY[each.shown], []).append(sbdf)
        for why, names in reasons.items():
            yield f"{_listed(names)}: {why}"
        yield from self._kernels(cluster)

    def _kernels(self, names: Sequence[str]) -> Iterator[str]:
        """The groups that the kernel gives them."""
        for number, members in _by_number(self._told, names).items():
            yield f"the kernel's group {number}: {', '.join(members)}"


# -- the kernel's own groups -----------------------------------------------------------------------------


def told_groups(machine: PastedMachine) -> dict[Where, PastedGroup]:
    """The group that each function has by the texts: by a list, else by lspci, else by the log."""
    found: dict[Where, PastedGroup] = {}
    for each in sorted(machine.groups, key=lambda one: _TRUSTED.get(one.form, 0)):
        found[each.where] = each
    return found


def _differences(machine: PastedMachine, bounds: _Bounds, outcome: Outcome) -> Iterator[Finding]:
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


def _by_number(told: Mapping[str, PastedGroup], names: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in names:
        if name in told:
            found.setdefault(told[name].number, []).append(name)
    return dict(sorted(found.items()))


def _touched(
    names: Iterable[str], told: Mapping[str, PastedGroup], numbered: Mapping[int, set[str]]
) -> set[str]:
    """All that are in a group of the kernel's with one of these."""
    return {each for name in names if name in told for each in numbered[told[name].number]}


def _grouped_by_the_kernel_alone(
    machine: PastedMachine, bounds: _Bounds, outcome: Outcome
) -> Iterator[Finding]:
    """Functions that the kernel has in a group, and that no IOMMU of the firmware takes: a finding for each
    place of the firmware that says so."""
    told = {called(where): each for where, each in told_groups(machine).items()}
    by_place: dict[object, list[tuple[str, DeviceStreams]]] = {}
    for function, streams in outcome.streams.items():
        if function.sbdf in told and streams.reason is not None:
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
            notes=(f"{sbdf}: {streams.reason}",) if streams.reason else (),
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
    notes = [*dict.fromkeys(reasons)][:_SHOWN]
    causes = list(_causes(machine, concerned))
    related: list[tuple[Place, str]] = [
        (told[name].place, f"{name} is in group {told[name].number}")
        for name in sorted(ours - kernels)[:_SHOWN]
    ]
    related += [
        (route.place, f"{function.sbdf} has its StreamID {route.id:#x} by this")
        for function, streams in outcome.streams.items()
        for route in streams.routes
        if function.sbdf in concerned and route.place is not None and route.id is not None
        if route.place.file in machine.firmware
    ][:_SHOWN]
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
    return f"with {_listed(others)}" if others else "alone"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
