"""How device trees are put together: arguments that the commands which read them share."""

from __future__ import annotations

import argparse
from pathlib import Path

from msgspec.structs import replace

from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError
from rootplex.jobs.sources import Trees


def add_trees(parser: argparse.ArgumentParser, where: str = "") -> None:
    """`-I` and `--overlay`; `where` says of which inputs overlays are."""
    parser.add_argument(
        "-I",
        "--include",
        dest="folders",
        action="append",
        default=[],
        metavar="DIR",
        help="a device tree source may include the files that lie in DIR or beside it (links resolved); cpp "
        "reads it first. Several are searched in their order",
    )
    parser.add_argument(
        "--overlay",
        dest="overlays",
        action="append",
        default=[],
        metavar="FILE",
        help=f"apply this overlay (.dtbo, or source with /plugin/) to the device tree{where}; several in "
        "their order",
    )


def with_overlays(trees: Trees) -> Trees:
    """The same with the overlays as they are now."""
    return replace(trees, overlays=tuple(read_input(name) for name, _ in trees.overlays))


def trees_of(arguments: argparse.Namespace) -> Trees:
    """What the arguments say; UsageError for a folder that is none."""
    for folder in arguments.folders:
        if not Path(folder).is_dir():
            raise UsageError(f"-I {folder}: no such folder")
    return Trees(tuple(arguments.folders), tuple(map(read_input, arguments.overlays)))
