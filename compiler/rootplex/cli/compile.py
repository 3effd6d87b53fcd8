"""`rootplex compile`: descriptions to a folder of artifacts each."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from rootplex.backends.qemu import arguments
from rootplex.cli.console import Console
from rootplex.cli.files import read_input, write_folder
from rootplex.cli.formats import add_format, show
from rootplex.cli.frame import UsageError, told
from rootplex.cli.many import jobs as number_of_jobs
from rootplex.cli.many import spread_here
from rootplex.jobs.check import unsound
from rootplex.jobs.compiling import compiled, judged, versions_for
from rootplex.jobs.describe import read_checked
from rootplex.jobs.manifest import MANIFEST, Manifest
from rootplex.jobs.result import Result, unreadable
from rootplex.model.platform import Platform
from rootplex.report.words import counted
from rootplex.source.finding import Level, Unreadable
from rootplex.source.rules import QEMU_MODEL

DESPITE = "(--despite-errors writes it all the same)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, where to write, how many at once."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a platform description, or - for standard input"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="generated", help="write to DIR/NAME/ (default: generated)"
    )
    parser.add_argument(
        "-j", "--jobs", type=number_of_jobs, default=1, metavar="N", help="compile N files at once"
    )
    parser.add_argument("--force", action="store_true", help="compile what is unchanged, too")
    parser.add_argument(
        "--despite-errors", action="store_true", help="write what is made, though it has errors"
    )
    parser.add_argument(
        "--xen", action="store_true", help="with the files that start Xen: a tree with /chosen, a script"
    )
    add_format(parser)


class Job(Struct, frozen=True):
    """One file to compile."""

    name: str
    data: bytes
    output: str
    force: bool
    despite_errors: bool
    xen: bool


class Done(Struct, frozen=True):
    """What became of it: the folder written (None: none) with so many files, or left as it was. `failed`
    says why it could not be written at all, `left_out` names devices that QEMU's arguments lack."""

    result: Result
    folder: str | None = None
    files: int = 0
    skipped: bool = False
    failed: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The line for a person."""
        errors = self.result.count(Level.ERROR)
        how = "unchanged" if self.skipped else f"{self.files} files"
        how += f", despite {counted(errors, 'error')}" if errors else ""
        if self.left_out:
            how += f"; QEMU's arguments are without {', '.join(self.left_out)}"
        return f"{self.result.file} -> {self.folder} ({how})"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compile every file; one line each on success, the findings as `check` has them."""
    results: list[Result] = []
    jobs: list[Job] = []
    given = (arguments.output, arguments.force, arguments.despite_errors, arguments.xen)
    for name in arguments.files:
        try:
            jobs.append(Job(*read_input(name), *given))
        except (OSError, UsageError) as error:
            results.append(unreadable(name, ()))
            console.tell(told(error))
            if arguments.format == "jsonl":
                show(tuple(results[-1:]), {}, "jsonl", console)
    folders: dict[str, str] = {}
    kept_back: list[str] = []
    if arguments.jobs == 1 and jobs:  # progress has a thread, and a process that has one does not fork well
        console.progress(f"compiling {jobs[0].name}", total=len(jobs))
    for i, done in enumerate(spread_here(compile_one, jobs, arguments.jobs)):
        result = done.result
        console.progress(f"compiled {result.file}", done=i + 1, total=len(jobs))
        first = result.file if done.folder is None else folders.setdefault(done.folder, result.file)
        if first != result.file:
            raise UsageError(
                f"{first} and {result.file} both describe {result.platform}, and {done.folder} holds one "
                "of them"
            )
        results.append(result)
        if done.folder is None and result.verdict == "inconsistent":
            kept_back.append(result.file)
        if arguments.format == "jsonl":
            show((result,), {}, "jsonl", console)
        if done.failed is not None:
            console.tell(done.failed)
        if arguments.format == "text" and done.folder is not None:
            console.say(done.told)
    texts = {job.name: job.data.decode("utf-8", "replace") for job in jobs}
    if arguments.format == "text":
        shown = tuple(result for result in results if result.findings)
        show(shown, texts, arguments.format, console)
        console.out.flush()  # what is wrong first, then what came of it
        for name in kept_back:
            console.tell(f"{name} has errors and is not written {DESPITE}")
    elif arguments.format != "jsonl":
        show(tuple(results), texts, arguments.format, console)
    return _status(results, strict=arguments.strict)


def _status(results: list[Result], *, strict: bool) -> int:
    """2 where a file could not be read, 1 where errors kept one from being written (`strict`: warnings)."""
    if any(result.unreadable for result in results):
        return 2
    levels = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    return int(any(result.count(level) for result in results for level in levels))


def compile_one(job: Job) -> Done:
    """One description, read, compiled, checked as far as that goes without a simulation, and written whole;
    with an error that its author does not expect nothing is written."""
    try:
        return _compile(job)
    except (OSError, UsageError) as error:
        return Done(unreadable(job.name, ()), failed=told(error))


def _compile(job: Job) -> Done:
    try:
        checked = read_checked(job.data, job.name)
    except Unreadable as error:
        return Done(unreadable(job.name, error.findings))
    platform = checked.platform
    if platform is None or not checked.is_sound:
        return Done(unsound(checked, job.name))
    folder = Path(job.output) / platform.name
    if not job.force and (known := _up_to_date(folder, job, versions_for(platform))):
        return Done(judged(job.name, platform, checked.findings), str(folder), known, skipped=True)
    made = compiled(checked, job.data, job.name, despite_errors=job.despite_errors, xen=job.xen)
    if made.files is None:
        return Done(made.result)
    write_folder(folder, made.files)
    return Done(made.result, str(folder), len(made.files), left_out=_left_out(platform))


def _left_out(platform: Platform) -> tuple[str, ...]:
    """Devices that QEMU has not; none where the platform is no machine of its."""
    if platform.base == "none":
        return ()
    _, refused = arguments(platform)
    return tuple(
        dict.fromkeys(each.subject for each in refused if each.subject and each.code == QEMU_MODEL.code)
    )


def _up_to_date(folder: Path, job: Job, versions: dict[str, str]) -> int:
    """The number of files where the folder is what compiling would make, else 0."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        if (
            manifest.description != hashlib.sha256(job.data).hexdigest()
            or manifest.xen != job.xen
            or manifest.tools != versions
            or manifest.despite_errors
        ):
            return 0
        if {each.name for each in folder.iterdir()} != {*manifest.files, MANIFEST}:
            return 0
        for name, digest in manifest.files.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                return 0
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return 0
    return len(manifest.files) + 1
