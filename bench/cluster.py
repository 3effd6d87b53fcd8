"""Many boards on a cluster of this machine, and what it holds in memory meanwhile: the tables of `fleet.md`.

    python -m bench.cluster --boards 20000 --folder FOLDER          memory, by the boards that are done
    python -m bench.cluster --boards 2000 --folder FOLDER --kill    a worker killed: the bytes of -j 1

Boards are distinct: random topologies of the seed, a description each, which `rootplex check` takes by
`--cluster` of a scheduler with two workers. The folder keeps the boards and the results: a run that was
interrupted is gone on with.
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
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from rootplex.campaign.drawn import Drawn

ROWS = 10
WORKERS = ("a", "b")


def boards(folder: Path, count: int, seed: int) -> list[str]:
    """The names of the boards' files, which are written where they are not there."""
    names = []
    for board in Drawn(seed=seed, numbers={"arm64": range(count)}):
        path = folder / board.name
        if not path.exists():
            path.write_bytes(board.items[0].data or b"")
        names.append(board.name)
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
    """Print the table; with `--kill`, whether the bytes are those of one process (else 1)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--boards", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kill", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names = boards(folder, arguments.boards, arguments.seed)
    print(f"{datetime.now(tz=UTC).date()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    print(f"{len(names):,} boards, seed {arguments.seed}, two workers of one thread\n")
    print("| boards done | time | scheduler | client | worker a | worker b |\n|---|---|---|---|---|---|")
    results = folder / "results.jsonl"
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            running(
                dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
                folder / "s",
                folder,
            )
        )
        address = told(folder / "s", "Scheduler at:").split()[-1]
        workers = {}
        for name in WORKERS:
            place = ["--local-directory", str(folder / f"worker-{name}")]
            argv = dask("worker", address, "--nthreads", "1", "--no-dashboard", *place)
            workers[f"worker {name}"] = stack.enter_context(running(argv, folder / name, folder))
        for name in WORKERS:
            told(folder / name, "Registered to:")
        begun = time.monotonic()
        argv = [
            sys.executable,
            "-m",
            "rootplex",
            "check",
            *names,
            "--cluster",
            address,
            "--resume",
            results.name,
        ]
        client = stack.enter_context(running(argv, folder / "client", folder))
        lines = Growing(results)
        had = lines.count()
        processes = {"scheduler": scheduler, "client": client, **workers}
        step = max(1, (len(names) - had) // ROWS)
        due, killed = had + step, not arguments.kill
        while client.poll() is None:
            done = lines.count()
            if not killed and done >= had + (len(names) - had) // 2:
                (victim,) = workers["worker a"].children()[-1:]
                victim.kill()
                killed = True
                print(f"| {done:,}: worker a is killed | | | | | |", flush=True)
            if done >= due:
                print(row(done, time.monotonic() - begun, processes), flush=True)
                due = done - done % step + step
            time.sleep(0.2)
        seconds = time.monotonic() - begun
    done = lines.count() - had if client.returncode not in (0, 1) else len(names) - had
    rate = f"{done:,} boards in {seconds:,.0f} s: {done / seconds:.1f} a second"
    print(f"\n{rate}; exit status {client.returncode}")
    print("\n".join(line for line in (folder / "client").read_text().splitlines() if " gone" in line))
    if not arguments.kill:
        return 0
    begun = time.monotonic()
    argv = [sys.executable, "-m", "rootplex", "check", *names, "--format", "jsonl"]
    with (folder / "alone.jsonl").open("wb") as out:
        subprocess.run(argv, stdout=out, stderr=subprocess.DEVNULL, cwd=folder, check=False)
    same = (folder / "alone.jsonl").read_bytes() == results.read_bytes()
    print(f"-j 1: {time.monotonic() - begun:,.0f} s; its bytes are {'the same' if same else 'OTHERS'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
