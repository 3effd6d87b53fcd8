"""`rootplex groups`: the passthrough groups with the chain of reasons."""

from __future__ import annotations

import argparse

from rootplex.cli.check import KERNELS
from rootplex.cli.console import Console
from rootplex.cli.examined import examined


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A description, and how Dom0 boots."""
    parser.add_argument("file", metavar="PATH", help="a platform description, or - for standard input")
    parser.add_argument("--dom0", choices=KERNELS, help="Dom0's kernel (default: the description's)")
    parser.add_argument("--firmware", choices=("dt", "acpi"), help="boot by this one")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the groups."""
    examination = examined(arguments.file, arguments.firmware, arguments.dom0, console)
    if examination is None:
        return 1
    facts, outcome = examination.facts, examination.outcome
    assert outcome is not None
    if arguments.format == "json":
        import json

        from rootplex.jobs.check import result_of

        details = result_of(examination, arguments.file).details
        wanted = {key: details[key] for key in ("groups", "safe", "xen")}
        console.print(json.dumps({"rootplex": 1, "platform": examination.platform.name, **wanted}, indent=1))
        return 0
    from rootplex.jobs.views import group_lines

    for line in group_lines(facts, outcome):
        console.print(line)
    return 0
