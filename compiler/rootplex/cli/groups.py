"""`rootplex groups`: the passthrough groups with the chain of reasons."""

from __future__ import annotations

import argparse
import json

import msgspec

from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.examined import examined_together
from rootplex.cli.trees import add_trees
from rootplex.jobs.groups import groups_of
from rootplex.report import terminal_tree
from rootplex.report.groups import lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A platform, and how Dom0 boots."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="PATH",
        help="a platform description, a snapshot, or what was pasted of one machine (lspci text, a list of "
        "IOMMU groups, a kernel's log), with or without its firmware or a snapshot; - for standard input",
    )
    add_boot(parser)
    add_trees(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")
    parser.add_argument(
        "--tree", action="store_true", help="the topology as a tree, each function with its group"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the groups."""
    console.progress(f"examining {arguments.files[0]}")
    examination = examined_together(arguments.files, run_options(arguments), console)
    if isinstance(examination, int):
        return examination
    if arguments.tree:
        printed = terminal_tree.lines(examination.machine)
    elif arguments.format == "json":
        machine = msgspec.to_builtins(examination.machine)
        wanted = {key: machine[key] for key in ("groups", "safe", "xen")}
        if examination.told is not None:
            told = msgspec.to_builtins(examination.told)
            wanted |= {key: told[key] for key in ("assumed", "unknown", "differing")}
        printed = iter((json.dumps({"rootplex": 1, "platform": examination.name, **wanted}, indent=1),))
    else:
        printed = lines(examination.told or groups_of(examination.facts, examination.outcome))
    for line in printed:
        console.print(line)
    return 0
