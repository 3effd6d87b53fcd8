"""Work spread over a Dask cluster, results in the order of the work.

The scheduler is Dask's own: it gives a board to another worker where one goes away, and gives up on one that
has ended its worker too often (`distributed.scheduler.allowed-failures`). What is ours: how much is under way
at a time, a worker that hangs, and that all are of one version.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Event

from distributed import Client, Future, KilledWorker
from distributed import TimeoutError as TookTooLong

from rootplex.fleet.work import Record, Work, with_bytes
from rootplex.jobs.boards import Board
from rootplex.project import __version__
from rootplex.source.finding import Unreadable
from rootplex.tools import leaving

AHEAD = 8
"""Boards for each thread of the cluster that are under way before the oldest is done."""
CONNECT_SECONDS = 5
TRIES = 3
LOOK_SECONDS = 1.0
"""Between two looks at which workers there are."""


class NoClusterError(Exception):
    """There is no cluster to work on; the text is the sentence for the user."""


def spread(
    work: Work, boards: Iterable[Board], address: str, tell: Callable[[str], None]
) -> Iterator[Record]:
    """The record of each board, from the workers of this scheduler; `tell` gets a line for a worker that is
    lost. Boards travel with their bytes.

    NoClusterError: nobody answers at the address, there is no worker, or one has another version of ours.
    """
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TookTooLong):
        raise NoClusterError(
            f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} seconds"
        ) from None
    try:
        _same_version(client, address)
    except NoClusterError:
        client.close()
        raise
    return _spread(client, work, boards, tell)


def _same_version(client: Client, address: str) -> None:
    versions = client.run(_version, on_error="return")
    if not versions:
        raise NoClusterError(f"the cluster at {address} has no workers")
    for worker, version in versions.items():
        if version != __version__:
            has = f"rootplex {version}" if isinstance(version, str) else "no rootplex that can be imported"
            raise NoClusterError(f"worker {worker} has {has}, and this is {__version__}: install one version")


def _version() -> str:
    return __version__


def _spread(
    client: Client, work: Work, boards: Iterable[Board], tell: Callable[[str], None]
) -> Iterator[Record]:
    under_way: deque[tuple[Board, Future[Record] | Record]] = deque()
    workers = _Workers(client, tell)
    with client:
        for board in boards:
            under_way.append((board, _begun(client, work, board)))
            if len(under_way) >= AHEAD * workers.threads:
                yield _record(*under_way.popleft(), work, workers)
        while under_way:
            yield _record(*under_way.popleft(), work, workers)


def _begun(client: Client, work: Work, board: Board) -> Future[Record] | Record:
    """The board on its way with its bytes; what cannot be read has its record at once."""
    try:
        return client.submit(_recorded, __version__, work, with_bytes(board), pure=False)
    except (OSError, Unreadable):
        return work.record(board)


def _recorded(version: str, work: Work, board: Board) -> Record:
    """On a worker, which may have joined after all were asked for their version."""
    if version != __version__:
        raise NoClusterError(
            f"a worker has rootplex {__version__}, and this is {version}: install one version"
        )
    return work.record(board)


def _record(board: Board, begun: Future[Record] | Record, work: Work, workers: _Workers) -> Record:
    if isinstance(begun, Record):
        return begun
    last = ""
    for _ in range(TRIES):
        try:
            return workers.result(begun, work.seconds)
        except KilledWorker as error:
            # The scheduler blames all that the worker had. What stood before this one is done now: once more.
            if last:
                workers.tell(f"{board.name}: given up, it ended its worker each time (the last: {last})")
                break
            last = error.last_worker.address
            begun = workers.again(work, board)
        except TookTooLong:
            workers.restart(begun, board)
    begun.cancel()
    return work.lost(board)


class _Workers:
    """The cluster's workers: each that goes away is told once."""

    def __init__(self, client: Client, tell: Callable[[str], None]) -> None:
        self._client = client
        self.tell = tell
        self._known: set[str] = set()
        self._looked = 0.0
        self.threads = max(1, sum(client.nthreads().values()))
        self._look()

    def result(self, future: Future[Record], seconds: float) -> Record:
        """A future's result, KilledWorker or TookTooLong: it is waited for so long."""
        until = time.monotonic() + seconds
        done = Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(leaving.LOOK_SECONDS):
            self._look()
            if time.monotonic() > until:
                raise TookTooLong
        record: Record = future.result(timeout=seconds)  # it may have gone with its worker, and come anew
        self._look()
        return record

    def again(self, work: Work, board: Board) -> Future[Record]:
        """The board on its way once more."""
        return self._client.submit(_recorded, __version__, work, with_bytes(board), pure=False)

    def restart(self, future: Future[Record], board: Board) -> None:
        """Begin the worker anew that has this board; the scheduler gives what it had to others."""
        hanging = [each for each, keys in self._client.processing().items() if future.key in keys]
        for worker in hanging:
            self.tell(f"worker {worker} hangs at {board.name} and is started anew")
        self._client.restart_workers(hanging, raise_for_error=False)

    def _look(self) -> None:
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        now = set(self._client.scheduler_info(n_workers=-1)["workers"])
        for worker in sorted(self._known - now):
            self.tell(f"worker {worker} is gone; others do what it was at")
        self._known = now
