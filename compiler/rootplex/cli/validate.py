"""`rootplex validate`: what is wrong with the firmware of a board, or of many."""

from __future__ import annotations

import argparse
from functools import partial

from rootplex.cli import many
from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.formats import add_format, report_boards
from rootplex.cli.frame import UsageError
from rootplex.cli.many import add_many, spread_here, streams
from rootplex.cli.trees import add_trees, trees_of
from rootplex.fleet.work import Work, digest
from rootplex.jobs.boards import BoardsAt
from rootplex.jobs.describe import read_checked
from rootplex.jobs.result import glance
from rootplex.jobs.validate import validate_board
from rootplex.model.platform import Platform
from rootplex.report.summary import by_worst, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources, and what to hold them against."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="device trees, ACPI dumps or folders of tables, snapshots, what was pasted of a machine (lspci "
        "text, a list of IOMMU groups, a kernel's log); folders of them. A device tree and an ACPI dump are "
        "taken for one board, and so is what was pasted of it",
    )
    parser.add_argument("--against", metavar="FILE", help="a platform description to compare the board with")
    parser.add_argument(
        "--bare-metal", action="store_true", help="judge as Linux without Xen (default: as under Xen)"
    )
    add_trees(parser)
    add_many(parser, "validate")
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Validate every board; with several, a table first, the worst on top."""
    texts: dict[str, str] = {}
    against = None if arguments.against is None else _description(arguments.against, texts)
    given = dict(map(read_input, [name for name in arguments.paths if name == "-"]))
    found = BoardsAt([name for name in arguments.paths if name != "-"], given, trees_of(arguments))
    validate = partial(validate_board, against=against, bare_metal=arguments.bare_metal)
    if streams(arguments):
        held = None if against is None else digest(texts[arguments.against])
        work = Work(
            call=validate,
            settings=f"validate bare-metal={arguments.bare_metal} against={held}",
            strict=arguments.strict,
        )
        return many.run(work, found, arguments, console)
    boards = tuple(found)
    results = []
    if arguments.jobs == 1 and boards:  # progress has a thread, and a process that has one does not fork well
        console.progress(f"validating {boards[0].name}", total=len(boards))
    for done, result in enumerate(spread_here(validate, boards, arguments.jobs), start=1):
        console.progress(f"validated {result.file}", done=done, total=len(boards))
        results.append(result)
    if len(results) > 1:
        results.sort(key=lambda result: by_worst(glance(result)))
        if arguments.format == "text":
            console.say("\n".join(table(list(map(glance, results)))) + "\n")
    return report_boards(results, texts, arguments, console)


def _description(name: str, texts: dict[str, str]) -> Platform:
    """The description to compare with; UsageError where it has errors of its own."""
    label, data = read_input(name)
    texts[label] = data.decode("utf-8", "replace")
    checked = read_checked(data, label)
    if checked.platform is None or not checked.is_sound:
        raise UsageError(f"{label} has errors; see `rootplex check {label}`")
    return checked.platform
