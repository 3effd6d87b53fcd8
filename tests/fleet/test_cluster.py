"""Work over a Dask cluster on loopback: the same bytes, a worker that is killed, a board that kills."""

from __future__ import annotations

import json
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

from rootplex.fleet.work import ENDED
from rootplex.source.shipped import shipped_folder

pytest.importorskip("distributed")

POISON = """
import os, signal, sys, time
from rootplex.fleet.cluster import spread
from rootplex.fleet.work import Work
from rootplex.jobs.boards import Board, Item
from rootplex.jobs.result import Result, unreadable

def grow():
    held = []
    while True:
        held.append(b"x" * (32 << 20))
        time.sleep(0.05)

POISON = {
    "b1": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "b3": lambda: time.sleep(600),
    "b5": grow,
    "b7": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}

def work(board):
    POISON.get(board.name, int)()
    return unreadable(board.name, ())

if __name__ == "__main__":
    boards = [Board((Item(f"b{n}", None, b"x"),)) for n in range(24)]
    told = lambda line: print(line, file=sys.stderr, flush=True)
    for record in spread(Work(call=work, settings="test", seconds=5), boards, sys.argv[1], told):
        print(record.glance.file, record.glance.errors, record.line, end="", flush=True)
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
            worker = dask(
                "worker", address, "--nthreads", "1", "--memory-limit", "512MiB", "--no-dashboard", *place
            )
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


def test_boards_that_end_their_worker_or_hang_are_given_up_and_nothing_else_is_lost(
    cluster: str, tmp_path: Path
) -> None:
    """One kills its worker, one sleeps, one takes all memory (Dask's nanny ends its worker then), one stops
    its worker altogether."""
    program = tmp_path / "poison.py"
    program.write_text(POISON)
    begun = subprocess.run(
        [sys.executable, str(program), cluster], capture_output=True, text=True, timeout=300, check=False
    )
    seen = [line.split(maxsplit=2) for line in begun.stdout.splitlines()]
    poisoned = ("b1", "b3", "b5", "b7")
    assert [[f"b{n}", str(int(f"b{n}" in poisoned))] for n in range(24)] == [each[:2] for each in seen]
    reasons = {name: json.loads(line)["findings"][0]["message"] for name, _, line in seen if name in poisoned}
    slow = "nothing came of it within 5 seconds"
    assert {"b1": ENDED, "b3": slow, "b5": ENDED, "b7": slow} == reasons
    for name, reason in reasons.items():
        line = rf"^{name}: given up after 3 tries, the last by worker tcp://[0-9.:]+: {reason}$"
        assert re.search(line, begun.stderr, re.MULTILINE), begun.stderr
    assert re.search(r"^worker tcp://[0-9.:]+ hangs at b3 and is started anew$", begun.stderr, re.MULTILINE)
    assert re.search(r"^worker tcp://[0-9.:]+ is gone; others do what it was at$", begun.stderr, re.MULTILINE)


def test_a_scheduler_that_goes_away_is_told_of(tmp_path: Path) -> None:
    boards = [str(place) for place in sorted(shipped_folder("topologies").glob("*.yaml"))]
    with ExitStack() as stack:
        scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        running_scheduler = stack.enter_context(running(scheduler, tmp_path / "s"))
        address = seen(tmp_path / "s", "Scheduler at:").split()[-1]
        worker = dask("worker", address, "--nthreads", "1", "--no-dashboard")
        stack.enter_context(running([*worker, "--local-directory", str(tmp_path / "w")], tmp_path / "a"))
        seen(tmp_path / "a", "Registered to:")
        process = rootplex("check", *boards, "--cluster", address, "--format", "jsonl")
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"key":')
        running_scheduler.kill()
        _, told = process.communicate(timeout=120)
    assert 2 == process.returncode
    assert "rootplex: the scheduler is gone; what is done is kept where --resume says so" in told


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


def test_what_workers_compile_is_written_here(cluster: str, tmp_path: Path) -> None:
    """A second time nothing travels: the folders are what the results say."""
    topologies = shipped_folder("topologies")
    names = [str(topologies / f"{name}.yaml") for name in ("juno-r2", "q35", "qemu-virt", "zynqmp-zcu102")]
    wrong = tmp_path / "wrong.yaml"
    text = (topologies / "qemu-virt.yaml").read_text().replace("name: qemu-virt", "name: wrong")
    wrong.write_text(text.replace("segment: 0", "segment: 70000"))
    boards = [*names, str(wrong)]

    def made(folder: str, *words: str) -> tuple[int, str, dict[str, bytes], bytes]:
        out, results = tmp_path / folder, tmp_path / f"{folder}.jsonl"
        process = rootplex("compile", *boards, "-o", str(out), "--resume", str(results), *words)
        told = "".join(process.communicate(timeout=120))
        files = {str(each.relative_to(out)): each.read_bytes() for each in out.rglob("*") if each.is_file()}
        return process.returncode, told, files, results.read_bytes()

    alone = made("alone")
    assert 2 == alone[0]
    assert sorted({Path(name).parts[0] for name in alone[2]}) == sorted(Path(name).stem for name in names)
    assert alone == made("spread", "--cluster", cluster)
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / "spread").rglob("*")}
    assert alone == made("spread", "--cluster", cluster)
    assert before == {each: each.stat().st_mtime_ns for each in (tmp_path / "spread").rglob("*")}
