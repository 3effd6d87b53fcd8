"""`rootplex compile`: descriptions to a folder of artifacts each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from rootplex import __version__
from rootplex.cli.console import Console
from rootplex.cli.files import MANIFEST, read_input, write_folder
from rootplex.cli.formats import add_format, report
from rootplex.cli.frame import UsageError
from rootplex.jobs.result import Result
from rootplex.source.finding import Finding, Level


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, where to write, how many at once."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a platform description, or - for standard input"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="generated", help="write to DIR/NAME/ (default: generated)"
    )
    parser.add_argument("-j", "--jobs", type=_jobs, default=1, metavar="N", help="compile N files at once")
    parser.add_argument("--force", action="store_true", help="compile what is unchanged, too")
    add_format(parser)


def _jobs(text: str) -> int:
    jobs = int(text)
    if not 1 <= jobs <= 64:
        raise argparse.ArgumentTypeError("between 1 and 64")
    return jobs


class Job(Struct, frozen=True):
    """One file to compile."""

    name: str
    data: bytes
    output: str
    force: bool


class Done(Struct, frozen=True):
    """What became of it: the folder written, or the findings that stood in the way."""

    name: str
    platform: str | None
    folder: str
    files: int
    skipped: bool
    findings: tuple[Finding, ...]
    unreadable: bool


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compile every file; one line each on success, the findings otherwise."""
    jobs = [Job(*read_input(name), arguments.output, arguments.force) for name in arguments.files]
    results: list[Result] = []
    folders: dict[str, str] = {}
    for i, done in enumerate(_compiled(jobs, arguments.jobs)):
        console.progress(f"compiled {i + 1} of {len(jobs)}: {done.name}")
        first = folders.setdefault(done.folder, done.name) if done.folder else done.name
        if first != done.name:
            raise UsageError(
                f"{first} and {done.name} both describe {done.platform}, and {done.folder} holds one of them"
            )
        results.append(_result(done))
        if arguments.format == "text" and not any(each.level is Level.ERROR for each in done.findings):
            state = "unchanged" if done.skipped else f"{done.files} files"
            console.print(f"{done.name} -> {done.folder} ({state})")
    texts = {job.name: job.data.decode("utf-8", "replace") for job in jobs}
    if arguments.format == "text":
        results = [result for result in results if result.findings]
    return report(tuple(results), texts, arguments, console)


def _compiled(jobs: list[Job], workers: int) -> Iterable[Done]:
    if workers == 1 or len(jobs) == 1:
        yield from map(compile_one, jobs)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(workers, len(jobs))) as pool:
        yield from pool.map(compile_one, jobs)


def compile_one(job: Job) -> Done:
    """One description, read, compiled and written whole."""
    from rootplex.backends.compilation import compile_platform, manifest
    from rootplex.backends.refusal import CannotCompile
    from rootplex.jobs.describe import read_checked
    from rootplex.source.finding import Unreadable
    from rootplex.tools.versions import iasl_version

    try:
        checked = read_checked(job.data, job.name)
    except Unreadable as error:
        return _stopped(job, None, error.findings, unreadable=True)
    platform = checked.platform
    if platform is None or not checked.is_sound:
        return _stopped(job, None if platform is None else platform.name, checked.findings)
    folder = Path(job.output) / platform.name
    versions = {"rootplex": __version__, "iasl": iasl_version() if "acpi" in platform.firmware else "none"}
    if not job.force and (known := _up_to_date(folder, job.data, versions)):
        return Done(job.name, platform.name, str(folder), known, True, checked.findings, False)
    try:
        compiled = compile_platform(platform)
    except CannotCompile as refusal:
        return _stopped(job, platform.name, (*checked.findings, *refusal.findings))
    files = {**compiled.files, MANIFEST: manifest(job.data, compiled.files, versions)}
    write_folder(folder, files)
    return Done(job.name, platform.name, str(folder), len(files), False, checked.findings, False)


def _stopped(
    job: Job, platform: str | None, findings: tuple[Finding, ...], *, unreadable: bool = False
) -> Done:
    return Done(job.name, platform, "", 0, False, findings, unreadable)


def _up_to_date(folder: Path, description: bytes, versions: dict[str, str]) -> int:
    """The number of files where the folder is what compiling would make, else 0."""
    import hashlib

    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if (
            manifest["description"] != hashlib.sha256(description).hexdigest()
            or manifest["tools"] != versions
        ):
            return 0
        files = manifest["files"]
        if {each.name for each in folder.iterdir()} != {*files, MANIFEST}:
            return 0
        for name, digest in files.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                return 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return len(files) + 1


def _result(done: Done) -> Result:
    errors = any(finding.level is Level.ERROR for finding in done.findings)
    return Result(
        file=done.name,
        platform=done.platform,
        verdict="inconsistent" if errors else "consistent",
        findings=tuple(sorted(done.findings, key=Finding.order)),
        unreadable=done.unreadable,
    )
