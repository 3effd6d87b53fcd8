"""Many boards: how many at once and where, results that stream, and work that is not done twice."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError
from rootplex.fleet.results import Results, results_of
from rootplex.fleet.work import Record, Work
from rootplex.jobs.boards import Board, Boards, Item
from rootplex.jobs.result import Glance, Tally
from rootplex.jobs.survey import NotResultsError
from rootplex.report import text
from rootplex.report.summary import table, worst
from rootplex.report.words import counted
from rootplex.source.printable import printable

T = TypeVar("T")
R = TypeVar("R")

WORST = 20


def add_many(parser: argparse.ArgumentParser, does: str) -> None:
    """`-j`, `--resume`, `--cluster` of a command that `does` something with many files."""
    parser.add_argument(
        "-j", "--jobs", type=jobs, default=1, metavar="N", help=f"{does} N at once (default: 1)"
    )
    parser.add_argument(
        "--resume",
        metavar="FILE",
        help="add the results to FILE, a line of JSON each, and leave out what it has already: same bytes, "
        "same options, same version",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="do it on the Dask cluster of this scheduler, as tcp://host:8786 (extra rootplex[cluster])",
    )


def jobs(text: str) -> int:
    """The number of processes, as an option's value."""
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("between 1 and 64")
    return number


def board_of(name: str) -> Board:
    """A description as it is named: a file, or - for standard input, which is read now."""
    if name != "-":
        return Board((Item(name, None),))
    label, data = read_input(name)
    return Board((Item(label, None, data),))


def streams(arguments: argparse.Namespace) -> bool:
    """Whether results are lines, written as they come; else all are shown together at the end."""
    if arguments.resume and arguments.format not in ("text", "jsonl"):
        raise UsageError("--resume writes lines of JSON: leave --format out")
    if arguments.cluster and not arguments.resume and arguments.format != "jsonl":
        raise UsageError("--cluster takes --format jsonl or --resume FILE: results come one by one")
    return bool(arguments.resume or arguments.cluster or arguments.format == "jsonl")


def run(
    work: Work,
    boards: Boards,
    arguments: argparse.Namespace,
    console: Console,
    see: Callable[[Record], None] = lambda _: None,
    stands: Callable[[Board, Record], bool] = lambda _board, _record: True,
) -> int:
    """Do the work and write a line a board, to `--resume`'s file or standard output; of several the worst are
    a table at the end, and a tally. `see` gets each record, also those that the file had and that `stands`
    says still hold. The exit status."""
    tally = Tally()
    with _results(arguments) as results:
        if results is None:
            seen = _written(spread_out(work, boards, arguments, console), console)
        else:
            seen = _gone_on(work, boards, results, stands, arguments, console)
        rows = worst(_counted(seen, see, tally, len(boards), console), WORST)
    if len(boards) > 1:
        to = console.out if arguments.resume and arguments.format == "text" else console.err
        console.clear_progress()
        lines = (*table(rows), "", text.tally(tally, text.Style(console.colour)))
        to.write(printable("\n".join(lines), coloured=console.colour))
    return tally.status


def spread_out(
    work: Work, boards: Iterable[Board], arguments: argparse.Namespace, console: Console
) -> Iterator[Record]:
    """The records in the order of the boards, from where the command line says."""
    if arguments.cluster is None:
        yield from _by_processes(work.record, boards, arguments.jobs, work.lost)
        return
    try:
        from rootplex.fleet import cluster
    except ImportError:
        raise UsageError("--cluster wants Dask: pip install 'rootplex[cluster]'") from None
    try:
        yield from cluster.spread(work, boards, arguments.cluster, console.tell)
    except cluster.NoClusterError as error:
        raise UsageError(str(error)) from None


def spread_here(call: Callable[[T], R], work: Iterable[T], workers: int) -> Iterator[R]:
    """`call` of each by processes of this machine, where all results are wanted or none: UsageError where one
    of them is ended from outside twice (no memory, perhaps)."""

    def lost(_: T) -> R:
        raise UsageError("a worker process was ended from outside, perhaps for want of memory")

    return _by_processes(call, work, workers, lost)


def _by_processes(
    call: Callable[[T], R], work: Iterable[T], workers: int, lost: Callable[[T], R]
) -> Iterator[R]:
    """Here, where one worker is wanted; what starts processes is loaded for more."""
    if workers == 1:
        return map(call, work)
    from rootplex.fleet import local

    return local.spread(call, work, workers, lost)


@contextmanager
def _results(arguments: argparse.Namespace) -> Iterator[Results | None]:
    if arguments.resume is None:
        yield None
        return
    try:
        with results_of(Path(arguments.resume)) as results:
            yield results
    except NotResultsError as error:
        raise UsageError(str(error)) from None


def _written(records: Iterable[Record], console: Console) -> Iterator[Record]:
    for record in records:
        console.document(record.line)
        yield record


def _gone_on(
    work: Work,
    boards: Boards,
    results: Results,
    stands: Callable[[Board, Record], bool],
    arguments: argparse.Namespace,
    console: Console,
) -> Iterator[Record]:
    """What the file has, then what it lacks; at the end it holds these boards and nothing else."""
    if results.torn:
        console.tell(
            f"{arguments.resume}: {counted(results.torn, 'line')} cut off or not ours; "
            f"{counted(len(results), 'whole result')} used"
        )
    had = len(results)
    keys = list(map(work.key, boards))
    there = []
    for board, key in zip(boards, keys, strict=True):
        record = results.record(key, strict=arguments.strict) if key in results else None
        there.append(record is not None and stands(board, record))
        if record is not None and there[-1]:
            yield record
    if (stale := had - len({key for key in keys if key in results})) > 0:
        console.tell(f"{counted(stale, 'result')} of other bytes, options, version or boards: left out")
    missing = (board for board, is_there in zip(boards, there, strict=True) if not is_there)
    for record in spread_out(work, missing, arguments, console):
        results.add(record.key, record.line)
        yield record
    results.finish(keys)


def _counted(
    seen: Iterable[Record], see: Callable[[Record], None], tally: Tally, total: int, console: Console
) -> Iterator[Glance]:
    for done, each in enumerate(seen, start=1):
        see(each)
        tally.add(each.glance)
        console.progress(each.glance.file, done=done, total=total)
        yield each.glance
