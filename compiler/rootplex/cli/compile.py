"""`rootplex compile`: descriptions to a folder of artifacts each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.qemu import arguments
from rootplex.cli import many
from rootplex.cli.console import Console
from rootplex.cli.files import read_input, write_folder
from rootplex.cli.formats import add_format, show
from rootplex.cli.frame import UsageError, told
from rootplex.cli.many import add_many, spread_here, streams
from rootplex.fleet.work import Record, Work, with_bytes
from rootplex.jobs.boards import Board
from rootplex.jobs.check import unsound
from rootplex.jobs.compiling import compiled, judged, versions_for
from rootplex.jobs.describe import read_checked
from rootplex.jobs.manifest import whole
from rootplex.jobs.result import Made, Result, unreadable
from rootplex.model.platform import Platform
from rootplex.project import __version__
from rootplex.report.words import counted
from rootplex.source.finding import Level, Unreadable
from rootplex.source.rules import QEMU_MODEL
from rootplex.tools.runner import ToolError, iasl_version

DESPITE = "(--despite-errors writes it all the same)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, where to write, how many at once."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a platform description, or - for standard input"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="generated", help="write to DIR/NAME/ (default: generated)"
    )
    parser.add_argument("--force", action="store_true", help="compile what is unchanged, too")
    parser.add_argument(
        "--despite-errors", action="store_true", help="write what is made, though it has errors"
    )
    parser.add_argument(
        "--xen", action="store_true", help="with the files that start Xen: a tree with /chosen, a script"
    )
    add_many(parser, "compile")
    add_format(parser)


class Job(Struct, frozen=True):
    """One file to compile; `data` are the bytes of standard input."""

    name: str
    data: bytes | None
    output: str
    force: bool
    despite_errors: bool
    xen: bool
    failed: str | None = None


class Done(Struct, frozen=True):
    """What became of it: the folder written (None: none) with so many files, or left as it was. `failed`
    says why it could not be written at all, `left_out` names devices that QEMU's arguments lack, `text` is
    what findings are shown in."""

    result: Result
    folder: str | None = None
    files: int = 0
    skipped: bool = False
    failed: str | None = None
    left_out: tuple[str, ...] = ()
    text: str | None = None

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
    if streams(arguments) and (arguments.resume or arguments.cluster):
        return _streamed(arguments, console)
    total = len(arguments.files)
    folders: dict[str, str] = {}
    shown: list[Result] = []
    texts: dict[str, str] = {}
    kept_back: list[str] = []
    status = 0
    if arguments.jobs == 1:  # progress has a thread, and a process that has one does not fork well
        console.progress(f"compiling {arguments.files[0]}", total=total)
    for i, done in enumerate(spread_here(compile_one, _jobs(arguments), arguments.jobs)):
        result = done.result
        console.progress(f"compiled {result.file}", done=i + 1, total=total)
        if done.folder is not None:
            _alone(folders, Path(done.folder), result.file, str(result.platform))
        status = max(status, _status(result, strict=arguments.strict))
        if done.folder is None and result.verdict == "inconsistent":
            kept_back.append(result.file)
        if arguments.format == "jsonl":
            show((result,), {}, "jsonl", console)
        elif result.findings or arguments.format != "text":
            shown.append(result)
            texts[result.file] = done.text or ""
        if done.failed is not None:
            console.tell(done.failed)
        if arguments.format == "text" and done.folder is not None:
            console.say(done.told)
    if arguments.format != "jsonl":
        show(tuple(shown), texts, arguments.format, console)
    if arguments.format == "text":
        console.out.flush()  # what is wrong first, then what came of it
        for name in kept_back:
            console.tell(f"{name} has errors and is not written {DESPITE}")
    return status


def _jobs(arguments: argparse.Namespace) -> Iterator[Job]:
    """The files in their order; standard input is read in its turn."""
    for name in arguments.files:
        label, data, failed = name, None, None
        if name == "-":
            try:
                label, data = read_input(name)
            except (OSError, UsageError) as error:
                failed = told(error)
        given = (arguments.output, arguments.force, arguments.despite_errors, arguments.xen)
        yield Job(label, data, *given, failed)


def _status(result: Result, *, strict: bool) -> int:
    """2 where a file could not be read, 1 where errors kept it from being written (`strict`: warnings)."""
    if result.unreadable:
        return 2
    levels = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    return int(any(map(result.count, levels)))


def compile_one(job: Job) -> Done:
    """One description, read, compiled, checked as far as that goes without a simulation, and written whole;
    with an error that its author does not expect nothing is written."""
    if job.failed is not None:
        return Done(unreadable(job.name, ()), failed=job.failed)
    try:
        data = read_input(job.name)[1] if job.data is None else job.data
        done = _compile(job, data)
    except (OSError, UsageError) as error:
        return Done(unreadable(job.name, ()), failed=told(error))
    return replace(done, text=data.decode("utf-8", "replace")) if done.result.findings else done


def _compile(job: Job, data: bytes) -> Done:
    try:
        checked = read_checked(data, job.name)
    except Unreadable as error:
        return Done(unreadable(job.name, error.findings))
    platform = checked.platform
    if platform is None or not checked.is_sound:
        return Done(unsound(checked, job.name))
    folder = Path(job.output) / platform.name
    if not job.force and (known := _up_to_date(folder, job, data, versions_for(platform))):
        return Done(judged(job.name, platform, checked.findings), str(folder), known, skipped=True)
    made = compiled(checked, data, job.name, despite_errors=job.despite_errors, xen=job.xen)
    if made.files is None:
        return Done(made.result)
    write_folder(folder, made.files)
    return Done(made.result, str(folder), len(made.files), left_out=_left_out(platform))


def _streamed(arguments: argparse.Namespace, console: Console) -> int:
    """A line for each file, by whatever machines; what they make is written here. A file that has a result
    stands where its folder still is what was made of it."""
    iasl = _iasl()
    options = f"xen={arguments.xen} despite-errors={arguments.despite_errors} iasl={iasl}"
    work = Work(
        call=partial(_made, xen=arguments.xen, despite_errors=arguments.despite_errors, iasl=iasl),
        settings=f"compile {options}",
        strict=arguments.strict,
    )
    owners: dict[str, str] = {}

    def write(record: Record) -> None:
        if record.platform is None:
            return
        folder = Path(arguments.output) / record.platform
        _alone(owners, folder, record.glance.file, record.platform)
        if record.files is not None:
            write_folder(folder, record.files)

    def stands(board: Board, record: Record) -> bool:
        if arguments.force:
            return False
        if record.platform is None or (record.glance.errors and not arguments.despite_errors):
            return True
        (item,) = with_bytes(board).items
        tells = whole(Path(arguments.output) / record.platform)
        versions = {"rootplex": __version__, "iasl": iasl}
        return (
            tells is not None
            and tells.is_of(item.data or b"", xen=arguments.xen)
            and tells.tools in (versions, {**versions, "iasl": "none"})
        )

    return many.run(work, many.Descriptions(arguments.files), arguments, console, write, stands)


def _iasl() -> str:
    """The release of iasl, "none" where it is not here: then others must not have it either."""
    try:
        return iasl_version()
    except ToolError:
        return "none"


def _alone(owners: dict[str, str], folder: Path, file: str, platform: str) -> None:
    """UsageError where two files of a command describe one platform."""
    first = owners.setdefault(platform, file)
    if first != file:
        raise UsageError(f"{first} and {file} both describe {platform}, and {folder} holds one of them")


def _made(board: Board, *, xen: bool, despite_errors: bool, iasl: str) -> Made | Result:
    """One description's files, on whatever machine."""
    (item,) = board.items
    assert item.data is not None
    checked = read_checked(item.data, item.path)
    if checked.platform is None or not checked.is_sound:
        return unsound(checked, item.path)
    if (here := versions_for(checked.platform)["iasl"]) not in ("none", iasl):
        raise ToolError(f"the worker has iasl {here}, and here is {iasl}: install one version")
    return compiled(checked, item.data, item.path, despite_errors=despite_errors, xen=xen)


def _left_out(platform: Platform) -> tuple[str, ...]:
    """Devices that QEMU has not; none where the platform is no machine of its."""
    if platform.base == "none":
        return ()
    _, refused = arguments(platform)
    return tuple(
        dict.fromkeys(each.subject for each in refused if each.subject and each.code == QEMU_MODEL.code)
    )


def _up_to_date(folder: Path, job: Job, data: bytes, versions: dict[str, str]) -> int:
    """The number of files where the folder is what compiling would make, else 0."""
    tells = whole(folder)
    if tells is None or tells.despite_errors or not tells.is_of(data, xen=job.xen) or tells.tools != versions:
        return 0
    return len(tells.files) + 1
