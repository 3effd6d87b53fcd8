"""Work spread over a Dask cluster, results in the order of the work.

The scheduler is Dask's own. What is ours: how much is under way at a time, that all are of one version, a
worker that hangs, and how often a board is tried. When a worker goes away, Dask would give all that it had
to others a few times and then blame them all; it is told to give it back at once (`allowed-failures`), and
each is tried again when its turn comes: what stood before it is done then, and what ends its worker is alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Event

from dask.typing import Key
from distributed import Client, Future, KilledWorker, Scheduler
from distributed import TimeoutError as TookTooLong
from distributed.client import FutureCancelledError

from rootplex.fleet.work import ENDED, Record, Work, with_bytes
from rootplex.jobs.boards import Board
from rootplex.project import __version__
from rootplex.source.finding import CannotDo, Unreadable
from rootplex.tools import leaving

AHEAD = 8
"""Boards for each thread of the cluster that are under way before the oldest is done."""
CONNECT_SECONDS = 5
TRIES = 3
KEPT = "what is done is kept where --resume says so"
LOOK_SECONDS = 1.0
"""Between two looks at which workers there are."""


class NoClusterError(CannotDo):
    """There is no cluster to work on."""


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
        client.run_on_scheduler(_give_back)
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


def _give_back(dask_scheduler: Scheduler) -> None:
    """On the scheduler: a worker that goes away is an error of what it had, at once."""
    dask_scheduler.allowed_failures = 0


def _spread(
    client: Client, work: Work, boards: Iterable[Board], tell: Callable[[str], None]
) -> Iterator[Record]:
    under_way: deque[tuple[Board, Future[Record] | Record]] = deque()
    workers = _Workers(client, tell, work.seconds)
    with client:
        for board in boards:
            under_way.append(_begun(workers, work, board))
            if len(under_way) >= AHEAD * workers.threads:
                yield _record(*under_way.popleft(), work, workers)
        while under_way:
            yield _record(*under_way.popleft(), work, workers)


def _begun(workers: _Workers, work: Work, board: Board) -> tuple[Board, Future[Record] | Record]:
    """The board with its bytes, on its way; what cannot be read has its record at once."""
    try:
        whole = with_bytes(board)
    except (OSError, Unreadable):
        return board, work.record(board)
    return whole, workers.begin(work, whole)


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
    for trial in range(TRIES):
        if trial:
            begun = workers.begin(work, board)
        try:
            return workers.result(begun)
        except KilledWorker as error:
            last = error.last_worker.address
            slow = begun.key in workers.hung
            reason = f"nothing came of it within {work.seconds:.0f} seconds" if slow else ENDED
    workers.tell(f"{board.name}: given up after {TRIES} tries, the last by worker {last}: {reason}")
    return work.lost(board, reason)


class _Workers:
    """The cluster's workers: each that goes away is told once, and one that hangs is started anew.

    `hung` are the keys of boards that a worker worked at for longer than `seconds`.
    """

    def __init__(self, client: Client, tell: Callable[[str], None], seconds: float) -> None:
        self._client = client
        self.tell = tell
        self._seconds = seconds
        self._threads: dict[str, int] = {}
        self._seen = self._looked = time.monotonic()
        self._names: dict[Key, str] = {}
        self._since: dict[Key, float] = {}
        self.hung: set[Key] = set()
        self._look()

    @property
    def threads(self) -> int:
        """Of all workers."""
        return max(1, sum(self._threads.values()))

    def begin(self, work: Work, board: Board) -> Future[Record]:
        """The board, which has its bytes, on its way."""
        future = self._client.submit(_recorded, __version__, work, board, pure=False)
        self._names[future.key] = board.name
        return future

    def result(self, future: Future[Record]) -> Record:
        """A future's result, or KilledWorker; NoClusterError where there are no workers any more, or no
        scheduler."""
        done = Event()
        future.add_done_callback(lambda _: done.set())
        try:
            while not done.wait(leaving.LOOK_SECONDS):
                self._look_now_and_then()
            record: Record = future.result(
                timeout=self._seconds
            )  # it may have gone with its worker meanwhile
            self._look_now_and_then()
            return record
        except (FutureCancelledError, OSError):
            raise NoClusterError(f"the scheduler is gone; {KEPT}") from None
        finally:
            del self._names[future.key]

    def _look_now_and_then(self) -> None:
        if time.monotonic() > self._looked + LOOK_SECONDS:
            self._looked = time.monotonic()
            self._look()

    def _look(self) -> None:
        """Which workers there are, and for how long each has been at what it works at: the first of those
        that it has, as many as it has threads."""
        now = time.monotonic()
        threads = self._client.nthreads()
        for worker in sorted(set(self._threads) - set(threads)):
            self.tell(f"worker {worker} is gone; others do what it was at")
        self._threads = threads
        if threads:
            self._seen = now
        elif now > self._seen + self._seconds:
            raise NoClusterError(f"the cluster has had no workers for {self._seconds:.0f} seconds; {KEPT}")
        processing = self._client.processing()
        at = {key: worker for worker, keys in processing.items() for key in keys[: threads.get(worker, 0)]}
        self._since = {key: self._since.get(key, now) for key in at}
        for key, since in self._since.items():
            if now > since + self._seconds and key in self._names and key not in self.hung:
                self.hung.add(key)
                self.tell(f"worker {at[key]} hangs at {self._names[key]} and is started anew")
                self._client.restart_workers([at[key]], raise_for_error=False)
