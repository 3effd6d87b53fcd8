"""`rootplex import`: firmware of a board to a description."""

from __future__ import annotations

import argparse
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import read_input, write_file
from rootplex.cli.formats import add_format, report


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
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the description; a line for each thing that the source does not tell."""
    from rootplex.jobs.importing import description_text, import_source
    from rootplex.jobs.result import unreadable
    from rootplex.jobs.sources import read_source, source_of_bytes
    from rootplex.source.finding import Unreadable

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
        console.write(text)
    else:
        write_file(Path(arguments.output), text.encode())
        count = len(description.bridges)
        bridges = f"{count} host bridge{'s' if count != 1 else ''}"
        console.print(f"{arguments.path}: {source.what}, {bridges} -> {arguments.output}")
        for each in description.missing:
            console.print(f"  not known: {each}")
    return 0
