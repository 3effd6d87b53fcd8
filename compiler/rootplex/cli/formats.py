"""`--format` of every reporting command."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

from rootplex.cli.console import Console
from rootplex.jobs.result import Result, Tally, exit_status, glance

DOCUMENTS = {
    "short": "short",
    "json": "json_form",
    "jsonl": "jsonl",
    "sarif": "sarif",
    "junit": "junit",
    "github": "github",
}
"""Formats that are one text of all results: the module of `report` whose `render` makes it."""
FORMATS = ("text", *DOCUMENTS)


def add_format(parser: argparse.ArgumentParser) -> None:
    """The options that every reporting command has."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="how to report (default: text; jsonl: an object a line, each as soon as it is known; github: a "
        "workflow's annotations)",
    )
    parser.add_argument("--strict", action="store_true", help="warnings make the exit status 1 too")


def report(
    results: Iterable[Result], texts: Mapping[str, str], arguments: argparse.Namespace, console: Console
) -> int:
    """Print the results in the chosen format; the exit status. Results may be made while they are taken:
    what can be printed of one is printed before the next."""
    if arguments.format == "jsonl":
        return exit_status(tuple(streamed(results, console)), strict=arguments.strict)
    results = tuple(results)
    show(results, texts, arguments.format, console)
    return exit_status(results, strict=arguments.strict)


def report_boards(
    results: Iterable[Result], texts: Mapping[str, str], arguments: argparse.Namespace, console: Console
) -> int:
    """The same, and of several boards a tally in the last line of text."""
    results = results if arguments.format == "jsonl" else tuple(results)
    status = report(results, texts, arguments, console)
    if arguments.format == "text" and isinstance(results, tuple) and len(results) > 1 and not console.quiet:
        from rootplex.report import text

        style = text.Style(console.colour, console.quiet)
        console.write("\n" + text.tally(Tally(map(glance, results)), style))
    return status


def streamed(results: Iterable[Result], console: Console) -> Iterator[Result]:
    """The same results, each printed as a line of `jsonl` when it comes."""
    from rootplex.report import jsonl

    for result in results:
        console.document(jsonl.line(result))
        yield result


def show(results: tuple[Result, ...], texts: Mapping[str, str], format: str, console: Console) -> None:
    """Print the results: for a person in the terminal's way, for a program as a document."""
    text = rendered(results, texts, format, console)
    if format in ("text", "short"):
        console.write(text)
    else:
        console.document(text)


def rendered(results: tuple[Result, ...], texts: Mapping[str, str], format: str, console: Console) -> str:
    """The results as text of a format."""
    if format == "text":
        from rootplex.report import text

        return text.render(results, text.Sources(texts), text.Style(console.colour, console.quiet))
    document: str = import_module(f"rootplex.report.{DOCUMENTS[format]}").render(results)
    return document
