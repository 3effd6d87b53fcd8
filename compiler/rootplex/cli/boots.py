"""How a command is asked to boot: arguments that `check`, `groups` and `explain` share."""

from __future__ import annotations

import argparse

from rootplex.cli.trees import trees_of
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import ALONE
from rootplex.known.kernels import PROFILES
from rootplex.known.xen import VERSIONS


def add_boot(parser: argparse.ArgumentParser, where: str = "") -> None:
    """The kernel, its firmware, and which hypervisor there is, if any; `where` begins each help text."""
    parser.add_argument(
        "--dom0",
        choices=tuple(PROFILES),
        help=f"{where}Dom0's kernel, or Linux's (default: the description's)",
    )
    parser.add_argument(
        "--firmware", choices=("dt", "acpi"), help=f"{where}boot by this one (default: the description's)"
    )
    parser.add_argument(
        "--xen-version", choices=tuple(VERSIONS), help=f"{where}which Xen (default: the description's)"
    )
    parser.add_argument(
        "--bare-metal", action="store_true", help=f"{where}Linux without Xen below it (as with 'xen: false')"
    )


def run_options(arguments: argparse.Namespace) -> RunOptions:
    """What the arguments ask beside the description."""
    return RunOptions(
        firmware=arguments.firmware,
        kernel=arguments.dom0,
        xen=arguments.xen_version,
        bare_metal=arguments.bare_metal,
        vpci=getattr(arguments, "vpci", None),
        trace=getattr(arguments, "trace", False),
        trees=trees_of(arguments) if "overlays" in arguments else ALONE,
    )
