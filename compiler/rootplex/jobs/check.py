"""`check`: compile in memory, read the bytes back, simulate, and say what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.backends.refusal import CannotCompile
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.jobs.acceptance import accept, verdict_of
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.readback import artifacts_of, join_named, read_acpi, read_dt
from rootplex.jobs.settings import Wishes, devices_of, names_of, settings_of
from rootplex.model.platform import Platform
from rootplex.report.result import Json, Result
from rootplex.simulator.firmware import AcpiFirmware, DtFirmware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.profiles import profile
from rootplex.source.finding import Finding, Unreadable
from rootplex.source.place import FilePlace, Place
from rootplex.source.record import dataclass, replace
from rootplex.tools.beside import beside

if TYPE_CHECKING:
    from rootplex.simulator.outcome import Outcome

# Modules of the simulator and of the report are loaded while the AML interpreter runs beside us.


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything about one description: what was made, read back, simulated and found."""

    platform: Platform
    compiled: Compiled
    settings: Settings
    facts: Facts
    outcome: Outcome | None
    findings: tuple[Finding, ...]


def check_text(data: bytes, file: str, wishes: Wishes) -> Result:
    """The whole check of one description's text; never raises for what a user wrote."""
    try:
        checked = read_checked(data, file)
    except Unreadable as error:
        return _without_outcome(file, None, error.findings, unreadable=True)
    if checked.platform is None or checked.has_errors:
        return _without_outcome(file, checked.platform, checked.findings)
    try:
        examination = examine(checked, wishes)
    except CannotCompile as refusal:
        found = accept(checked.platform, (*checked.findings, *refusal.findings))
        return _without_outcome(file, checked.platform, found)
    except Unreadable as error:
        found = (*checked.findings, *error.findings)
        return _without_outcome(file, checked.platform, found, unreadable=True)
    return result_of(examination, file)


def examine(
    checked: Checked, wishes: Wishes, alter: Callable[[Compiled], Compiled] | None = None
) -> Examination:
    """Compile, read back, simulate. `alter` puts other bytes in place of the compiled ones, to see
    what a fault in them does. CannotCompile where a backend refuses."""
    platform = checked.platform
    assert platform is not None
    compiled = compile_platform(platform, simulated_only=True)
    if alter is not None:
        compiled = alter(compiled)
    settings = settings_of(platform, compiled, wishes)
    platform = replace(platform, expect=platform.expect.of_boot(settings.firmware, settings.kernel))
    checked = replace(checked, platform=platform)
    artifacts = artifacts_of(compiled)
    # The AML interpreter is a process of its own: Dom0 boots by device tree meanwhile.
    with beside(lambda: read_acpi(artifacts, _paths(compiled))) as reading:
        from rootplex.simulator.run import simulate

        dt = read_dt(artifacts, profile(settings.kernel).map_cells)
        outcome = None
        if settings.firmware == "dt" and dt is not None:
            outcome = simulate(artifacts, settings, dt, None, trace=wishes.trace)
        acpi = reading.result()
    if settings.firmware == "acpi" and acpi is not None:
        outcome = simulate(artifacts, settings, dt, acpi, trace=wishes.trace)
    facts = facts_of(checked, compiled, dt, acpi)
    found = checked.findings
    found += run_checks(facts, "artifacts", found)
    if outcome is not None:
        facts = replace(facts, outcome=outcome)
        found += run_checks(facts, "simulation", found)
    return Examination(
        platform=platform,
        compiled=compiled,
        settings=settings,
        facts=facts,
        outcome=outcome,
        findings=accept(platform, found),
    )


def _paths(compiled: Compiled) -> list[str]:
    """The AML paths of the host bridges: told to the interpreter, so that one run does."""
    return [each.path for each in compiled.bridges if each.path is not None]


def facts_of(checked: Checked, compiled: Compiled, dt: DtFirmware | None, acpi: AcpiFirmware | None) -> Facts:
    """The compiled bytes read back, joined by the names that the compiler gave."""
    platform = checked.platform
    assert platform is not None

    def source(place: Place) -> Place:
        return compiled.places.source(place) or FilePlace(platform.file)

    return Facts(
        described=platform,
        names=checked.names,
        pages=names_of(platform, compiled),
        devices=devices_of(platform, compiled),
        arch=platform.arch,
        dt=dt,
        acpi=acpi,
        bridges=join_named(compiled.bridges, dt, acpi),
        source=source,
    )


def result_of(examination: Examination, file: str) -> Result:
    """The examination as a result to report."""
    from rootplex.jobs.details import details_of
    from rootplex.jobs.summary import summary_of

    platform, outcome = examination.platform, examination.outcome
    details: Json = {}
    summary: tuple[str, ...] = ()
    if outcome is not None:
        details = details_of(platform, examination.facts, outcome, examination.facts.pages)
        summary = summary_of(details, examination.facts, outcome)
    return Result(
        file=file,
        platform=platform.name,
        dom0=examination.settings.kernel,
        firmware=examination.settings.firmware,
        verdict=verdict_of(examination.findings, known=outcome is not None),
        findings=examination.findings,
        details={**EMPTY, **details},
        summary=summary,
        trace=() if outcome is None else outcome.trace,
    )


EMPTY: dict[str, object] = {
    "bridges": [],
    "devices": [],
    "groups": [],
    "safe": [],
    "xen": {"groups": [], "outcome": "not run", "hypercalls": []},
    "boot": None,
}


def _without_outcome(
    file: str, platform: Platform | None, findings: tuple[Finding, ...], *, unreadable: bool = False
) -> Result:
    findings = tuple(sorted(findings, key=Finding.order))
    return Result(
        file=file,
        platform=None if platform is None else platform.name,
        dom0=None if platform is None else platform.xen.dom0.kernel,
        firmware=None if platform is None else platform.xen.dom0.firmware,
        verdict="unknown" if unreadable else verdict_of(findings, known=False),
        findings=findings,
        details=EMPTY,
        unreadable=unreadable,
    )
