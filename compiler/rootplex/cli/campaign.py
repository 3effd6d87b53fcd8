"""`rootplex campaign`: random topologies booted on real kernels, beside the simulation."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec

from rootplex.campaign.booted import LONGEST, booted_board
from rootplex.campaign.drawn import NAMES, SEED, TOPOLOGIES, USUAL, Drawn, numbers
from rootplex.campaign.machines import HAVE
from rootplex.cli import many
from rootplex.cli.console import Console
from rootplex.cli.fetch_kernel import cache_in
from rootplex.cli.formats import add_format, report, show
from rootplex.cli.frame import UsageError
from rootplex.cli.many import add_many, spread_here, streams
from rootplex.fleet.work import Record, Work
from rootplex.jobs.boards import Board
from rootplex.jobs.result import Booted, Result, exit_status
from rootplex.known.kernels import FIRST, SUITES
from rootplex.report.campaign import sentence, told
from rootplex.tools import kernels
from rootplex.tools.images import Arch

OLDEST_OF = {"virtio": "linux-6.12"}
"""The oldest kernel of Debian's with a driver for it, where that is not the usual one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which topologies, on which kernels."""
    parser.add_argument(
        "--arch", choices=tuple(TOPOLOGIES), help=f"of the machines (default: {' and '.join(USUAL)})"
    )
    counts = ", ".join(f"{count} of {arch}" for arch, count in TOPOLOGIES.items())
    parser.add_argument(
        "--topologies", type=_count, metavar="N", help=f"so many of each architecture (default: {counts})"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, metavar="S", help=f"other topologies (default: {SEED})"
    )
    parser.add_argument(
        "--first", type=_count, default=0, metavar="M", help="begin at this number (default: 0)"
    )
    themes = parser.add_mutually_exclusive_group()
    themes.add_argument(
        "--themes", action="store_true", help="around a theme each: masks, hot plug, virtual functions, …"
    )
    themes.add_argument(
        "--theme", choices=NAMES["arm64"], help="all around this one: every so manieth of --themes"
    )
    themes.add_argument(
        "--iommu",
        choices=tuple(HAVE),
        help="machines of QEMU's own devices behind this IOMMU (amd: on a full kernel)",
    )
    parser.add_argument(
        "--dom0",
        choices=tuple(SUITES),
        help=f"the kernel (default: {FIRST['arm64']}, of riscv64 {FIRST['riscv64']})",
    )
    add_many(parser, "boot")
    add_format(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Boot each topology; of text a line each as it comes, and all in a sentence. 1 with any difference."""
    boards = Drawn(
        seed=arguments.seed,
        numbers={
            arch: numbers(arch, arguments.first, arguments.topologies or count, arguments.theme)
            for arch, count in TOPOLOGIES.items()
            if arch in ((arguments.arch,) if arguments.arch else HAVE.get(arguments.iommu, USUAL))
        },
        themes=arguments.themes or arguments.theme is not None,
        unit=arguments.iommu,
    )
    refused = [arch for arch in boards.numbers if arch not in HAVE.get(arguments.iommu, boards.numbers)]
    if refused:
        raise UsageError(f"QEMU has no machine of {refused[0]} with --iommu {arguments.iommu}")
    cache = cache_in(console.environment)
    releases = {
        arch: kernels.newest(
            cache,
            arch,
            arguments.dom0 or (OLDEST_OF.get(arguments.iommu) or FIRST[arch]),
            full=arguments.iommu == "amd",
        ).release
        for arch in boards.numbers
    }
    boot = partial(_booted, releases=releases)
    sums: Counter[str] = Counter()
    if streams(arguments):
        work = Work(call=boot, settings=f"campaign {releases}", strict=arguments.strict, seconds=LONGEST)
        status = many.run(work, boards, arguments, console, partial(_add_line, sums))
        (console.tell if arguments.format == "jsonl" else console.print)(sentence(sums))
        return status
    results = _seen(spread_here(boot, boards, arguments.jobs), sums, len(boards), arguments, console)
    if arguments.format == "text":
        status = exit_status(results, strict=arguments.strict)
        console.print(sentence(sums))
        return status
    return report(results, {}, arguments, console)


def _booted(board: Board, releases: Mapping[Arch, str]) -> Result:
    """On whatever machine does it: by a kernel that is unpacked there."""
    return booted_board(board, cache_in(os.environ), releases)


def _seen(
    results: Iterable[Result], sums: Counter[str], total: int, arguments: argparse.Namespace, console: Console
) -> Iterator[Result]:
    """The same results, each added up, and as text shown, when it comes."""
    for done, result in enumerate(results, start=1):
        _add(sums, result.booted)
        if arguments.format == "text":
            show((result,) if result.findings else (), {}, "text", console)
            for line in told(result):
                console.print(line)
        console.progress(result.file, done=done, total=total)
        yield result


class _Line(msgspec.Struct):
    booted: Booted | None = None


_line = msgspec.json.Decoder(_Line).decode


def _add_line(sums: Counter[str], record: Record) -> None:
    _add(sums, _line(record.line).booted)


def _add(sums: Counter[str], booted: Booted | None) -> None:
    if booted is not None:
        sums["topologies"] += 1
        sums.update(booted.figures)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("a whole number, not below 0")
    return number
