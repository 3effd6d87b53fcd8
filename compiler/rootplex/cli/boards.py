"""`rootplex boards`: the bundled descriptions, to begin from."""

from __future__ import annotations

import argparse

from rootplex.cli.console import Console
from rootplex.jobs.bundled import boards
from rootplex.report.words import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Words to look for."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="only those that have every word")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """A line each: name, architecture, title. 1 where no board has the words."""
    rows = [(each.name, each.arch, each.title) for each in boards()]
    found = [row for row in rows if all(word.lower() in " ".join(row).lower() for word in arguments.words)]
    for line in columns(found) if found else ():
        console.print(line)
    return 0 if found else 1
