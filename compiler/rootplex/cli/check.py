"""`rootplex check`: compile in memory, simulate, report."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from rootplex.cli import many
from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.formats import add_format, report_boards
from rootplex.cli.frame import UsageError, told
from rootplex.cli.many import add_many, spread_here, streams
from rootplex.fleet.work import Work
from rootplex.jobs.boards import Board
from rootplex.jobs.check import Unjudged, check_text
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.report.protocols import lines
from rootplex.source.finding import unreadable
from rootplex.source.printable import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, and how Dom0 boots."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a platform description, or - for standard input; of several, the expected findings are a count",
    )
    add_boot(parser)
    parser.add_argument("--vpci", action="store_true", default=None, help="switch Xen's vPCI on")
    parser.add_argument(
        "--trace", action="store_true", help="print every configuration access, trap, forward and hypercall"
    )
    add_many(parser, "check")
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every file; the report on standard output, a trace before it."""
    if arguments.bare_metal and arguments.vpci:
        raise UsageError("--vpci is a switch of Xen's, and --bare-metal is without Xen")
    if arguments.bare_metal and arguments.xen_version:
        raise UsageError("--xen-version names a Xen, and --bare-metal is without Xen")
    options = run_options(arguments)
    if streams(arguments):
        if arguments.trace:
            raise UsageError("--trace is text for a person: leave --format, --resume and --cluster out")
        work = Work(
            call=partial(_judged, options=options), settings=f"check {options}", strict=arguments.strict
        )
        return many.run(work, many.Descriptions(arguments.files), arguments, console)
    texts: dict[str, str] = {}
    failed: list[str] = []
    results = _results(_texts(arguments.files, texts, failed, console), options, failed, arguments, console)
    status = report_boards(results, texts, arguments, console)
    return 2 if failed else status


def _judged(board: Board, options: RunOptions) -> Result:
    """One description's result, where only that can be told."""
    (item,) = board.items
    assert item.data is not None
    result = _checked((item.path, item.data), options)
    if isinstance(result, Unjudged):
        raise unreadable(item.path, str(result))
    return result


def _checked(given: tuple[str, bytes], options: RunOptions) -> Result | Unjudged:
    label, data = given
    try:
        return check_text(data, label, options)
    except Unjudged as error:
        return error


def _texts(
    names: Sequence[str], texts: dict[str, str], failed: list[str], console: Console
) -> Iterator[tuple[str, bytes]]:
    """Each file's name and bytes; one that cannot be read is told, and stands in `failed`."""
    for name in names:
        try:
            label, data = read_input(name)
        except (OSError, UsageError) as error:
            console.tell(told(error))
            failed.append(name)
            continue
        texts[label] = data.decode("utf-8", "replace")
        yield label, data


def _results(
    given: Iterable[tuple[str, bytes]],
    options: RunOptions,
    failed: list[str],
    arguments: argparse.Namespace,
    console: Console,
) -> Iterator[Result]:
    """A result a file, its trace before it; what was asked for and does not fit is told, and stands in
    `failed`."""
    check = partial(_checked, options=options)
    for done, result in enumerate(spread_here(check, given, arguments.jobs), start=1):
        if isinstance(result, Unjudged):
            console.tell(str(result))
            failed.append(str(result))
            continue
        console.progress(f"checked {result.file}", done=done, total=len(arguments.files))
        stream = console.out if arguments.format == "text" else console.err
        for line in result.trace:
            stream.write(printable(line) + "\n")
        if result.protocols is not None:
            stream.write("".join(f"{line}\n" for line in lines(result.protocols)) + "\n")
        yield result
