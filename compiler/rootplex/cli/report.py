"""`rootplex report`: boards as one page, or as a picture alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import refuse_loss, write_file
from rootplex.cli.frame import UsageError
from rootplex.cli.results import results_of
from rootplex.cli.trees import add_trees, trees_of
from rootplex.jobs.result import Result, exit_status
from rootplex.jobs.settings import RunOptions
from rootplex.known.kernels import PROFILES
from rootplex.report import graph, page, svg

PICTURES: dict[str, Callable[[Result], str]] = {"svg": svg.render, "dot": graph.dot, "mermaid": graph.mermaid}
MARKS = {"html": page.MARK, "svg": "<svg xmlns=", "dot": "digraph ", "mermaid": "flowchart "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Boards, and where to write."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="platform descriptions, device trees, ACPI dumps or folders of tables, snapshots",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write there (default: standard output)")
    parser.add_argument(
        "--format", choices=("html", *PICTURES), default="html", help="the page, or the picture alone"
    )
    parser.add_argument("--dom0", choices=tuple(PROFILES), help="of descriptions: Dom0's kernel")
    parser.add_argument("--firmware", choices=("dt", "acpi"), help="of descriptions: boot by this one")
    add_trees(parser)
    parser.add_argument("--trace", action="store_true", help="with every configuration access and call")
    parser.add_argument("--strict", action="store_true", help="warnings make the exit status 1 too")
    parser.add_argument("--force", action="store_true", help="replace FILE though it is not ours")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the page; the exit status is `check`'s."""
    if arguments.output is None and arguments.format == "html" and console.out.isatty():
        raise UsageError("a page is for a browser: name its file, as in -o board.html")
    if arguments.output is not None:
        refuse_loss(Path(arguments.output), MARKS[arguments.format].encode(), force=arguments.force)
    options = RunOptions(
        firmware=arguments.firmware, kernel=arguments.dom0, trace=arguments.trace, trees=trees_of(arguments)
    )
    texts: dict[str, str] = {}
    results = list(results_of(arguments.paths, options, texts, console))
    if arguments.format != "html" and len(results) != 1:
        raise UsageError(f"a picture is of one board, and these are {len(results)}: name one, or make a page")
    text = (
        page.render(results, texts) if arguments.format == "html" else PICTURES[arguments.format](results[0])
    )
    if arguments.output is None:
        console.document(text)
    else:
        write_file(Path(arguments.output), text.encode("utf-8", "backslashreplace"))
        console.say(f"{', '.join(arguments.paths)} -> {arguments.output}")
    return exit_status(tuple(results), strict=arguments.strict)
