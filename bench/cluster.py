"""Many boards on a cluster of this machine, and what it holds in memory meanwhile: the tables of `fleet.md`.

    python -m bench.cluster --boards 20000 --folder FOLDER [--compared 2000]

Boards are distinct: random topologies of the seed, a description each, which `rootplex check` takes by
`--cluster` of a scheduler with two workers. In the middle of the first 2,000 a worker is killed, and the
lines of these are compared with those of `-j 1`. The folder keeps the boards: a second run does not draw
them again.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from rootplex.campaign.drawn import random_description, text_of

ROWS = 10
PROGRAM = (sys.executable, "-m", "rootplex")
WORKERS = ("a", "b")


def boards(folder: Path, count: int, seed: int) -> list[str]:
    """The names of the boards' files, which are written where they are not there."""
    names = [f"{number:05d}.yaml" for number in range(count)]
    for number, name in enumerate(names):
        if not (folder / name).exists():
            (folder / name).write_bytes(text_of(random_description("arm64", seed, number)))
    return names


ENVIRONMENT = {**os.environ, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
"""Dask's profiler keeps what it has seen of a quarter of an hour: 250 MB."""


@contextmanager
def running(argv: list[str], log: Path, folder: Path) -> Iterator[psutil.Popen]:
    """A process of a session of its own, ended with all that it started."""
    with log.open("wb") as out:
        process = psutil.Popen(
            argv, stdout=out, stderr=out, start_new_session=True, cwd=folder, env=ENVIRONMENT
        )
    try:
        yield process
    finally:
        if process.is_running():
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def dask(program: str, *words: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{program}", *words]


def told(log: Path, word: str) -> str:
    """The line of a log with this word, once it is there."""
    while True:
        for line in log.read_text().splitlines():
            if word in line:
                return line
        time.sleep(0.1)


def megabytes(process: psutil.Process) -> int:
    """What a process and those below it hold (RSS)."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total >> 20


class Growing:
    """A file that lines are added to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self.lines = 0

    def count(self) -> int:
        """How many lines there are by now."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                while data := file.read(1 << 20):
                    self._at += len(data)
                    self.lines += data.count(b"\n")
        return self.lines


def row(done: int, seconds: float, processes: Mapping[str, psutil.Process]) -> str:
    held = " | ".join(f"{megabytes(each):,} MB" for each in processes.values())
    return f"| {done:,} | {seconds:,.0f} s | {held} |"


def main() -> int:
    """Print the table, and whether the bytes are those of one process (else 1)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--boards", type=int, default=2000)
    parser.add_argument("--compared", type=int, default=2000, help="so many are done again by -j 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names = boards(folder, arguments.boards, arguments.seed)
    print(f"{datetime.now(tz=UTC).date()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    print(f"{len(names):,} boards, seed {arguments.seed}, two workers of one thread\n")
    print("| boards done | time | scheduler | client | worker a | worker b |\n|---|---|---|---|---|---|")
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    with ExitStack() as stack:
        address, processes = started(folder, stack)
        words = ["check", *names, "--cluster", address, "--resume", results.name]
        client = stack.enter_context(running([*PROGRAM, *words], folder / "client", folder))
        processes = {"scheduler": processes.pop("scheduler"), "client": client, **processes}
        begun = time.monotonic()
        for line in watched(client, processes, Growing(results), len(names), arguments.compared // 2):
            print(line, flush=True)
        seconds = time.monotonic() - begun
    rate = f"{len(names):,} boards in {seconds:,.0f} s: {len(names) / seconds:.1f} a second"
    print(f"\n{rate}; exit status {client.returncode}")
    print("\n".join(line for line in (folder / "client").read_text().splitlines() if " gone" in line))
    if client.returncode not in (0, 1):
        return 1
    compared = min(arguments.compared, len(names))
    begun = time.monotonic()
    with (folder / "alone.jsonl").open("wb") as out:
        words = ["check", *names[:compared], "--format", "jsonl"]
        subprocess.run([*PROGRAM, *words], stdout=out, stderr=subprocess.DEVNULL, cwd=folder, check=False)
    with results.open("rb") as file:
        same = b"".join(islice(file, compared)) == (folder / "alone.jsonl").read_bytes()
    took = time.monotonic() - begun
    alone = f"The first {compared:,} by -j 1: {took:,.0f} s, {compared / took:.1f} a second"
    print(f"{alone}; their bytes are {'the same' if same else 'OTHERS'}")
    return 0 if same else 1


def started(folder: Path, stack: ExitStack) -> tuple[str, dict[str, psutil.Process]]:
    """The address of a scheduler, and its process and those of its workers."""
    argv = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    processes = {"scheduler": stack.enter_context(running(argv, folder / "s", folder))}
    address = told(folder / "s", "Scheduler at:").split()[-1]
    for name in WORKERS:
        place = ["--local-directory", str(folder / f"worker-{name}")]
        argv = dask("worker", address, "--nthreads", "1", "--no-dashboard", *place)
        processes[f"worker {name}"] = stack.enter_context(running(argv, folder / name, folder))
    for name in WORKERS:
        told(folder / name, "Registered to:")
    return address, processes


def watched(
    client: psutil.Popen, processes: Mapping[str, psutil.Process], lines: Growing, total: int, killing: int
) -> Iterator[str]:
    """A row of the table now and then, until the client ends; at so many boards a worker is killed."""
    begun = time.monotonic()
    due = step = max(1, total // ROWS)
    killed = False
    while client.poll() is None:
        done = lines.count()
        if not killed and done >= killing:
            (victim,) = processes["worker a"].children()[-1:]
            victim.kill()
            killed = True
            yield f"| {done:,} | {time.monotonic() - begun:,.0f} s | | | killed | |"
        if done >= due:
            yield row(done, time.monotonic() - begun, processes)
            due = done - done % step + step
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
