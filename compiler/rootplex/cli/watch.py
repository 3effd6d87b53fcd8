"""`rootplex watch`: check again whenever a file changes, and show what is otherwise.

Events only wake it; what changed is seen by the files' own sizes and times. So an editor that writes a new
file in the old one's place, a folder that events do not come from, and a change during a check are one case.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.files import read_input, refuse_loss, write_file
from rootplex.cli.frame import UsageError, told
from rootplex.cli.results import results_of
from rootplex.cli.trees import add_trees, with_overlays
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import files_of, kind_of
from rootplex.report import page, short, text
from rootplex.report import watch as report
from rootplex.source.finding import CannotDo
from rootplex.tools import leaving
from rootplex.tools.runner import ToolError

STEP, DEBOUNCE, LOOK = 10, 100, 1000
"""Milliseconds: an event waits so long for others; at most so long; without any the files are looked at."""

_WORST = ("inconsistent", "unknown", "consistent")
Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Boards, and what to do beside printing."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="platform descriptions, device trees, ACPI dumps or folders of tables, snapshots",
    )
    parser.add_argument("--report", metavar="FILE", help="write the page, too; open in a browser it follows")
    parser.add_argument(
        "--exec",
        metavar="COMMAND",
        help="run it after each check of a changed file, without a shell: {} stands for the file, "
        "ROOTPLEX_FILE and ROOTPLEX_VERDICT tell of it",
    )
    parser.add_argument("--bell", action="store_true", help="ring where a verdict or a finding is otherwise")
    parser.add_argument("--force", action="store_true", help="replace FILE though it is not ours")
    add_boot(parser, "of descriptions: ")
    add_trees(parser)


class Board(Struct):
    """One description, or all of firmware's files: what they looked like when they were checked last, and
    what came of it. `results` are those of the last check that could be done, by their files; `known` the
    same, with the machine of an earlier one where there was none."""

    paths: tuple[str, ...]
    parts: tuple[str, ...] = ()
    """What they are put together of, beside themselves."""
    stamp: Stamp = ()
    results: dict[str, Result] = field(default_factory=dict)
    known: dict[str, Result] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Watch until a signal ends it."""
    try:
        from watchfiles import watch
    except ModuleNotFoundError:
        raise UsageError("watchfiles is not installed (pip install 'rootplex[watch]')") from None
    command = _command(arguments.exec)
    if arguments.report is not None:
        refuse_loss(Path(arguments.report), page.MARK.encode(), force=arguments.force)
    options = run_options(arguments)
    boards = _boards(arguments.paths)
    with _report(arguments.report, boards) as write_report:
        for board in boards:
            _show_first(board, options, console)
        write_report()
        console.say("watching; Ctrl-C ends it")
        console.out.flush()
        for _ in watch(
            *_folders(arguments.paths),
            watch_filter=None,
            step=STEP,
            debounce=DEBOUNCE,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        ):
            for board in boards:
                before = board.stamp
                if _stamp((*board.paths, *board.parts)) == before:
                    continue
                rings = _show_again(board, options, console)
                write_report()
                if rings and arguments.bell:
                    console.out.write("\a")
                console.out.flush()
                if command:
                    _execute(command, _touched(before, board.stamp), board, console)
    return 0


def _command(words: str | None) -> list[str]:
    """The command's words; UsageError where there is no such program."""
    try:
        command = shlex.split(words or "")
    except ValueError as error:
        raise UsageError(f"--exec: {error}") from None
    if command and shutil.which(command[0]) is None:
        raise UsageError(f"--exec: there is no program '{command[0]}'")
    return command


def _boards(paths: Sequence[str]) -> list[Board]:
    """A board for each description, one for all else; OSError where one is not there."""
    boards, firmware = [], []
    for path in dict.fromkeys(paths):
        if path == "-":
            raise UsageError("standard input cannot be watched: name a file")
        if Path(path).is_dir() or kind_of(read_input(path)[1]) is not None:
            firmware.append(path)
        else:
            boards.append(Board((path,)))
    return [*boards, *([Board(tuple(firmware))] if firmware else [])]


def _folders(paths: Sequence[str]) -> set[Path]:
    """What is watched: the folders that the files are in, by their names and behind links."""
    named = [Path(path) for path in paths]
    return {
        each if each.is_dir() else each.parent for path in named for each in (path.absolute(), path.resolve())
    }


def _stamp(paths: Sequence[str]) -> Stamp:
    """What the files look like from outside; a file that is not there is left out."""
    found = []
    for path in paths:
        for each in (Path(path), *(sorted(Path(path).iterdir()) if Path(path).is_dir() else ())):
            with suppress(OSError):
                stat = each.stat()
                found.append((str(each), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _touched(before: Stamp, after: Stamp) -> str:
    """The first file that looks otherwise."""
    return next((each[0] for each in (*after, *before) if each not in before or each not in after), "")


def _checked(board: Board, options: RunOptions, console: Console) -> list[Result] | str:
    """What comes of a board now, or why nothing does, in one line."""
    board.stamp = _stamp((*board.paths, *board.parts))
    texts: dict[str, str] = {}
    try:
        options = replace(options, trees=with_overlays(options.trees))
        board.parts = tuple(part for path in board.paths for part in files_of(path, options.trees))
        board.stamp = _stamp((*board.paths, *board.parts))
        results = list(results_of(board.paths, options, texts, console))
    except ToolError as error:
        return str(error)
    except (OSError, CannotDo) as error:
        return told(error)
    if any(result.unreadable for result in results):
        return short.render(tuple(results)).splitlines()[0]
    board.texts = texts
    board.results = {result.file: result for result in results}
    return results


def _show_first(board: Board, options: RunOptions, console: Console) -> None:
    """All that is found at the beginning."""
    results = _checked(board, options, console)
    if isinstance(results, str):
        console.print(results)
        return
    board.known = board.results
    sources = text.Sources(board.texts)
    console.write(text.render(tuple(results), sources, text.Style(console.colour)))


def _show_again(board: Board, options: RunOptions, console: Console) -> bool:
    """What is otherwise; on a terminal alone on the screen. Whether anything is."""
    results = _checked(board, options, console)
    if console.out.isatty():
        console.out.write("\x1b[2J\x1b[3J\x1b[H")
    if isinstance(results, str):
        console.print(results)
        return False
    rings = False
    sources, style = text.Sources(board.texts), text.Style(console.colour)
    for result in results:
        before = board.known.get(result.file)
        if before is None:
            console.write(text.render((result,), sources, style))
            rings = True
        else:
            rings = rings or bool(report.changed(before, result).changes)
            for line in report.lines(before, result, sources, style):
                console.print(line)
    board.known = {
        file: report.carried(board.known.get(file, result), result) for file, result in board.results.items()
    }
    return rings


@contextmanager
def _report(name: str | None, boards: Sequence[Board]) -> Iterator[Callable[[], None]]:
    """What writes the page, and beside it a file by which an open page sees that there is a newer one; that
    file goes when the watching ends."""
    if name is None:
        yield lambda: None
        return
    path, beside = Path(name), Path(f"{name}.version.js")
    written: list[str] = []

    def write() -> None:
        results = [result for board in boards for result in board.results.values()]
        texts = {file: data for board in boards for file, data in board.texts.items()}
        version = hashlib.sha256(page.render(results, texts).encode("utf-8", "backslashreplace")).hexdigest()
        if version in written[-1:]:
            return
        whole = page.render(results, texts, follows=page.Follows(beside.name, version))
        write_file(path, whole.encode("utf-8", "backslashreplace"))
        write_file(beside, page.version_script(version).encode())
        written.append(version)

    with leaving.passing(beside):
        yield write


def _execute(command: Sequence[str], file: str, board: Board, console: Console) -> None:
    """Runs the command and waits for it; what becomes of it does not end the watching."""
    argv = [word.replace("{}", file) for word in command]
    verdicts = sorted({result.verdict for result in board.results.values()}, key=_WORST.index)
    environment = {**os.environ, "ROOTPLEX_FILE": file, "ROOTPLEX_VERDICT": (verdicts or ["unknown"])[0]}
    try:
        with leaving.step():
            child = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
            leaving.begun(child.pid)
    except OSError as error:
        console.tell(f"--exec: {told(error)}")
        return
    status = child.wait()
    leaving.ended(child.pid)
    if status:
        console.tell(f"--exec: {command[0]} ended with status {status}")
