"""`rootplex survey`: what the results of many boards say together."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import refuse_loss, write_file
from rootplex.cli.frame import UsageError
from rootplex.jobs.survey import LINE_LIMIT, ResultLine, lines_of, survey
from rootplex.report import survey as report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Results, and what to hold them against."""
    parser.add_argument(
        "results",
        nargs="+",
        metavar="RESULTS",
        help="what `check` or `validate` wrote by --resume or --format jsonl, or folders of such *.jsonl",
    )
    parser.add_argument("--since", metavar="RESULTS", help="earlier results: what changed")
    parser.add_argument("--format", choices=("text", "json", "html"), default="text", help="how to print")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there (default: standard output)")
    parser.add_argument("--force", action="store_true", help="replace FILE though it is not ours")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the survey; 0 whatever the boards' verdicts, which it counts."""
    if arguments.output is not None:
        mark = {"html": report.MARK, "json": report.JSON_MARK, "text": ""}[arguments.format]
        refuse_loss(Path(arguments.output), mark.encode() or b"\0", force=arguments.force)
    console.progress(f"reading {', '.join(arguments.results)}")
    since = None if arguments.since is None else _lines(arguments.since)
    found = survey(chain.from_iterable(map(_lines, arguments.results)), since)
    if not found.boards:
        raise UsageError(f"{', '.join(arguments.results)}: no result in it")
    if arguments.format == "html":
        text = report.page(found)
    else:
        text = report.as_json(found) if arguments.format == "json" else "\n".join(report.text(found)) + "\n"
    if arguments.output is not None:
        write_file(Path(arguments.output), text.encode("utf-8", "backslashreplace"))
        console.say(f"{', '.join(arguments.results)} -> {arguments.output}")
    elif arguments.format == "text":
        console.write(text)
    else:
        console.document(text)
    return 0


def _lines(name: str) -> Iterator[ResultLine]:
    path = Path(name)
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{name} holds no *.jsonl: make results by `rootplex validate {name} --resume FILE`")
    for each in files:
        with each.open("rb") as file:
            yield from lines_of(iter(partial(file.readline, LINE_LIMIT), b""), str(each))
