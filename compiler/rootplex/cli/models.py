"""`rootplex models`: the devices that are known by name, for the key `model`."""

from __future__ import annotations

import argparse

from rootplex.cli.console import Console
from rootplex.known.reader import model, names
from rootplex.report.words import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Words to look for."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="only those that have every word")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """A line each: name, id, type, title. 1 where no model has the words."""
    rows = [(name, *_facts(name)) for name in names()]
    found = [row for row in rows if all(word.lower() in " ".join(row).lower() for word in arguments.words)]
    for line in columns(found) if found else ():
        console.print(line)
    return 0 if found else 1


def _facts(name: str) -> tuple[str, str, str]:
    facts = model(name)
    return str(facts.get("id", "")), str(facts.get("type", "endpoint")), str(facts.get("title", ""))
