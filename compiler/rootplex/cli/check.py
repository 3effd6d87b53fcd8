"""`rootplex check`: compile in memory, simulate, report."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.formats import add_format, report_boards
from rootplex.cli.frame import UsageError
from rootplex.jobs.check import Unjudged, check_text
from rootplex.jobs.result import Result
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
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every file; the report on standard output, a trace before it."""
    if arguments.bare_metal and arguments.vpci:
        raise UsageError("--vpci is a switch of Xen's, and --bare-metal is without Xen")
    if arguments.bare_metal and arguments.xen_version:
        raise UsageError("--xen-version names a Xen, and --bare-metal is without Xen")
    texts: dict[str, str] = {}
    unjudged: list[str] = []
    status = report_boards(_results(arguments, texts, unjudged, console), texts, arguments, console)
    return 2 if unjudged else status


def _results(
    arguments: argparse.Namespace, texts: dict[str, str], unjudged: list[str], console: Console
) -> Iterator[Result]:
    """A result a file; what was asked for and does not fit is told, and stands in `unjudged`."""
    options = run_options(arguments)
    for i, name in enumerate(arguments.files):
        label, data = read_input(name)
        console.progress(f"checking {label}", done=i, total=len(arguments.files))
        texts[label] = data.decode("utf-8", "replace")
        try:
            result = check_text(data, label, options)
        except Unjudged as error:
            console.tell(str(error))
            unjudged.append(label)
            continue
        stream = console.out if arguments.format == "text" else console.err
        for line in result.trace:
            stream.write(printable(line) + "\n")
        yield result
