"""Ctrl-C and SIGTERM at any moment: one line, 130 or 143, within a second, and nothing is left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, contents

TOPOLOGIES = [
    str(CHECKOUT / "topologies" / f"{name}.yaml") for name in ("qemu-virt", "qemu-switches", "juno-r2")
]
TABLES = [str(CHECKOUT / "generated" / name / "ssdt.aml") for name in ("qemu-virt", "juno-r2")]
PROGRAM = (
    "import sys; from rootplex.cli import main; print('begun', flush=True); status = main(); "
    "print('ended', flush=True); sys.exit(status)"
)
"""What `pip` installs, but that it tells when our code begins and ends: outside, Python itself answers."""


@cache
def results() -> str:
    """What `survey` reads: the results of a hundred boards."""
    place = Path(tempfile.mkdtemp(prefix="rootplex-results-")) / "results.jsonl"
    made = subprocess.run(
        [sys.executable, "-m", "rootplex", "check", TOPOLOGIES[0], "--format", "jsonl"],
        check=True,
        capture_output=True,
    )
    place.write_bytes(made.stdout * 100)
    return str(place)


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "compile": lambda out: ["compile", *TOPOLOGIES[:2], "-o", str(out), "--force"],
    "compile -j": lambda out: ["compile", *TOPOLOGIES, "-o", str(out), "--force", "-j", "2"],
    "check": lambda _: ["check", *TOPOLOGIES],
    "validate -j": lambda _: ["validate", *TABLES, "-j", "2"],
    "qemu": lambda out: ["qemu", TOPOLOGIES[0], "-o", str(out)],
    "check --resume": lambda out: ["check", *TOPOLOGIES, "--resume", str(out / "results.jsonl")],
    "survey": lambda out: ["survey", results(), "--format", "html", "-o", str(out / "survey.html")],
    "fuzz": lambda out: ["fuzz", "--seed", "7", "--target", "mcfg", "--resume", str(out / "campaign.json")],
}
BOOTS: dict[str, Callable[[Path], list[str]]] = {
    "qemu --boot": lambda out: ["qemu", TOPOLOGIES[0], "--boot", "-o", str(out)],
    "campaign": lambda out: ["campaign", "--topologies", "2", "--seed", "7", "--resume", str(out / "booted")],
}
"""Commands that boot a kernel: `python -m bench.interrupts` has them, too."""
SEED = b"rootplex: seed 7\n"
"""What some say when they begin."""
WORDS = {signal.SIGINT: b"interrupted", signal.SIGTERM: b"terminated"}

pytestmark = pytest.mark.skipif(shutil.which("iasl") is None, reason="needs iasl")


def running(folder: Path) -> list[str]:
    """The processes that were told of this folder, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if (
                os.fsencode(folder) in told
                and (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            ):
                found.append(str(process))
        except OSError:
            continue
    return found


def interrupted(folder: Path, name: str, number: signal.Signals, dice: random.Random) -> None:
    """Begin a command, interrupt it, and hold it to what the module says; else AssertionError."""
    temporary, out = folder / "tmp", folder / "out"
    temporary.mkdir()
    out.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *(COMMANDS | BOOTS)[name](out)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(dice.choice((0.02, 0.1, 0.5, 1.5)) * dice.random() + 0.05)
    whole_group = number is signal.SIGINT and dice.random() < 0.5  # as a terminal does
    begun = time.monotonic()
    for _ in range(dice.choice((1, 2))):
        if process.poll() is None and whole_group:
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
    told, said = process.communicate(timeout=20)
    if told.endswith(b"ended\n"):
        return  # it was quicker
    said = said.removeprefix(SEED)
    assert (process.returncode, said) == (128 + number, b"rootplex: " + WORDS[number] + b"\n")
    assert time.monotonic() - begun < 3  # a second, on a machine that does nothing else
    assert list(temporary.iterdir()) == []
    assert [path for path in out.iterdir() if path.name.startswith(".")] == []
    deadline = time.monotonic() + 2
    while running(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(folder) == []


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("number", WORDS)
@pytest.mark.parametrize("turn", range(3))
def test_a_signal_at_any_moment(
    tmp_path: Path, name: str, number: signal.Signals, turn: int, pytestconfig: pytest.Config
) -> None:
    dice = random.Random(f"{pytestconfig.getoption('--seed')} {name} {number} {turn}")
    interrupted(tmp_path, name, number, dice)


def test_an_interrupted_compile_leaves_the_old_or_the_new_set(tmp_path: Path) -> None:
    made = [sys.executable, "-c", PROGRAM, *COMMANDS["compile"](tmp_path)[:2], "-o", str(tmp_path), "--force"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    whole = contents(tmp_path / "qemu-virt")
    for delay in (0.2, 0.4, 0.6, 0.8, 1.0):
        process = subprocess.Popen(made, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        assert contents(tmp_path / "qemu-virt") == whole


def test_a_signal_that_is_ignored_stays_so() -> None:
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); " + PROGRAM
    process = subprocess.Popen(
        [sys.executable, "-c", program, "explain", "RPX0001"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, b"")
