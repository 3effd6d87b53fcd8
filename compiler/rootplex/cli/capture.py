"""`rootplex capture`: the script that takes a snapshot of a running machine."""

from __future__ import annotations

import argparse

from rootplex.capture import script
from rootplex.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""
    del parser


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the script: `rootplex capture > snapshot.sh`, then run it as root on the target."""
    del arguments
    console.document(script())
    return 0
