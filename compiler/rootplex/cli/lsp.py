"""`rootplex lsp`: the language server for descriptions, on the standard streams."""

from __future__ import annotations

import argparse
import os
import sys

from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.frame import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How Dom0 boots."""
    add_boot(parser)
    parser.add_argument("--stdio", action="store_true", help="on the standard streams, as always")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until the client ends it; 1 where it just goes away."""
    try:
        from rootplex.editor.server import serve
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed (pip install 'rootplex[lsp]')") from None
    if sys.stdin is None:  # the shell's `<&-`
        raise UsageError("standard input is closed")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed is no answer
    return 0 if serve(run_options(arguments), sys.stdin.buffer, answers) else 1
