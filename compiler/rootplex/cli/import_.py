"""`rootplex import`: firmware of a board to a description."""

from __future__ import annotations

import argparse
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import read_input, refuse_loss, write_file
from rootplex.cli.formats import add_format, report
from rootplex.cli.frame import UsageError
from rootplex.frontends.document import MARK
from rootplex.jobs.importing import description_text, import_source
from rootplex.jobs.result import unreadable
from rootplex.jobs.sources import read_source, source_of_bytes
from rootplex.report.words import counted
from rootplex.source.finding import Unreadable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A source, and where to write."""
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a device tree (blob or source), acpidump text, a folder or archive of ACPI tables, a snapshot, "
        "or lspci -xxxx text; - for standard input",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the description there (default: standard output)"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE though it is not ours")
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the description; a line for each thing that the source does not tell."""
    if arguments.output is not None:
        output = Path(arguments.output)
        if arguments.path != "-" and output.exists() and output.samefile(arguments.path):
            raise UsageError(
                f"{arguments.path} would be replaced by what is read from it: name another by -o"
            )
        refuse_loss(output, MARK.encode(), force=arguments.force)
    console.progress(f"reading {arguments.path}")
    try:
        if arguments.path == "-":
            label, data = read_input("-")
            source = source_of_bytes(data, label)
        else:
            source = read_source(Path(arguments.path), arguments.path)
        description = import_source(source)
    except Unreadable as error:
        return report((unreadable(arguments.path, error.findings),), {}, arguments, console)
    text = description_text(description)
    if arguments.output is None:
        console.document(text)
    else:
        write_file(Path(arguments.output), text.encode("utf-8", "backslashreplace"))
        bridges = counted(len(description.bridges), "host bridge")
        console.say(f"{arguments.path}: {source.what}, {bridges} -> {arguments.output}")
        for each in description.missing:
            console.say(f"  not known: {each}")
    return 0
