"""A platform examined for a command that shows a part of it; its errors are reported first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.refusal import CannotCompile
from rootplex.capture.pasted.facts import Paste
from rootplex.checks.facts import Facts
from rootplex.cli.console import Console
from rootplex.cli.files import read_input, read_inputs
from rootplex.cli.frame import UsageError
from rootplex.jobs.boards import read_together
from rootplex.jobs.check import examine, result_of, unsound
from rootplex.jobs.describe import read_checked
from rootplex.jobs.groups import groups_of
from rootplex.jobs.pasted.beside import beside_snapshot
from rootplex.jobs.pasted.simulation import PastedOutcome, differing, pastes_of, simulate_pastes
from rootplex.jobs.result import Groups, Machine, exit_status, refused
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import Source, kind_of, source_of_bytes
from rootplex.jobs.validate import simulated_snapshot, simulated_together
from rootplex.model.platform import Platform
from rootplex.readers.files import bytes_of
from rootplex.report import short
from rootplex.simulator.boots.outcome import Outcome
from rootplex.source.finding import Finding
from rootplex.source.printable import printable


class Examined(Struct, frozen=True):
    """A simulated platform: what there was to go by, what came of it, and the result as it is reported.
    `told`: the groups of a machine of which not all is known."""

    facts: Facts
    outcome: Outcome
    machine: Machine
    name: str
    findings: tuple[Finding, ...] = ()
    told: Groups | None = None


def examined_bytes(
    label: str,
    data: bytes,
    options: RunOptions,
    console: Console,
    alter: Callable[[Platform], Platform] | None = None,
) -> Examined | int:
    """A description, `alter`ed, or a snapshot with the functions that it holds; where a description has
    errors that leave nothing to show, they are on standard error, and this is the exit status. UsageError
    for what has no functions."""
    kind = kind_of(data)
    try:
        if kind is not None:
            return _of_sources((source_of_bytes(data, label, trees=options.trees),), label, options)
        checked = read_checked(data, label)
        if checked.is_sound:
            if alter is not None and checked.platform is not None:
                checked = replace(checked, platform=alter(checked.platform))
            examination = examine(checked, options)
            assert examination.outcome is not None
            return Examined(
                examination.facts,
                examination.outcome,
                result_of(examination, label).machine,
                examination.platform.name,
                examination.findings,
            )
        faulty = unsound(checked, label)
    except CannotCompile as refusal:
        faulty = refused(label, refusal.findings)
    console.err.write(printable(short.render((faulty,))))
    return exit_status((faulty,), strict=False)


def examined(name: str, options: RunOptions, console: Console) -> Examined | int:
    """The same for a file's name, or - for standard input."""
    return examined_bytes(*read_input(name), options, console)


def examined_together(names: Sequence[str], options: RunOptions, console: Console) -> Examined | int:
    """Several files of one machine: what was pasted of it, with or without its firmware or a snapshot.
    UsageError for anything else."""
    if len(names) == 1 and not _holds_several(names[0]):
        return examined(names[0], options, console)
    return _of_sources(read_together(*read_inputs(names), options.trees), names[0], options)


def _holds_several(name: str) -> bool:
    """Whether it is a folder, or an archive."""
    return Path(name).is_dir() or (Path(name).is_file() and kind_of(bytes_of(Path(name), name)) == "archive")


def _of_sources(sources: Sequence[Source], label: str, options: RunOptions) -> Examined:
    pastes = pastes_of(sources)
    if pastes and len(pastes) == len(sources):
        return _of_pastes(pastes, label, options)
    firmware = [source for source in sources if source.paste is None]
    sides = (sum(each.tree is not None for each in firmware), sum(bool(each.tables) for each in firmware))
    if len(firmware) > 1 and (not pastes or max(sides) > 1 or any(each.snapshot for each in firmware)):
        raise UsageError(
            "several files are taken together where they are of one machine, and some of them pasted"
        )
    source = firmware[0]
    if pastes and source.snapshot is None:
        together = simulated_together(sources, options.kernel)
        if together is None:
            raise UsageError(f"{label}: no text tells of a function below a host bridge of the firmware")
        return _told(together, label)
    found = simulated_snapshot(source, options.guests or ())
    if found is None:
        raise UsageError(
            f"{label}: no function is known by {source.what} alone: take a snapshot (`rootplex capture`), or "
            "describe them in what `rootplex import` makes of it"
        )
    if found.facts is None or found.facts.outcome is None or found.machine is None:
        raise UsageError("; ".join(finding.message for finding in found.findings))
    findings = found.findings
    told = None
    if pastes and source.snapshot is not None:
        findings += tuple(beside_snapshot(pastes, source.snapshot, found.facts.outcome, findings))
        told = replace(groups_of(found.facts, found.facts.outcome), differing=differing(findings))
    return Examined(found.facts, found.facts.outcome, found.machine, label, findings, told)


def _of_pastes(pastes: Sequence[Paste], label: str, options: RunOptions) -> Examined:
    found = simulate_pastes(pastes, options)
    if found is None:
        raise UsageError(
            f"{label}: no text tells of a function on a bus that is known to be a root bus: add `lspci"
            f" -nnvvv` "
            "(as root), `lspci -xxxx` or the kernel's log"
        )
    return _told(found, label)


def _told(found: PastedOutcome, label: str) -> Examined:
    run = found.worst
    name = label.rpartition("/")[2]
    return Examined(run.facts, run.outcome, found.result, name, found.findings, found.groups)
