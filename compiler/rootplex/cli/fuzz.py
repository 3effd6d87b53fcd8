"""`rootplex fuzz`: random and malformed load on what is read and on the simulated hypervisor."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from secrets import randbelow

import msgspec

from rootplex import __version__
from rootplex.cli.console import Console
from rootplex.cli.frame import UsageError
from rootplex.fuzz.campaign import Campaign, Count, read_campaign, write_campaign
from rootplex.fuzz.campaign import run as tried
from rootplex.fuzz.inputs import kept
from rootplex.fuzz.targets import ROWS, TARGETS, rows_of
from rootplex.jobs.result import Result
from rootplex.report import fuzz, json_form, text
from rootplex.tools.git import head

SECONDS = 60.0
"""How long it goes where neither a time nor a count is asked for."""
SAVED_EVERY = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is tried, for how long, and where it goes on."""
    parser.add_argument(
        "--target",
        choices=(*TARGETS, *ROWS),
        action="append",
        help="a target, or a format alone; may be repeated (default: all)",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        metavar="N",
        help=f"how long (without --count: {SECONDS:.0f})",
    )
    parser.add_argument(
        "--count", type=_whole, metavar="N", help="how many sequences, accesses, or inputs of each format"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="the seed (default: a new one, printed)")
    parser.add_argument(
        "--resume",
        metavar="FILE",
        help="go on where this file says; it is made, and kept up to date",
    )
    parser.add_argument(
        "--begin", metavar="FOLDER", help="whole inputs to damage, beside the bundled boards': also snapshots"
    )
    parser.add_argument(
        "--coverage", action="store_true", help="also print which results each operation came to"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Try, tell, and print the table; 1 with any failure."""
    place = None if arguments.resume is None else Path(arguments.resume)
    campaign = _campaign(place, arguments.seed)
    begin = {} if arguments.begin is None else kept(Path(arguments.begin))
    targets = tuple(dict.fromkeys(arguments.target or TARGETS))
    rows = [row for target in targets for row in rows_of(target, _show, begin)]
    seconds = arguments.seconds
    if seconds is None and arguments.count is None:
        seconds = SECONDS
    console.tell(f"seed {campaign.seed}")
    saved = time.monotonic()

    def tell(campaign: Campaign, done: Count) -> None:
        nonlocal saved
        console.progress(fuzz.progress(done))
        if place is not None and time.monotonic() - saved > SAVED_EVERY:
            write_campaign(place, campaign)
            saved = time.monotonic()

    try:
        for failure in tried(campaign, rows, seconds=seconds, count=arguments.count, tell=tell):
            console.print(fuzz.failure(failure))
    finally:
        if place is not None:
            write_campaign(place, campaign)
    console.print("\n".join((fuzz.HEAD, *fuzz.table(campaign))))
    if arguments.coverage:
        console.print("\n" + "\n".join(fuzz.coverage(campaign)))
    return int(any(done.failures for done in campaign.counts))


def _campaign(place: Path | None, seed: int | None) -> Campaign:
    if place is None or not place.exists():
        revision = head() or f"version {__version__}"
        return Campaign(seed=randbelow(1 << 32) if seed is None else seed, revision=revision)
    try:
        campaign = read_campaign(place)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{place} is no file of this command: {error}") from None
    if seed not in (None, campaign.seed):
        raise UsageError(f"{place} was begun with --seed {campaign.seed}")
    return campaign


def _show(result: Result) -> object:
    """Each result is also reported, in the forms that people and programs read."""
    return text.render((result,), text.Sources({}), text.Style(False)), json_form.render((result,))


def _positive(word: str) -> float:
    value = float(word)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("a number of seconds above 0")
    return value


def _whole(word: str) -> int:
    value = int(word)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number above 0")
    return value
