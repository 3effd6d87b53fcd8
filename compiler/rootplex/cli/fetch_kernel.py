"""`rootplex fetch-kernel`: a kernel and a busybox from Debian's packages into the user's cache."""

from __future__ import annotations

import argparse
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.known.kernels import SUITES, TO_BOOT
from rootplex.tools.kernels import fetch, unpacked
from rootplex.tools.runner import ToolError

ARCHES = ("arm64", "x86_64")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which kernel."""
    parser.add_argument("--arch", choices=ARCHES, default="arm64", help="of the machine to boot")
    parser.add_argument(
        "--profile",
        choices=tuple(SUITES),
        default=TO_BOOT,
        help="which kernel (default: %(default)s)",
    )
    parser.add_argument(
        "--all", action="store_true", help="every kernel that this machine's mirror offers, for both machines"
    )


def cache_of(console: Console) -> Path:
    """The user's cache folder: XDG_CACHE_HOME, else ~/.cache."""
    named = console.environment.get("XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Fetch what was asked for. With --all, what is not offered is told; at least one must come."""
    cache = cache_of(console)
    wanted = [(arguments.arch, arguments.profile)]
    if arguments.all:
        wanted = [(arch, profile) for arch in ARCHES for profile in SUITES]
    refusals = []
    for arch, profile in wanted:
        have = [kernel for kernel in unpacked(cache, arch) if kernel.profile == profile]
        if have:
            console.print(f"{arch} {profile}: {have[-1].release} is there")
            continue
        try:
            kernel = fetch(cache, arch, profile, progress=console.progress)
        except ToolError as refusal:
            refusals.append(f"{arch} {profile}: {refusal}")
            continue
        console.print(f"{arch} {profile}: {kernel.release}, {kernel.image}")
    for line in refusals:
        console.err.write(f"rootplex: {line}\n")
    return 2 if len(refusals) == len(wanted) else 0
