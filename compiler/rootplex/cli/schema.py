"""`rootplex schema`: the JSON Schemas: of the language for editors, of the JSON output for programs."""

from __future__ import annotations

import argparse

from rootplex.cli.console import Console
from rootplex.source.shipped import shipped_folder

SCHEMAS = ("platform", "report", "config")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which one."""
    parser.add_argument(
        "name",
        nargs="?",
        choices=SCHEMAS,
        default="platform",
        help="platform: of descriptions (the default); report: of what commands print as JSON; config: of "
        "config.json, the hardware image",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the schema as it ships."""
    path = shipped_folder("schemas") / f"{arguments.name}.schema.json"
    console.document(path.read_text(encoding="utf-8"))
    return 0
