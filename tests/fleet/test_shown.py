"""What a person sees of many boards on a terminal, and what an interruption leaves."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

from tests.topologies.bundled import CHECKOUT, COMMAND

from rootplex.cli.many import WORST

BOARDS = 600
"""So many that progress is shown, which is after a second, before the last is done."""
WRONG = ("007.yaml", "070.yaml", "111.yaml")
PROGRESS = re.compile(r"\r\x1b\[K(\d+) of 600, \d+\.\d/s, \d:\d\d:\d\d left: (\d{3}\.yaml)")


def seen(words: list[str], folder: Path, *, interrupt: bool) -> tuple[int, str]:
    """The exit status of a command and all that it writes to a terminal; it may be interrupted where it first
    shows its progress."""
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(CHECKOUT / "compiler"), "NO_COLOR": "1"},
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(reader, 65536):
            shown += chunk
            if interrupt and PROGRESS.search(shown.decode("utf-8", "replace")):
                process.send_signal(signal.SIGINT)
                interrupt = False
    except OSError:  # Linux's word for the end of it
        pass
    os.close(reader)
    return process.wait(), shown.decode()


def test_progress_the_worst_boards_and_what_an_interruption_leaves(tmp_path: Path) -> None:
    text = (CHECKOUT / "topologies" / "zynqmp-zcu102.yaml").read_text()
    wrong = text.replace("segment: 0", "segment: 70000")
    assert wrong != text
    names = [f"{number:03d}.yaml" for number in range(BOARDS)]
    for name in names:
        (tmp_path / name).write_text(f"{wrong if name in WRONG else text}# {name}\n")
    words = ["check", *names, "--resume", "r.jsonl"]

    status, shown = seen(words, tmp_path, interrupt=True)
    assert (status, shown.rpartition("\x1b[K")[2]) == (130, "rootplex: interrupted\r\n")
    kept = (tmp_path / "r.jsonl").read_bytes().splitlines(keepends=True)
    assert 1 <= len(kept) < BOARDS

    status, shown = seen(words, tmp_path, interrupt=False)
    table = [line.split() for line in shown.rpartition("\x1b[K")[2].splitlines()]
    assert 2 == status
    assert ["verdict", "errors", "warnings", "notes"] == table[0]
    assert [(name, "unknown", "1") for name in WRONG] == [tuple(row[:3]) for row in table[1:4]]
    assert 1 + WORST == table.index([])
    assert "600 boards (3 unknown): 3 errors, 597 expected findings" == " ".join(table[-1])
    alone = subprocess.run(
        [*COMMAND, "check", *names, "--format", "jsonl", "-j", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "compiler")},
        capture_output=True,
        check=False,
    )
    lines = alone.stdout.splitlines(keepends=True)
    assert lines == (tmp_path / "r.jsonl").read_bytes().splitlines(keepends=True)
    assert kept == lines[: len(kept)]
