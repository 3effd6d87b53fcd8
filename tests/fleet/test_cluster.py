"""Work over a Dask cluster on loopback: the same bytes, a worker that is killed, a board that kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rootplex.source.shipped import shipped_folder

pytest.importorskip("distributed")

POISON = """
import os, signal, sys
from rootplex.fleet.cluster import spread
from rootplex.fleet.work import Work
from rootplex.jobs.boards import Board, Item
from rootplex.jobs.result import Result, unreadable

def work(board):
    if board.name == "b3":
        os.kill(os.getpid(), signal.SIGKILL)
    return unreadable(board.name, ())

if __name__ == "__main__":
    boards = [Board((Item(f"b{n}", None, b"x"),)) for n in range(8)]
    told = lambda line: print(line, file=sys.stderr)
    for record in spread(Work(call=work, settings="test"), boards, sys.argv[1], told):
        print(record.glance.file, record.glance.errors)
"""


def dask(program: str, *words: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{program}", *words]


@contextmanager
def running(argv: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def seen(log: Path, word: str) -> str:
    """The line of a log with this word, once it is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for line in log.read_text().splitlines():
            if word in line:
                return line
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers of one thread."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        stack.enter_context(running(scheduler, folder / "s"))
        address = seen(folder / "s", "Scheduler at:").split()[-1]
        for name in "ab":
            place = ["--local-directory", str(folder / f"w{name}")]
            worker = dask("worker", address, "--nthreads", "1", "--no-dashboard", *place)
            stack.enter_context(running(worker, folder / name))
        for name in "ab":
            seen(folder / name, "Registered to:")
        yield address


def rootplex(*words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "rootplex", *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_results_are_those_of_one_process_though_a_worker_is_killed(cluster: str, tmp_path: Path) -> None:
    board = (shipped_folder("topologies") / "zynqmp-zcu102.yaml").read_text()
    for number in range(90):
        (tmp_path / f"{number:02d}.yaml").write_text(f"{board}# {number}\n")
    boards = sorted(map(str, tmp_path.glob("*.yaml")))
    results = tmp_path / "r.jsonl"
    victim = a_worker(cluster)
    on_cluster = rootplex("check", *boards, "--cluster", cluster, "--resume", str(results))
    until = time.monotonic() + 60
    while not (results.exists() and results.stat().st_size):
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)
    _, told = on_cluster.communicate(timeout=120)
    assert on_cluster.returncode == 0, told
    assert re.search(
        r"^rootplex: worker tcp://[0-9.:]+ is gone; others do what it was at$", told, re.MULTILINE
    )
    alone = rootplex("check", *boards, "--format", "jsonl")
    assert alone.communicate(timeout=120)[0] == results.read_text()


def test_a_board_that_ends_its_worker_each_time_is_given_up(cluster: str, tmp_path: Path) -> None:
    program = tmp_path / "poison.py"
    program.write_text(POISON)
    done = subprocess.run(
        [sys.executable, str(program), cluster], capture_output=True, text=True, timeout=120, check=False
    )
    assert [f"b{n} {int(n == 3)}" for n in range(8)] == done.stdout.splitlines(), done.stderr
    assert "b3: given up, it ended its worker each time" in done.stderr


def test_a_worker_of_another_version_is_refused(cluster: str) -> None:
    argv = ["check", "none.yaml", "--cluster", cluster, "--format", "jsonl"]
    program = f"""
import sys
import rootplex.project
rootplex.project.__version__ = "9.9"
from rootplex.cli import main
sys.exit(main({argv}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    line = r"rootplex: worker tcp://[0-9.:]+ has rootplex [0-9.]+, and this is 9\.9: install one version\n"
    assert re.fullmatch(line, done.stderr), done.stderr


def test_an_address_that_does_not_answer(tmp_path: Path) -> None:
    begun = time.monotonic()
    process = rootplex("check", "none.yaml", "--cluster", "tcp://127.0.0.1:1", "--format", "jsonl")
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (
        2,
        "rootplex: no Dask scheduler answers at tcp://127.0.0.1:1 within 5 seconds\n",
    )
    assert time.monotonic() - begun < 30


def a_worker(cluster: str) -> int:
    """The process of one of the cluster's workers."""
    program = (
        "import os, distributed\n"
        f"client = distributed.Client({cluster!r})\n"
        "print(*client.run(os.getpid).values())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])
