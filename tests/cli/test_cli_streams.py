"""Streams that are closed or full, and arguments that are no names: one line, 2, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT

BOARD = str(CHECKOUT / "topologies" / "raspberry-pi-4.yaml")
FULL = "rootplex: No space left on device\n"


def ran(command: str, *words: str) -> tuple[int, str, str]:
    """A shell's line with `$@` for the program and its arguments: status, what was printed, what was said."""
    argv = ["sh", "-c", command, "sh", sys.executable, "-m", "rootplex", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ('"$@" <&-', ("check", "-"), "rootplex: standard input is closed\n"),
        ('"$@" >&-', ("check", BOARD), "rootplex: standard output is closed\n"),
        ('"$@" >/dev/full', ("check", BOARD), FULL),
        ('"$@" >/dev/full', ("--help",), FULL),
        ('"$@" >/dev/full', ("schema",), FULL),
        ('"$@" 2>/dev/full', ("check", "nosuch"), ""),
        ('"$@" 2>&-', ("check", "nosuch"), ""),
        ('"$@" <&- >&- 2>&-', ("check", BOARD), ""),
        ('"$@"', ("check", ""), "rootplex: an argument is empty: a variable of the shell that is not set?\n"),
        ('"$@"', ("check", "a\n\x1b[31mb"), "rootplex: a\\n\\x1b[31mb: No such file or directory\n"),
    ],
)
def test_what_cannot_be_read_or_written(command: str, words: tuple[str, ...], said: str) -> None:
    assert ran(command, *words) == (2, "", said)


def test_standard_error_closed() -> None:
    """A service may have none: what was asked for is done all the same."""
    status, printed, _ = ran('"$@" 2>&-', "check", BOARD)
    assert status == 0
    assert "raspberry-pi-4: consistent (linux-7.2, dt)" in printed


@pytest.mark.parametrize("words", [("--help",), ("schema",), ("explain", "--all")])
def test_the_reader_goes_away(words: tuple[str, ...]) -> None:
    """`yes | head`: not a word about it."""
    status, _, said = ran('"$@" | true', *words)
    assert (status, said) == (0, "")


def test_a_pipe_without_a_writer_in_a_folder(tmp_path: Path) -> None:
    """It is no file of the folder's."""
    (tmp_path / "x.dtb").write_bytes((CHECKOUT / "generated/raspberry-pi-4/raspberry-pi-4.dtb").read_bytes())
    subprocess.run(["mkfifo", str(tmp_path / "pipe"), str(tmp_path / "y.aml")], check=True)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "up").symlink_to(tmp_path)
    status, printed, said = ran('"$@"', "validate", str(tmp_path))
    assert (status, said) == (0, ""), printed


def test_a_closed_input_among_descriptions_costs_the_others_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("rootplex: 1\n")
    words = ("compile", str(bad), "-", BOARD, "-o", str(tmp_path / "out"))
    status, printed, said = ran('"$@" <&-', *words)
    assert status == 2
    assert "error[RPX0004]" in printed
    assert "rootplex: standard input is closed\n" in said
    assert (tmp_path / "out" / "raspberry-pi-4" / "manifest.json").is_file()
