"""`rootplex import`: firmware of a board to a description."""

from __future__ import annotations

import argparse
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import read_inputs, refuse_loss, write_file
from rootplex.cli.formats import add_format, report
from rootplex.cli.frame import UsageError
from rootplex.cli.trees import add_trees, trees_of
from rootplex.frontends.document import MARK
from rootplex.jobs.boards import read_together
from rootplex.jobs.importing import description_text, import_sources
from rootplex.jobs.result import unreadable
from rootplex.report.words import counted
from rootplex.source.finding import Unreadable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A source, and where to write."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a device tree (blob or source), acpidump text, a folder or archive of ACPI tables, a snapshot; "
        "or several files of one machine: its single tables, in bytes or disassembled, or what was pasted of "
        "it (lspci text, a list of IOMMU groups, a kernel's log), with its firmware or a snapshot; - for "
        "standard input",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the description there (default: standard output)"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE though it is not ours")
    add_trees(parser)
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the description; a line for each thing that the source does not tell."""
    if arguments.output is not None:
        output = Path(arguments.output)
        for path in arguments.paths:
            if path != "-" and output.exists() and output.samefile(path):
                raise UsageError(f"{path} would be replaced by what is read from it: name another by -o")
        refuse_loss(output, MARK.encode(), force=arguments.force)
    trees = trees_of(arguments)
    named = ", ".join(arguments.paths)
    console.progress(f"reading {named}")
    try:
        sources = read_together(*read_inputs(arguments.paths), trees)
        description = import_sources(sources)
    except Unreadable as error:
        return report((unreadable(arguments.paths[0], error.findings),), {}, arguments, console)
    text = description_text(description)
    if arguments.output is None:
        console.document(text)
    else:
        write_file(Path(arguments.output), text.encode("utf-8", "backslashreplace"))
        bridges = counted(len(description.bridges), "host bridge")
        what = " and ".join(dict.fromkeys(source.what for source in sources))
        console.say(f"{named}: {what}, {bridges} -> {arguments.output}")
        for each in description.missing:
            console.say(f"  not known: {each}")
    return 0
