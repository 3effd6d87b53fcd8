"""`check`: compile in memory, read the bytes back, simulate, and say what is wrong."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.backends.refusal import CannotCompile
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.jobs.acceptance import accept, verdict_of
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.groups import guests_of
from rootplex.jobs.machine import machine_of
from rootplex.jobs.protocols import protocols
from rootplex.jobs.readback import artifacts_of, join_named, read_acpi, read_dt
from rootplex.jobs.result import Protocols, Result, Stretch, refused, unreadable
from rootplex.jobs.settings import RunOptions, devices_of, names_of, settings_of
from rootplex.known.kernels import profile
from rootplex.model.platform import Platform
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.inputs import Artifacts, Settings
from rootplex.source.finding import CannotDo, Finding, Unreadable
from rootplex.source.place import FilePlace, Place
from rootplex.tools.beside import beside


class Examination(Struct, frozen=True, kw_only=True):
    """Everything about one description: what was made, read back, simulated and found."""

    platform: Platform
    compiled: Compiled
    settings: Settings
    facts: Facts
    outcome: Outcome | None
    findings: tuple[Finding, ...]
    protocols: Protocols | None = None


class Unjudged(CannotDo):
    """What was asked does not fit the description."""


def check_text(data: bytes, file: str, options: RunOptions) -> Result:
    """The whole check of one description's text; never raises for what a user wrote. Unjudged where what
    is asked beside it does not fit it."""
    try:
        checked = read_checked(data, file)
    except Unreadable as error:
        return unreadable(file, error.findings)
    return check_description(checked, file, options)


def go_on() -> None:
    """Between two steps of a check: nothing."""


def check_description(
    checked: Checked, file: str, options: RunOptions, between: Callable[[], None] = go_on
) -> Result:
    """The same of a description that has been read. `between` is called between the steps; what it raises
    ends the work."""
    platform = checked.platform
    if platform is None or not checked.is_sound:
        return unsound(checked, file)
    try:
        return result_of(examine(checked, options, between=between), file)
    except CannotCompile as refusal:
        found = accept(platform, (*checked.findings, *refusal.findings))
    except Unreadable as error:
        found = accept(platform, (*checked.findings, *error.findings))
    return _of_platform(platform, refused(file, found))


def unsound(checked: Checked, file: str) -> Result:
    """A description with errors of its own. Where the language itself is broken nothing was judged."""
    if checked.platform is None or not checked.is_language:
        name = None if checked.platform is None else checked.platform.name
        result = refused(file, checked.findings, platform=name)
        return replace(result, verdict="unknown")
    return _of_platform(checked.platform, refused(file, checked.findings))


def _of_platform(platform: Platform, result: Result) -> Result:
    dom0 = platform.xen.dom0
    return replace(
        result,
        platform=platform.name,
        dom0=dom0.kernel,
        firmware=dom0.firmware,
        hypervisor=platform.hypervisor,
    )


def examine(
    checked: Checked,
    options: RunOptions,
    alter: Callable[[Compiled], Compiled] | None = None,
    between: Callable[[], None] = go_on,
) -> Examination:
    """Compile, read back, simulate. `alter` puts other bytes in place of the compiled ones, to see
    what a fault in them does. CannotCompile where a backend refuses, Unjudged where the firmware that is
    asked for is not made of this description, or vPCI is and there is no Xen."""
    platform = checked.platform
    assert platform is not None
    if options.firmware is not None and options.firmware not in platform.firmware:
        raise Unjudged(f"{platform.file} is not compiled for {options.firmware}")
    if options.vpci and platform.hypervisor is None:
        raise Unjudged(f"{platform.file} is without Xen, which vPCI is a switch of")
    compiled = compile_platform(platform, simulated_only=True)
    if alter is not None:
        compiled = alter(compiled)
    between()
    settings = settings_of(platform, compiled, options)
    platform = replace(platform, expect=platform.expect.of_boot(settings.firmware, settings.kernel))
    checked = replace(checked, platform=platform)
    artifacts = artifacts_of(compiled)
    # The AML interpreter is a process of its own: Dom0 boots by device tree meanwhile.
    with beside(lambda: read_acpi(artifacts)) as reading:
        dt = read_dt(artifacts, profile(settings.kernel).map_cells)
        between()
        outcome = None
        if settings.firmware == "dt" and dt is not None:
            outcome = _simulated(artifacts, settings, dt, None, trace=options.trace)
        between()
        acpi = reading.result()
    if settings.firmware == "acpi" and acpi is not None:
        outcome = _simulated(artifacts, settings, dt, acpi, trace=options.trace)
    facts = facts_of(checked, compiled, dt, acpi, settings)
    between()
    found = run_checks(facts, "artifacts", checked.findings)
    between()
    if outcome is not None:
        facts = replace(facts, outcome=outcome)
        found = run_checks(facts, "simulation", found)
    return Examination(
        platform=platform,
        compiled=compiled,
        settings=settings,
        facts=facts,
        outcome=outcome,
        findings=accept(platform, found, bare_metal=settings.hypervisor is None),
        protocols=protocols(artifacts, settings, dt, acpi) if options.trace and outcome is not None else None,
    )


_last: dict[tuple[Artifacts, Settings, bool], Outcome] = {}


def _simulated(
    artifacts: Artifacts,
    settings: Settings,
    dt: DtFirmware | None,
    acpi: AcpiFirmware | None,
    *,
    trace: bool,
) -> Outcome:
    """The simulation; the last one where the same bytes are run in the same way: nothing else decides it, so
    that a process that stays does not boot again for a comment."""
    key = (artifacts, settings, trace)
    found = _last.get(key)
    if found is None:
        found = simulate(artifacts, settings, dt, acpi, trace=trace)
        _last.clear()
        _last[key] = found
    return found


def artifact_findings(checked: Checked, compiled: Compiled) -> tuple[Finding, ...]:
    """What is wrong as far as it shows without a simulation: the description's own findings, and those of
    the compiled bytes read back."""
    platform = checked.platform
    assert platform is not None
    settings = settings_of(platform, compiled, RunOptions())
    platform = replace(platform, expect=platform.expect.of_boot(settings.firmware, settings.kernel))
    checked = replace(checked, platform=platform)
    artifacts = artifacts_of(compiled)
    dt = read_dt(artifacts, profile(settings.kernel).map_cells)
    facts = facts_of(checked, compiled, dt, read_acpi(artifacts), settings)
    found = run_checks(facts, "artifacts", checked.findings)
    return accept(platform, found, simulated=False)


def facts_of(
    checked: Checked,
    compiled: Compiled,
    dt: DtFirmware | None,
    acpi: AcpiFirmware | None,
    settings: Settings | None = None,
) -> Facts:
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
        hypervisor="xen" if settings is None else settings.hypervisor,
        for_xen=platform.for_xen,
        settings=settings,
        dt=dt,
        acpi=acpi,
        bridges=join_named(compiled.bridges, dt, acpi),
        source=source,
    )


def result_of(examination: Examination, file: str) -> Result:
    """The examination as a result to report."""
    platform, outcome, facts = examination.platform, examination.outcome, examination.facts
    settings, findings = examination.settings, examination.findings
    result = Result(
        file=file,
        platform=platform.name,
        dom0=settings.kernel,
        firmware=settings.firmware,
        hypervisor=settings.hypervisor,
        verdict=verdict_of(findings, judged=outcome is not None),
        findings=findings,
    )
    if outcome is None:
        return result
    return replace(
        result,
        machine=machine_of(platform, facts, outcome),
        guests=guests_of(facts, outcome),
        memory=tuple(Stretch(base=each.base, size=each.size) for each in platform.memory),
        simulated=True,
        trace=outcome.trace,
        protocols=examination.protocols,
    )
