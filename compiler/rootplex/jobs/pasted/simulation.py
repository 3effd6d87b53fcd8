"""A machine of which there is what was pasted: its groups as far as the texts tell them, beside those that
its kernel told.

Without firmware the description that was made of the texts is compiled, with what it assumes, and simulated.
A function whose capabilities are not shown may isolate or not: both are simulated, and its group is known
where they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.refusal import CannotCompile
from rootplex.capture.pasted.facts import Paste
from rootplex.checks.facts import Facts
from rootplex.frontends.description.reading import description_of
from rootplex.frontends.document import Imported
from rootplex.frontends.pasted.importing import assumptions, import_pastes
from rootplex.frontends.pasted.machine import PastedMachine, machine_of_pastes
from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.check import examine
from rootplex.jobs.describe import Checked, errors_in
from rootplex.jobs.groups import groups_of
from rootplex.jobs.kernel_log import log_findings
from rootplex.jobs.machine import machine_of
from rootplex.jobs.pasted.bounds import Bounds
from rootplex.jobs.pasted.contradictions import contradictions
from rootplex.jobs.pasted.kernels_groups import differences, grouped_by_the_kernel_alone
from rootplex.jobs.result import BridgeResult, Groups, Machine, Numbers, Result, Together
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import Source
from rootplex.model.platform import Platform
from rootplex.simulator.boots.outcome import Outcome
from rootplex.source.finding import Finding, Unreadable, in_order, unreadable
from rootplex.source.rules import GROUPS_DIFFER


class Simulated(Struct, frozen=True):
    """One simulation of the machine."""

    platform: Platform
    facts: Facts
    outcome: Outcome


class PastedOutcome(Struct, frozen=True, kw_only=True):
    """What came of pastes. `worst` is the simulation whose groups are shown, `best` the one where all that no
    text shows isolates; `unknown` are sets of functions
    whose groups the texts do not tell, each with why; `assumed` what was taken for granted."""

    machine: PastedMachine
    worst: Simulated
    best: Simulated
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
            differing=differing(self.findings),
        )


def differing(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What of the findings says that the kernel's own groups are others."""
    return tuple(each.message for each in findings if each.code == GROUPS_DIFFER.code)


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
    told = (*contradictions(pastes), *made.findings, *log_findings(machine, ()))
    return replace(made, findings=told)


def pastes_of(sources: Iterable[Source]) -> tuple[Paste, ...]:
    """What was pasted among the sources."""
    return tuple(source.paste for source in sources if source.paste is not None)


def pasted_result(file: str, pastes: Sequence[Paste], *, bare_metal: bool = False) -> Result:
    """The result for a machine of which there is only what was pasted."""
    outcome = simulate_pastes(pastes, RunOptions(bare_metal=bare_metal))
    name = file.rpartition("/")[2]
    if outcome is None:
        found = (*contradictions(pastes), *log_findings(machine_of_pastes(pastes), ()))
        return Result(
            file=file,
            platform=name,
            hypervisor=None,
            verdict=verdict_of(found),
            findings=in_order(found),
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
        not_known=("firmware", *_not_told(outcome), *not_known(outcome)),
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


def not_known(outcome: PastedOutcome) -> Iterator[str]:
    """What the texts leave open, in words."""
    count = len(outcome.unsure)
    if count:
        yield f"the groups of {count} function{'s' if count > 1 else ''}"


def outcome_of(
    machine: PastedMachine, worst: Simulated, best: Simulated, assumed: tuple[str, ...]
) -> PastedOutcome:
    """Both simulations held against each other, and against the groups that the kernel told."""
    bounds = Bounds(machine, worst.outcome, best.outcome)
    return PastedOutcome(
        machine=machine,
        worst=worst,
        best=best,
        unknown=tuple(bounds.unknown()),
        assumed=assumed,
        findings=(
            *differences(machine, bounds, worst.outcome),
            *grouped_by_the_kernel_alone(machine, bounds, worst.outcome),
        ),
    )


def _as_told(bridge: BridgeResult) -> BridgeResult:
    return replace(bridge, ecam=None, windows=(), in_mcfg=False, numbers=Numbers(dom0=bridge.segment))
