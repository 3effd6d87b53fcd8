"""A machine of which there is what was pasted: its groups as far as the texts tell them, beside those that
its kernel told.

Without firmware the description that was made of the texts is compiled, with what it assumes, and simulated.
A function whose capabilities are not shown may isolate or not: both are simulated, and its group is known
where they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.configspace import config_space
from rootplex.backends.refusal import CannotCompile
from rootplex.capture.pasted.facts import Paste
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.frontends.description.reading import description_of
from rootplex.frontends.devices import with_devices
from rootplex.frontends.document import Imported
from rootplex.frontends.pasted.devices import Case, device_nodes
from rootplex.frontends.pasted.importing import assumptions, import_pastes
from rootplex.frontends.pasted.machine import PastedMachine, machine_of_pastes
from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.check import examine
from rootplex.jobs.describe import Checked, errors_in
from rootplex.jobs.groups import groups_of
from rootplex.jobs.joining import join_boards
from rootplex.jobs.kernel_log import log_findings
from rootplex.jobs.machine import machine_of
from rootplex.jobs.pasted.bounds import Bounds
from rootplex.jobs.pasted.kernels_groups import differences, grouped_by_the_kernel_alone
from rootplex.jobs.result import BridgeResult, Groups, Machine, Numbers, Result, Together
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import Source
from rootplex.known.kernels import DEFAULT
from rootplex.model.platform import Arch, Platform
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.inputs import Artifacts, Blob, Settings
from rootplex.source.finding import Finding, Unreadable, in_order, unreadable
from rootplex.source.rules import GROUPS_DIFFER


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
    bounds = Bounds(machine, worst.outcome, best.outcome)
    return PastedOutcome(
        machine=machine,
        worst=worst,
        unknown=tuple(bounds.unknown()),
        assumed=assumed,
        findings=(
            *differences(machine, bounds, worst.outcome),
            *grouped_by_the_kernel_alone(machine, bounds, worst.outcome),
        ),
    )


def _as_told(bridge: BridgeResult) -> BridgeResult:
    return replace(bridge, ecam=None, windows=(), in_mcfg=False, numbers=Numbers(dom0=bridge.segment))
