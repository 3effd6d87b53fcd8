"""`rootplex diff`: two boards, or two versions of one, by what changes for whoever runs them."""

from __future__ import annotations

import argparse
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError
from rootplex.cli.trees import add_trees
from rootplex.jobs.boards import boards_of, with_trees
from rootplex.jobs.check import check_text
from rootplex.jobs.diff import diff
from rootplex.jobs.entries import Entries
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import kind_of
from rootplex.jobs.validate import entries_of, validate_board
from rootplex.report import diff as report
from rootplex.tools.git import revision


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two sides."""
    what = "a platform description, device tree, ACPI dump, snapshot, or REV:FILE of a git checkout"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", help="likewise")
    add_boot(parser, "of descriptions: ")
    add_trees(parser, " on side B")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="how to print")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the difference; 1 where there is one."""
    after = run_options(arguments)
    options = (replace(after, trees=replace(after.trees, overlays=())), after)
    sides: list[Side] = []
    for name in (arguments.before, arguments.after):
        console.progress(f"examining {name}")
        side = _side(name, options[len(sides)])
        result = side.result
        if result.unreadable or (result.verdict == "unknown" and not result.machine.bridges):
            first = result.findings[0] if result.findings else None
            raise UsageError(f"{name} cannot be examined" + ("" if first is None else f": {first.message}"))
        sides.append(side)
    one, other = sides
    found = diff(one.result, other.result, (one.entries, other.entries))
    if arguments.format == "json":
        console.print(report.as_json(found))
    else:
        for line in (report.text if arguments.format == "text" else report.markdown)(found):
            console.print(line)
    return int(bool(found.changes))


class Side(Struct, frozen=True):
    """What a side comes to, and what its tables and maps say where it is firmware and readable."""

    result: Result
    entries: Entries | None = None


def _side(name: str, options: RunOptions) -> Side:
    """What a side comes to. A file of this name is meant before a revision of one."""
    if ":" in name and not Path(name).exists():
        data = revision(name)
        return _of_bytes(data, name, options)
    if Path(name).is_dir():
        return _one_board(name, {}, options)
    label, data = read_input(name)
    return _of_bytes(data, label, options)


def _of_bytes(data: bytes, label: str, options: RunOptions) -> Side:
    if kind_of(data) is not None:
        return _one_board(label, {label: data}, options)
    return Side(check_text(data, label, options))


def _one_board(name: str, given: dict[str, bytes], options: RunOptions) -> Side:
    boards = with_trees(boards_of([] if given else [name], given), options.trees)
    if len(boards) != 1:
        raise UsageError(f"{name} holds {len(boards)} boards: name one")
    result = validate_board(boards[0])
    return Side(result, None if result.unreadable else entries_of(boards[0]))
