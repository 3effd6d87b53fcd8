"""What was pasted of a machine beside its board's firmware or a snapshot: the firmware's bytes are simulated
with the functions that the texts tell of, and texts and simulation held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.configspace import config_space
from rootplex.capture.facts import Snapshot
from rootplex.capture.pasted.facts import Paste, Where
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.frontends.description.reading import description_of
from rootplex.frontends.devices import with_devices
from rootplex.frontends.document import Imported, Missing, imported
from rootplex.frontends.pasted.devices import Case, device_nodes
from rootplex.frontends.pasted.importing import missing_of
from rootplex.frontends.pasted.machine import PastedMachine, machine_of_pastes
from rootplex.jobs.describe import errors_in
from rootplex.jobs.joining import join_boards
from rootplex.jobs.kernel_log import log_findings
from rootplex.jobs.machine import machine_of
from rootplex.jobs.pasted.bounds import Bounds
from rootplex.jobs.pasted.contradictions import contradictions
from rootplex.jobs.pasted.kernels_groups import differences
from rootplex.jobs.pasted.simulation import PastedOutcome, Simulated, not_known, outcome_of
from rootplex.jobs.result import Machine
from rootplex.known.kernels import DEFAULT
from rootplex.model.platform import Arch, Platform
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.inputs import Artifacts, Blob, Settings
from rootplex.source.finding import Finding
from rootplex.source.place import Place
from rootplex.source.rules import KERNEL_SAW_OTHERWISE


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
    beside = _Beside(pastes, imports, facts)
    machine = beside.machine
    kernel = machine.kernel or DEFAULT
    contradicting = tuple(contradictions(pastes))
    outcome = beside.outcome(None)
    if outcome is None:
        settings = Settings(arch=_arch(facts), firmware=beside.firmware, hypervisor=None)
        empty = simulate(Artifacts(), settings, facts.dt, facts.acpi)
        log = tuple(log_findings(machine, empty.dom0.root_bridges, found))
        return JoinedPastes(
            findings=(*found, *contradicting, *log), machine=None, not_known=("devices",), kernel=kernel
        )
    worst = outcome.worst
    simulated = _in_both(worst, outcome.best, found)
    log = tuple(log_findings(machine, worst.outcome.dom0.root_bridges, simulated))
    placed = bool(worst.outcome.dom0.functions)
    made = machine_of(worst.platform, worst.facts, worst.outcome)
    return JoinedPastes(
        findings=(*simulated, *contradicting, *outcome.findings, *log),
        machine=replace(outcome.result, bridges=made.bridges) if placed else None,
        not_known=tuple(not_known(outcome)) if placed else ("devices",),
        kernel=kernel,
    )


def simulate_beside(
    pastes: Sequence[Paste], imports: Sequence[Imported], facts: Facts, kernel: str | None
) -> PastedOutcome | None:
    """The machine of a board's firmware with the functions that texts tell of; None where they tell of none
    that is below one of its host bridges. `kernel`: not the one of the log."""
    outcome = _Beside(pastes, imports, facts).outcome(kernel)
    return outcome if outcome is not None and outcome.worst.outcome.dom0.functions else None


def beside_snapshot(
    pastes: Sequence[Paste], snapshot: Snapshot, outcome: Outcome, found: Sequence[Finding]
) -> Iterator[Finding]:
    """What was pasted of the machine of a snapshot, held against what came of that; `found` is what it has
    shown."""
    machine = machine_of_pastes(pastes)
    known: dict[Where, tuple[str, Place]] = {}
    for each in snapshot.functions:
        where = each.sbdf.segment, each.sbdf.bus, each.sbdf.devfn
        known[where] = f"{each.vendor:04x}:{each.device:04x}", each.place
    yield from contradictions(pastes, known)
    told = {each.subject for each in found if each.code == KERNEL_SAW_OTHERWISE.code}
    for finding in differences(machine, Bounds(machine, outcome, outcome), outcome):
        if finding.subject not in told:
            yield finding
    yield from log_findings(machine, outcome.dom0.root_bridges, found)


def with_pasted_devices(base: Imported, pastes: Sequence[Paste]) -> Imported:
    """A board's description with the functions that texts tell of below its host bridges, where it has none
    there; their BARs where the bridge has windows."""
    machine = machine_of_pastes(pastes)
    described = description_of(base.document, base.file).platform
    if described is None:
        return base
    devices, lost = {}, []
    for root in machine.roots:
        index = _index(root, machine, base, described)
        if index is None or index in devices:
            what = "no host bridge" if index is None else "no host bridge of its own"
            why = f"the firmware has {what} for that root bus; its functions are left out"
            lost.append(Missing(f"devices of {root[0]:04x}:{root[1]:02x}", why, machine.place))
            continue
        bridge = described.host_bridges[index]
        nodes = device_nodes(machine, *root, "worst", bars=bool(bridge.windows))
        if nodes is not None and not bridge.devices:
            devices[index] = nodes
    if not devices and not lost:
        return base
    pasted = " and ".join(dict.fromkeys(paste.file.rpartition("/")[2] for paste in pastes))
    return imported(
        base.file,
        with_devices(base.document, devices),
        base.bridges,
        (*base.missing, *lost, *missing_of(machine)),
        f"{base.source}, with the functions that were pasted in {pasted}",
        base.external_facing,
    )


class _Beside:
    """A board's firmware and what was pasted of its machine."""

    def __init__(self, pastes: Sequence[Paste], imports: Sequence[Imported], facts: Facts) -> None:
        files = frozenset(each.file for each in imports)
        self.machine = replace(machine_of_pastes(pastes), firmware=files)
        self.firmware = _firmware(self.machine, facts)
        self._base = imports[0] if self.firmware == "dt" or len(imports) == 1 else imports[-1]
        self._facts = facts

    def outcome(self, kernel: str | None) -> PastedOutcome | None:
        """What came of it; None where the two do not make a machine."""
        worst, best = (
            _on_firmware(self.machine, self._base, self._facts, self.firmware, case, kernel)
            for case in get_args(Case)
        )
        return None if worst is None or best is None else outcome_of(self.machine, worst, best, ())


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
    kernel: str | None,
) -> Simulated | None:
    """The firmware's bytes simulated with the functions of the texts below its host bridges."""
    described = description_of(base.document, base.file).platform
    if described is None:
        return None
    devices = {}
    for root in machine.roots:
        index = _index(root, machine, base, described)
        nodes = None if index is None or index in devices else device_nodes(machine, *root, case)
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
        kernel=kernel or machine.kernel or DEFAULT,
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
