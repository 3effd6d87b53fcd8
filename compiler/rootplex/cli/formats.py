"""`--format` of every reporting command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module

from rootplex.cli.console import Console
from rootplex.jobs.result import Result, exit_status

DOCUMENTS = {"short": "short", "json": "json_form", "sarif": "sarif", "junit": "junit"}
"""Formats that are one text of all results: the module of `report` whose `render` makes it."""
FORMATS = ("text", *DOCUMENTS)


def add_format(parser: argparse.ArgumentParser) -> None:
    """The options that every reporting command has."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("--strict", action="store_true", help="warnings make the exit status 1 too")


def report(
    results: tuple[Result, ...], texts: Mapping[str, str], arguments: argparse.Namespace, console: Console
) -> int:
    """Print the results in the chosen format; the exit status."""
    show(results, texts, arguments.format, console)
    return exit_status(results, strict=arguments.strict)


def report_boards(
    results: tuple[Result, ...], texts: Mapping[str, str], arguments: argparse.Namespace, console: Console
) -> int:
    """The same, and of several boards a tally in the last line of text."""
    status = report(results, texts, arguments, console)
    if arguments.format == "text" and len(results) > 1:
        from rootplex.report import text

        console.write("\n" + text.tally(results, text.Style(console.colour)))
    return status


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

        return text.render(results, text.Sources(texts), text.Style(console.colour))
    document: str = import_module(f"rootplex.report.{DOCUMENTS[format]}").render(results)
    return document
