"""`rootplex fetch-kernel`: a kernel and a busybox from Debian's packages into the user's cache; or a Xen with
its Dom0's kernel."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.frame import UsageError
from rootplex.known.kernels import DEFAULT, SUITES, offered
from rootplex.known.xen import DEBIAN
from rootplex.tools import hypervisors
from rootplex.tools.images import Arch
from rootplex.tools.kernels import fetch, lacking, unpacked
from rootplex.tools.runner import ToolError

ARCHES: tuple[Arch, ...] = ("arm64", "x86_64", "riscv64")
XEN_ARCHES: tuple[Arch, ...] = ("arm64", "x86_64")
"""What there is a Xen for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which kernel."""
    parser.add_argument("--arch", choices=ARCHES, default="arm64", help="of the machine to boot")
    parser.add_argument(
        "--profile",
        choices=(*SUITES, *DEBIAN),
        help=f"which kernel (default: {DEFAULT}, as a description's; else the newest that is offered)",
    )
    parser.add_argument(
        "--full", action="store_true", help="the full kernel, not the one for virtual machines: AMD's IOMMU"
    )
    parser.add_argument(
        "--xen", action="store_true", help="Debian's Xen, with the full kernel of the same Debian for Dom0"
    )
    parser.add_argument(
        "--all", action="store_true", help="every kernel that this machine's mirror offers, for every machine"
    )


def cache_of(console: Console) -> Path:
    """The user's cache folder."""
    return cache_in(console.environment)


def cache_in(environment: Mapping[str, str]) -> Path:
    """The same of an environment: XDG_CACHE_HOME, else ~/.cache."""
    named = environment.get("XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Fetch what was asked for; at least one must come, and what is not offered is told."""
    cache = cache_of(console)
    if arguments.xen or arguments.profile in DEBIAN:
        return _xen(cache, arguments, console)
    newest_first = (DEFAULT, *(name for name in reversed(SUITES) if name != DEFAULT))
    refusals = []
    if arguments.all:
        wanted = [(arch, profile) for arch in ARCHES for profile in offered(arch)]
    else:
        profiles = newest_first if arguments.profile is None else (arguments.profile,)
        has = offered(arguments.arch)
        if arguments.profile is not None and arguments.profile not in has:
            raise UsageError(
                f"Debian has no {arguments.profile} for {arguments.arch} (it has {', '.join(has)})"
            )
        wanted = [
            (arch, name) for arch in ARCHES if arch == arguments.arch for name in profiles if name in has
        ]
    for arch, profile in wanted:
        have = [
            kernel
            for kernel in unpacked(cache, arch, full=arguments.full)
            if kernel.profile == profile and not lacking(kernel)
        ]
        try:
            kernel = (
                have[-1]
                if have
                else fetch(cache, arch, profile, progress=console.progress, full=arguments.full)
            )
        except ToolError as refusal:
            refusals.append(f"{arch} {profile}: {refusal}")
            continue
        console.say(f"{arch} {profile}: {kernel.release}, {'is there' if have else kernel.image}")
        if not arguments.all:
            break
    for line in refusals:
        console.tell(f"{line}")
    return 2 if len(refusals) == len(wanted) else 0


def _xen(cache: Path, arguments: argparse.Namespace, console: Console) -> int:
    """Fetch Debian's Xen: the profile that is named, else the oldest, which every mirror offers."""
    if arguments.profile is not None and arguments.profile not in DEBIAN:
        raise UsageError(f"{arguments.profile} is a kernel and no Xen (known: {', '.join(DEBIAN)})")
    if arguments.arch not in XEN_ARCHES:
        raise UsageError(
            f"there is no Xen to boot for {arguments.arch} (there is for {', '.join(XEN_ARCHES)})"
        )
    profiles = tuple(DEBIAN) if arguments.all else (arguments.profile or next(iter(DEBIAN)),)
    arches = XEN_ARCHES if arguments.all else (arguments.arch,)
    refusals = []
    for arch, profile in ((arch, profile) for arch in arches for profile in profiles):
        found, how = hypervisors.newest(cache, arch, profile), "is there"
        if found is None:
            try:
                found = hypervisors.fetch(cache, arch, profile, progress=console.progress)
            except ToolError as refusal:
                refusals.append(f"{arch} {profile}: {refusal}")
                continue
            how = str(found.image)
        version = found.image.parent.name
        console.say(f"{arch} {profile}: Xen {version} with Linux {found.dom0.release} for Dom0, {how}")
    for line in refusals:
        console.tell(line)
    return 2 if refusals and len(refusals) == len(arches) * len(profiles) else 0
