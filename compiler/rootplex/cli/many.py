"""Many boards: how many at once and where, results that stream, and work that is not done twice."""

from __future__ import annotations

import argparse
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import length_hint
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError
from rootplex.fleet.results import Results, results_of
from rootplex.fleet.work import Record, Work
from rootplex.jobs.boards import Board, Item
from rootplex.jobs.result import Glance, Tally
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


class Descriptions(Struct, frozen=True):
    """Descriptions as they are named: files, or - for standard input, which is read in its turn."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Board]:
        for name in self.names:
            if name == "-":
                label, data = read_input(name)
                yield Board((Item(label, None, data),))
            else:
                yield Board((Item(name, None),))


def streams(arguments: argparse.Namespace) -> bool:
    """Whether results are lines, written as they come; else all are shown together at the end."""
    if arguments.resume and arguments.format not in ("text", "jsonl"):
        raise UsageError("--resume writes lines of JSON: leave --format out")
    if arguments.cluster and not arguments.resume and arguments.format != "jsonl":
        raise UsageError("--cluster takes --format jsonl or --resume FILE: results come one by one")
    return bool(arguments.resume or arguments.cluster or arguments.format == "jsonl")


def run(
    work: Work,
    boards: Iterable[Board],
    arguments: argparse.Namespace,
    console: Console,
    see: Callable[[Record], None] = lambda _: None,
    stands: Callable[[Board, Record], bool] = lambda _board, _record: True,
) -> int:
    """Do the work and write a line a board, to `--resume`'s file or standard output; of several the worst are
    a table at the end, and a tally. `see` gets each record, also those that the file had and that `stands`
    says still hold. The exit status."""
    seen = _Seen(boards, see, console)
    with _results(arguments) as results:
        if results is None:
            for record in spread_out(work, boards, arguments, console):
                console.document(record.line)
                seen.add(record)
        else:
            _go_on(work, boards, results, stands, seen.add, arguments, console)
    if seen.tally.verdicts.total() > 1:
        to = console.out if arguments.resume and arguments.format == "text" else console.err
        console.clear_progress()
        lines = (*table(worst(seen.rows, WORST)), "", text.tally(seen.tally, text.Style(console.colour)))
        to.write(printable("\n".join(lines), coloured=console.colour))
    return seen.tally.status


class _Seen:
    """What is kept of records as they come: a tally, and a few rows with the worst among them."""

    def __init__(self, boards: Iterable[Board], see: Callable[[Record], None], console: Console) -> None:
        self._boards = boards
        self._see = see
        self._console = console
        self.tally = Tally()
        self.rows: list[Glance] = []

    def add(self, record: Record) -> None:
        self._see(record)
        self.tally.add(record.glance)
        self.rows.append(record.glance)
        if len(self.rows) > 10 * WORST:
            self.rows = worst(self.rows, WORST)
        done = self.tally.verdicts.total()
        self._console.progress(record.glance.file, done=done, total=max(done, length_hint(self._boards)))


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
    yield from cluster.spread(work, boards, arguments.cluster, console.tell)


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
    with results_of(Path(arguments.resume)) as results:
        yield results


def _go_on(
    work: Work,
    boards: Iterable[Board],
    results: Results,
    stands: Callable[[Board, Record], bool],
    see: Callable[[Record], None],
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    """What the file lacks is done; at the end it holds these boards and nothing else. A board is looked up
    when its turn comes, and of all there are only their lines' places are kept."""
    if results.torn:
        console.tell(
            f"{arguments.resume}: {counted(results.torn, 'line')} cut off or not ours; "
            f"{counted(len(results), 'whole result')} used"
        )
    stale = len(results)
    lines = array("Q")
    missing: deque[int] = deque()

    def undone() -> Iterator[Board]:
        nonlocal stale
        for board in boards:
            key = work.key(board)
            record = results.record(key, strict=arguments.strict) if key in results else None
            stale -= record is not None
            if record is not None and stands(board, record):
                lines.append(results.place(key))
                see(record)
            else:
                missing.append(len(lines))
                lines.append(0)
                yield board

    for record in spread_out(work, undone(), arguments, console):
        made = record.key in results and results.place(record.key) >= results.end  # a board named twice
        lines[missing.popleft()] = results.place(record.key) if made else results.add(record.key, record.line)
        see(record)
    if stale > 0:
        console.tell(f"{counted(stale, 'result')} of other bytes, options, version or boards: left out")
    results.finish(lines)
