"""`rootplex schema`: the JSON Schema, for editors."""

from __future__ import annotations

import argparse

from rootplex.cli.console import Console
from rootplex.source.shipped import shipped_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""
    del parser


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the schema as it ships."""
    del arguments
    console.document((shipped_folder("schemas") / "platform.schema.json").read_text(encoding="utf-8"))
    return 0
