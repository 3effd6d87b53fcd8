"""`rootplex boards` and `rootplex models`: the bundled descriptions, to begin from; the devices that are
known by name, for the key `model`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from rootplex.cli.console import Console
from rootplex.jobs.bundled import boards
from rootplex.known.reader import model, names
from rootplex.report.words import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Words to look for."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="only those that have every word")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """A line each. 1 where none has the words."""
    rows = _boards() if arguments.command == "boards" else _models()
    found = [row for row in rows if all(word.lower() in " ".join(row).lower() for word in arguments.words)]
    for line in columns(found) if found else ():
        console.print(line)
    return 0 if found else 1


def _boards() -> Iterator[tuple[str, ...]]:
    """Name, architecture, title."""
    yield from ((each.name, each.arch, each.title) for each in boards())


def _models() -> Iterator[tuple[str, ...]]:
    """Name, id, type, title."""
    for name in names():
        facts = model(name)
        yield name, str(facts.get("id", "")), str(facts.get("type", "endpoint")), str(facts.get("title", ""))
